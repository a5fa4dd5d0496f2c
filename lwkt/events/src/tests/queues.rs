//! Wait queues.

use std::vec::Vec;

use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::{Sim, explore, leak};
use crate::{TimedOut, WaitQueue, Woken};
use lwkt_sched::{Exec, sim};

fn queue() -> &'static WaitQueue<Sim> {
    leak(WaitQueue::new())
}

/// Takes one of the things that are there.
fn take(things: &AtomicUsize) -> bool {
    things.fetch_update(SeqCst, SeqCst, |things| things.checked_sub(1)).is_ok()
}

/// Things are given one by one from each CPU, and taken on each: each wake-one gets its thing taken.
#[test]
fn one_wake_for_each_thing() {
    explore(3, 500, |cx| {
        let (queue, things) = (queue(), Arc::new(AtomicUsize::new(0)));
        let takers = (0..3).chain(0..3).map(|cpu| {
            let things = things.clone();
            sim::spawn(cpu, "taker", move |cx| queue.wait_until(cx, |_| take(&things)))
        });
        let mut handles: Vec<_> = takers.collect();
        for cpu in 0..3 {
            let things = things.clone();
            handles.push(sim::spawn(cpu, "giver", move |cx| {
                for _ in 0..2 {
                    things.fetch_add(1, SeqCst);
                    if cpu == 0 {
                        queue.wake_one_and_know(cx);
                    } else {
                        sim::crit(|crit| queue.wake_one(crit));
                    }
                }
            }));
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
        assert_eq!(things.load(SeqCst), 0);
    });
}

/// Waits that time out while a wake-one comes for them: the thing is taken by somebody, or lies there with nobody waiting.
#[test]
fn wake_one_against_deadlines() {
    explore(3, 500, |cx| {
        let (queue, things) = (queue(), Arc::new(AtomicUsize::new(0)));
        let (taken, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut handles: Vec<_> = (0..3)
            .map(|cpu| {
                let (things, taken, late) = (things.clone(), taken.clone(), late.clone());
                sim::spawn(cpu, "hasty", move |cx| {
                    match queue.wait_until_by(cx, 2, |_| take(&things)) {
                        Ok(()) => taken.fetch_add(1, SeqCst),
                        Err(TimedOut) => late.fetch_add(1, SeqCst),
                    };
                })
            })
            .collect();
        let (patient_things, patient_taken) = (things.clone(), taken.clone());
        // Without a deadline: of four things, it gets one, whatever the others do.
        handles.push(sim::spawn(2, "patient", move |cx| {
            queue.wait_until(cx, |_| take(&patient_things));
            patient_taken.fetch_add(1, SeqCst);
        }));
        for cpu in 0..2 {
            let things = things.clone();
            handles.push(sim::spawn(cpu, "giver", move |cx| {
                sim::sleep(cx, lwkt_sched::Why::SLEEP, 2);
                for _ in 0..2 {
                    things.fetch_add(1, SeqCst);
                    sim::crit(|crit| queue.wake_one(crit));
                }
            }));
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
        let (things, taken, late) = (things.load(SeqCst), taken.load(SeqCst), late.load(SeqCst));
        assert_eq!((things + taken, taken + late), (4, 4));
    });
}

/// A wake-all ends each wait that began before; afterwards the set empties as messages come for nobody.
#[test]
fn wake_all_reaches_every_cpu() {
    explore(3, 300, |cx| {
        let (queue, round) = (queue(), Arc::new(AtomicUsize::new(0)));
        let handles: Vec<_> = (0..3)
            .chain(0..3)
            .map(|cpu| {
                let round = round.clone();
                sim::spawn(cpu, "herd", move |cx| {
                    for mine in 1..3 {
                        queue.wait_until(cx, |_| round.load(SeqCst) >= mine);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            round.fetch_add(1, SeqCst);
            sim::crit(|crit| queue.wake_all(crit));
            sim::yield_now(cx);
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
        assert!(!queue.wake_one_and_know(cx));
        // That one took every CPU but this out of the set: nobody else is asked now.
        assert_eq!(sim::crit(|crit| queue.wake_one(crit)), Woken::Nobody);
    });
}

/// Of one CPU's threads the longest waiting is woken; those of other queues, and of other CPUs, are not.
#[test]
fn first_come_first_served_and_this_cpu_only() {
    explore(2, 200, |cx| {
        // Some of these share a chain.
        let queues: Vec<_> = (0..70).map(|_| queue()).collect();
        let (order, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut handles = Vec::new();
        for number in 1..4 {
            let (order, go) = (order.clone(), go.clone());
            let queue = queues[0];
            handles.push(sim::spawn(0, "mine", move |cx| {
                queue.wait_until(cx, |_| go.load(SeqCst) >= number);
                order.store(order.load(SeqCst) * 10 + number, SeqCst);
            }));
            sim::yield_now(cx);
        }
        let others: Vec<_> = queues[1..]
            .iter()
            .map(|&queue| {
                let go = go.clone();
                sim::spawn(0, "other", move |cx| queue.wait_until(cx, |_| go.load(SeqCst) > 8))
            })
            .collect();
        sim::yield_now(cx);
        for number in 1..4 {
            go.store(number, SeqCst);
            assert!(sim::crit(|crit| queues[0].wake_one_here(crit)));
            sim::yield_now(cx);
        }
        handles.into_iter().for_each(|handle| handle.join(cx));
        assert_eq!(order.load(SeqCst), 123);
        assert_eq!(sim::crit(|crit| queues[0].wake_all_here(crit)), 0);
        go.store(9, SeqCst);
        for queue in &queues[1..] {
            assert_eq!(sim::crit(|crit| queue.wake_all_here(crit)), 1);
        }
        others.into_iter().for_each(|handle| handle.join(cx));
    });
}

/// The report of a deadlock names the queue.
#[test]
fn the_report_names_the_queue() {
    explore(1, 20, |cx| {
        let (queue, go) = (queue(), Arc::new(AtomicUsize::new(0)));
        let sign = go.clone();
        let waiter =
            sim::spawn(0, "waiter", move |cx| queue.wait_until(cx, |_| sign.load(SeqCst) > 0));
        while sim::state_of(waiter.thread()) != Some(lwkt_sched::State::Blocked) {
            sim::yield_now(cx);
        }
        let line = std::format!("waits for a wake of wait queue {queue:p}");
        assert!(sim::report().iter().any(|one| one.contains(&line)), "{:?}", sim::report());
        go.store(1, SeqCst);
        Sim::<false>::crit(|crit| assert_eq!(queue.wake_one(crit), Woken::Here));
        waiter.join(cx);
    });
}

/// What is asked serves messages before it answers: a wake among them is not lost.
#[test]
fn a_look_that_serves_messages() {
    explore(2, 500, |cx| {
        let (queue, things) = (queue(), Arc::new(AtomicUsize::new(0)));
        let theirs = things.clone();
        let waiter = sim::spawn(1, "waiter", move |cx| {
            queue.wait_until(cx, |crit| {
                let taken = take(&theirs);
                <Sim>::relax(crit);
                taken
            });
        });
        sim::yield_now(cx);
        things.fetch_add(1, SeqCst);
        sim::crit(|crit| queue.wake_one(crit));
        waiter.join(cx);
    });
}
