//! Looks at what is published, against whoever takes it away and has it to himself.

use std::boxed::Box;

use loom::cell::UnsafeCell;
use lwkt_sched::model::{Job, Model, crit, leak, model};
use lwkt_sched::{Exec, MayBlock};
use percpu::{CpuId, Crit};

use crate::Published;

/// Memory that many look at, or one has to itself.
struct Memory(UnsafeCell<usize>);

// SAFETY: that nobody looks while one has it is what the models are about.
#[allow(unsafe_code)]
unsafe impl Sync for Memory {}

/// Where it is published, in a kernel that may have the bug.
type Place<const EARLY: bool = false> = Published<Model<EARLY>, Memory>;

impl Memory {
    fn look(&self) {
        self.0.with(|_| ());
    }
}

fn place<const EARLY: bool>() -> &'static Place<EARLY> {
    let place = &*leak(Published::new());
    assert!(place.publish(leak(Memory(UnsafeCell::new(0)))).is_ok());
    place
}

/// Takes the memory away, changes it, and publishes it anew.
fn change<const EARLY: bool>(cx: &mut MayBlock, place: &Place<EARLY>) {
    let memory = place.take().expect("nobody else takes it").reclaim(cx);
    memory.0.with_mut(|_| ());
    assert!(place.publish(memory).is_ok());
}

/// The table of `Published`, twice over: the second reader is in the set again.
#[test]
fn reading_against_reclaiming() {
    model::<Job, 2>(3, || {
        let place = place::<false>();
        [
            Box::new(move |cx| (0..2).for_each(|_| change(cx, place))),
            Box::new(move |cx| {
                for _ in 0..2 {
                    place.read(cx, |memory| memory.map(Memory::look));
                }
            }),
        ]
    });
}

/// Two take it away in turn, each from whom the other's errand has just been to.
#[test]
fn two_take_it_away() {
    model::<Job, 3>(2, || {
        let place = place::<false>();
        let take = move |cx: &mut MayBlock| {
            let Some(taken) = place.take() else { return };
            let memory = taken.reclaim(cx);
            memory.0.with_mut(|_| ());
            assert!(place.publish(memory).is_ok());
        };
        [
            Box::new(take),
            Box::new(move |cx| {
                for _ in 0..2 {
                    place.read(cx, |memory| memory.map(Memory::look));
                }
            }),
            Box::new(take),
        ]
    });
}

#[allow(unsafe_code)]
fn read_there<const EARLY: bool>(crit: &Crit, word: usize, _: usize, _: usize) {
    // SAFETY: the model below made the word of a `&'static`.
    let place = unsafe { &*core::ptr::with_exposed_provenance::<Place<EARLY>>(word) };
    // SAFETY: nothing here blocks.
    unsafe { place.read_in(crit, |memory| memory.map(Memory::look)) };
}

fn serving<const EARLY: bool>() {
    model::<Job, 3>(2, || {
        let place = place::<EARLY>();
        [
            Box::new(move |_| {
                let word = core::ptr::from_ref(place).expose_provenance();
                crit(|crit| {
                    Model::<EARLY>::call(crit, CpuId::at(1), read_there::<EARLY>, [word, 0, 0]);
                });
            }),
            Box::new(move |cx| {
                place.read(cx, |memory| {
                    let Some(memory) = memory else { return };
                    memory.look();
                    crit(Model::<EARLY>::relax);
                    memory.look();
                });
            }),
            Box::new(move |cx| change(cx, place)),
        ]
    });
}

/// As above, with a reader that serves messages in its section, as it does where it waits for room in a ring: they read, too.
#[test]
fn reading_while_it_serves() {
    serving::<false>();
}

#[test]
#[should_panic = "Causality violation"]
fn an_errand_that_does_not_wait_is_seen() {
    serving::<true>();
}
