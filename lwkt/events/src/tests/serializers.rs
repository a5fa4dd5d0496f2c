//! Serializers.

use std::vec::Vec;

use lwkt_sched::{Why, sim};

use super::{Sim, explore, leak};
use crate::Serializer;

/// Threads of three CPUs add by two steps and a wait between them: none sees half of another's work, and none waits for good.
#[test]
fn who_has_it_keeps_it_over_a_wait() {
    explore(3, 300, |cx| {
        let pair = &*leak(Serializer::<Sim, _>::new((0, 0)));
        let threads: Vec<_> = (0..6)
            .map(|number| {
                sim::spawn(number % 3, "adds", move |cx| {
                    for _ in 0..2 {
                        let mut held = pair.enter(cx);
                        assert_eq!(held.0, held.1);
                        held.0 += 1;
                        let wait = number % 2 == 0;
                        if wait {
                            sim::sleep(cx, Why::SLEEP, 1);
                        }
                        held.1 += 1;
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join(cx));
        assert_eq!(*pair.enter(cx), (12, 12));
    });
}

/// A handler that is kept out does nothing, not even when it began to wait before.
#[test]
fn a_handler_is_kept_out() {
    explore(2, 300, |cx| {
        let count = &*leak(Serializer::<Sim, _>::new(0));
        let handler = sim::spawn(1, "handler", move |cx| {
            for _ in 0..3 {
                count.handle(cx, |cx, count| {
                    *count += 1;
                    sim::sleep(cx, Why::SLEEP, 1);
                });
            }
        });
        let mut held = count.enter(cx);
        held.set_handled(false);
        let seen = *held;
        drop(held);
        sim::sleep(cx, Why::SLEEP, 2);
        let mut held = count.enter(cx);
        assert_eq!(*held, seen, "a handler that is kept out came in");
        held.set_handled(true);
        drop(held);
        assert!(count.handle(cx, |_, count| *count).is_some());
        handler.join(cx);
    });
}

#[test]
fn what_is_there_is_taken_or_not() {
    explore(1, 1, |cx| {
        let one = &*leak(Serializer::<Sim, _>::new(()));
        let held = one.try_enter(cx).expect("nobody has it");
        assert!(one.try_enter(cx).is_none());
        drop(held);
        assert!(one.try_enter(cx).is_some());
    });
}

#[test]
#[should_panic = "taken at lwkt/events/src/tests/serializers.rs"]
fn who_has_it_does_not_wait_for_itself() {
    explore(1, 1, |cx| {
        let one = &*leak(Serializer::<Sim, _>::new(()));
        let _held = one.enter(cx);
        let _again = one.enter(cx);
    });
}
