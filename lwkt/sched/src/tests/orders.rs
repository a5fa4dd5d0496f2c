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

/// What interrupts' threads leave alone: code that does not give way.
#[derive(Default)]
struct Alone(AtomicUsize);

impl Alone {
    /// Does not give way for a few critical sections, at whose ends interrupts' threads may come in between.
    fn step(&self) {
        self.0.store(1, SeqCst);
        for turn in 1..4 {
            crit(|_| ());
            assert_eq!(self.0.fetch_add(1, SeqCst), turn, "somebody else ran meanwhile");
        }
        self.0.store(0, SeqCst);
    }
}

/// Handles what was raised, until that is `last`, doing `work` each time.
fn handle(
    cx: &mut crate::MayBlock,
    raised: &AtomicUsize,
    last: usize,
    mut work: impl FnMut(&mut crate::MayBlock, usize),
) {
    let mut handled = 0;
    while handled < last {
        while handled < raised.load(SeqCst) {
            handled += 1;
            work(cx, handled);
        }
        if handled < last {
            block(cx, Why { reason: Reason::Interrupt, address: 0 });
        }
    }
}

fn raise(raised: &AtomicUsize, thread: ThreadRef) {
    crit(|crit| {
        raised.fetch_add(1, SeqCst);
        sim::interrupt(crit, thread);
    });
}

/// Interrupts from another CPU borrow the CPU of threads that take turns: nobody else gets in, each interrupt is handled,
/// each borrowed switch returns. The interrupt's thread wakes, yields to an equal, sleeps, and ends on borrowed time.
#[test]
fn borrowed_switches_return() {
    explore(2, |cx| {
        let (raised, alone) = (Arc::new(AtomicUsize::new(0)), Arc::new(Alone::default()));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let alone = alone.clone();
                spawn(0, "worker", move |cx| {
                    for _ in 0..2 {
                        alone.step();
                        yield_now(cx);
                    }
                })
            })
            .collect();
        let waked = workers[0].thread();
        let seen = raised.clone();
        let high = sim::spawn_with(0, crate::Priority::INTERRUPT, "high", move |cx| {
            handle(cx, &seen, 3, |cx, number| {
                crit(|crit| wake(crit, waked));
                match number {
                    1 => yield_now(cx),
                    2 => drop(sleep(cx, Why::SLEEP, sim::now() + 1)),
                    _ => {}
                }
            });
        });
        let equal = sim::spawn_with(0, crate::Priority::INTERRUPT, "equal", |cx| {
            sleep(cx, Why::SLEEP, 1);
            yield_now(cx);
        });
        let target = high.thread();
        let raiser = spawn(1, "raiser", move |cx| {
            for _ in 0..3 {
                raise(&raised, target);
                yield_now(cx);
            }
        });
        workers.into_iter().for_each(|handle| handle.join(cx));
        [high, equal, raiser].into_iter().for_each(|handle| handle.join(cx));
        let counted = crit(|_| sim::borrowed());
        assert_eq!(counted.direct + counted.late, counted.returns);
    });
}

/// Two lines at once: the second finds the CPU lent out and has its turn after the return, before anybody else.
#[test]
fn interrupts_against_interrupts() {
    explore(2, |cx| {
        let alone = Arc::new(Alone::default());
        let lines: Vec<_> = [20, 28]
            .into_iter()
            .map(|priority| {
                let raised = Arc::new(AtomicUsize::new(0));
                let seen = raised.clone();
                let priority = crate::Priority::new(priority).unwrap();
                let thread = sim::spawn_with(0, priority, "line", move |cx| {
                    // A critical section: the other line's interrupt finds this one's thread there.
                    handle(cx, &seen, 2, |_, _| crit(|_| ()));
                });
                (raised, thread)
            })
            .collect();
        let handles: Vec<_> = lines
            .iter()
            .map(|(raised, line)| {
                let (raised, line) = (raised.clone(), line.thread());
                spawn(1, "raiser", move |cx| {
                    for _ in 0..2 {
                        raise(&raised, line);
                        yield_now(cx);
                    }
                })
            })
            .collect();
        alone.step();
        alone.step();
        handles.into_iter().for_each(|handle| handle.join(cx));
        lines.into_iter().for_each(|(_, handle)| handle.join(cx));
        let counted = crit(|_| sim::borrowed());
        assert_eq!(counted.direct + counted.late, counted.returns);
    });
}
