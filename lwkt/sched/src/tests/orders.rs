//! Several CPUs that exchange messages, in many orders. A lost wake-up is a deadlock, and shuttle says so.

use std::vec::Vec;

use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::sim::{
    self, block, block_in, crit, current, deschedule, evict, migrate, pull, schedule, sleep, spawn,
    spawn_with, wake, yield_now,
};
use crate::{MOST_FORWARDS, Priority, Reason, ThreadRef, Why};

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

/// A thread that does nothing but move, while wakes and a join run after it: none is forwarded more often than is said.
#[test]
fn a_chase_ends() {
    explore(3, |cx| {
        let stop = Arc::new(AtomicUsize::new(0));
        let seen = stop.clone();
        let nomad = spawn(0, "nomad", move |cx| {
            let mut at = 0;
            while seen.load(SeqCst) == 0 {
                at = (at + 1) % 3;
                migrate(cx, at);
            }
            // The wakes are kept, however often it moved: a token is there, or comes.
            block(cx, WHY);
        });
        let target = nomad.thread();
        let wakers: Vec<_> = [1, 2]
            .map(|cpu| {
                let stop = stop.clone();
                spawn(cpu, "waker", move |_| {
                    for _ in 0..3 {
                        crit(|crit| wake(crit, target));
                    }
                    stop.fetch_add(1, SeqCst);
                    crit(|crit| wake(crit, target));
                })
            })
            .into();
        wakers.into_iter().for_each(|waker| waker.join(cx));
        nomad.join(cx);
        assert!(sim::forwards() <= MOST_FORWARDS, "{} forwards", sim::forwards());
    });
}

/// A thread that waits, with and without a deadline, is pulled from CPU to CPU while it is woken: each wait ends.
#[test]
fn pull_against_wake() {
    explore(3, |cx| {
        let given = Arc::new(AtomicUsize::new(0));
        let seen = given.clone();
        let target = spawn(0, "target", move |cx| {
            for round in 1..4 {
                while seen.load(SeqCst) < round {
                    if round == 2 {
                        sleep(cx, WHY, sim::now() + 3);
                    } else {
                        block(cx, WHY);
                    }
                }
            }
        });
        let thread = target.thread();
        let puller = spawn(1, "puller", move |cx| {
            for to in [1, 2, 0, 2, 1] {
                crit(|crit| pull(crit, thread, to));
                yield_now(cx);
            }
        });
        let waker = spawn(2, "waker", move |cx| {
            for _ in 0..3 {
                given.fetch_add(1, SeqCst);
                crit(|crit| wake(crit, thread));
                yield_now(cx);
            }
        });
        [puller, waker, target].into_iter().for_each(|one| one.join(cx));
    });
}

/// A thread is descheduled and scheduled from another CPU, pulled and evicted meanwhile, and woken: it ends when the last word
/// was that it runs, and no wake is lost.
#[test]
fn deschedule_against_wake_and_pull() {
    explore(3, |cx| {
        let given = Arc::new(AtomicUsize::new(0));
        let seen = given.clone();
        let target = spawn(0, "target", move |cx| {
            while seen.load(SeqCst) < 2 {
                block(cx, WHY);
                yield_now(cx);
            }
        });
        let thread = target.thread();
        let switcher = spawn(1, "switcher", move |cx| {
            for _ in 0..2 {
                deschedule(thread);
                yield_now(cx);
                schedule(thread);
            }
        });
        let mover = spawn(2, "mover", move |cx| {
            for to in [1, 2] {
                crit(|crit| pull(crit, thread, to));
                crit(|crit| evict(crit, thread, 0));
                given.fetch_add(1, SeqCst);
                crit(|crit| wake(crit, thread));
                yield_now(cx);
            }
        });
        [switcher, mover, target].into_iter().for_each(|one| one.join(cx));
    });
}

/// What is descheduled does not run, wherever it is, until it is scheduled.
#[test]
fn descheduled_is_still() {
    explore(2, |cx| {
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = steps.clone();
        let target = spawn(1, "target", move |cx| {
            while counted.fetch_add(1, SeqCst) < 6 {
                yield_now(cx);
            }
        });
        let thread = target.thread();
        // A message there and back: it is started.
        spawn(1, "flush", yield_now).join(cx);
        deschedule(thread);
        let before = steps.load(SeqCst);
        crit(|crit| pull(crit, thread, 0));
        crit(|crit| wake(crit, thread));
        spawn(1, "flush", yield_now).join(cx);
        // It is out; or it ran and is marked, and stops at its next step.
        assert!(steps.load(SeqCst) <= before + 1, "a descheduled thread went on");
        schedule(thread);
        target.join(cx);
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

/// An interrupt's thread borrows the CPU of threads that are pulled, evicted and descheduled meanwhile: each of them ends, and
/// every interrupt is handled.
#[test]
fn preemption_against_leaving() {
    explore(2, |cx| {
        let handled = Arc::new(AtomicUsize::new(0));
        let count = handled.clone();
        let line = spawn_with(0, Priority::INTERRUPT, "line", move |cx| {
            let me = current();
            crit(|crit| sim::scheduler(|own| own.bind(crit, me)));
            for _ in 0..3 {
                block(cx, Why { reason: Reason::Interrupt, address: 1 });
                count.fetch_add(1, SeqCst);
                yield_now(cx);
            }
        });
        let victim = spawn(0, "victim", move |cx| {
            for _ in 0..4 {
                yield_now(cx);
            }
        });
        let [source, target] = [line.thread(), victim.thread()];
        let mover = spawn(1, "mover", move |cx| {
            for to in [1, 0] {
                crit(|crit| pull(crit, target, to));
                crit(|crit| evict(crit, target, to));
                for thread in [target, source] {
                    deschedule(thread);
                    yield_now(cx);
                    schedule(thread);
                }
            }
        });
        while handled.load(SeqCst) < 3 {
            crit(|crit| sim::interrupt(crit, source));
            yield_now(cx);
        }
        [line, victim, mover].into_iter().for_each(|one| one.join(cx));
    });
}
