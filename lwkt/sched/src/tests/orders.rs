//! Several CPUs that exchange messages, in many orders. A lost wake-up is a deadlock, and shuttle says so.

use std::vec::Vec;

use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::sim::{self, block, block_in, crit, current, migrate, sleep, spawn, wake, yield_now};
use crate::{Reason, ThreadRef, Why};

const WHY: Why = Why { reason: Reason::Event, address: 0 };
const RUNS: usize = if cfg!(miri) { 1 } else { 400 };

fn explore(cpus: usize, main: impl Fn(&mut crate::MayBlock) + Send + Sync + 'static) {
    let main = std::sync::Arc::new(main);
    shuttle::check_random(
        move || {
            let main = main.clone();
            sim::run(cpus, move |cx| main(cx));
        },
        RUNS,
    );
}

/// Looking and waiting in two critical sections: the wake that comes between is kept by the token.
#[test]
fn wake_before_block_is_not_lost() {
    explore(2, |cx| {
        let me = current();
        let flag = Arc::new(AtomicUsize::new(0));
        let setter = flag.clone();
        let other = spawn(1, "waker", move |_| {
            setter.store(1, SeqCst);
            crit(|crit| wake(crit, me));
        });
        while flag.load(SeqCst) == 0 {
            block(cx, WHY);
        }
        other.join(cx);
    });
}

/// Everybody wakes everybody; each wake is preceded by a count that its target must come to see.
#[test]
fn wake_storm() {
    explore(3, |cx| {
        let counts: Arc<Vec<_>> = Arc::new((0..3).map(|_| AtomicUsize::new(0)).collect());
        let workers: Arc<shuttle::sync::Mutex<Vec<ThreadRef>>> = Arc::default();
        let start = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..3)
            .map(|i| {
                let (counts, workers, start) = (counts.clone(), workers.clone(), start.clone());
                spawn(i, "worker", move |cx| {
                    while start.load(SeqCst) == 0 {
                        block(cx, WHY);
                    }
                    let others = workers.lock().unwrap().clone();
                    for to in (0..3).filter(|&to| to != i) {
                        for _ in 0..2 {
                            counts[to].fetch_add(1, SeqCst);
                            crit(|crit| wake(crit, others[to]));
                        }
                    }
                    while counts[i].load(SeqCst) < 4 {
                        block(cx, WHY);
                    }
                })
            })
            .collect();
        workers.lock().unwrap().extend(handles.iter().map(|handle| handle.thread()));
        start.store(1, SeqCst);
        for handle in &handles {
            crit(|crit| wake(crit, handle.thread()));
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
    });
}

/// A wake and a deadline for one sleep: it ends once, by one of them, and nothing stays armed.
#[test]
fn sleep_against_wake() {
    explore(2, |cx| {
        let me = current();
        let other = spawn(1, "waker", move |cx| {
            sleep(cx, Why::SLEEP, 5);
            crit(|crit| wake(crit, me));
        });
        let mut ends = 0;
        while sim::now() < 10 {
            sleep(cx, Why::SLEEP, 10);
            ends += 1;
        }
        assert!(ends <= 2, "a sleep ended {ends} times");
        other.join(cx);
    });
}

/// A thread that exits, and one that joins it from each CPU, before or after.
#[test]
fn exit_against_join() {
    explore(3, |cx| {
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let handles: Vec<_> = (0..3)
                .map(|cpu| {
                    let done = done.clone();
                    spawn(cpu, "short", move |cx| {
                        if cpu == 1 {
                            yield_now(cx);
                        }
                        done.fetch_add(1, SeqCst);
                    })
                })
                .collect();
            yield_now(cx);
            // The memory of those that are joined is used again in the second round.
            handles.into_iter().for_each(|handle| handle.join(cx));
        }
        assert_eq!(done.load(SeqCst), 6);
    });
}

/// A thread that keeps changing its CPU is found by wakes and by its joiner.
#[test]
fn migration_against_wake_and_join() {
    explore(3, |cx| {
        let flag = Arc::new(AtomicUsize::new(0));
        let seen = flag.clone();
        let nomad = spawn(0, "nomad", move |cx| {
            for cpu in [1, 2, 0] {
                migrate(cx, cpu);
                assert_eq!(sim::here().index(), cpu);
            }
            while seen.load(SeqCst) == 0 {
                block(cx, WHY);
            }
            migrate(cx, 2);
        });
        let target = nomad.thread();
        let waker = spawn(2, "waker", move |cx| {
            yield_now(cx);
            flag.store(1, SeqCst);
            crit(|crit| wake(crit, target));
        });
        nomad.join(cx);
        waker.join(cx);
    });
}

/// Equals on one CPU and messages from another: nobody is left behind, also without yields of others.
#[test]
fn blocks_and_yields_mixed() {
    explore(2, |cx| {
        let token = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..3)
            .map(|i| {
                let token = token.clone();
                spawn(i % 2, "turn", move |cx| {
                    while token.load(SeqCst) % 3 != i {
                        yield_now(cx);
                        sleep(cx, Why::SLEEP, sim::now() + 1);
                    }
                    token.fetch_add(1, SeqCst);
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join(cx));
        crit(|crit| {
            crit_wakes_itself(crit, cx);
        });
    });
}

/// A wake of the running thread by itself within the section in which it blocks.
fn crit_wakes_itself(crit: &percpu::Crit, cx: &mut crate::MayBlock) {
    wake(crit, current());
    block_in(crit, cx, WHY);
}
