//! The word of a token under loom: the table of `word` by name.

use ::loom::cell::UnsafeCell;
use ::loom::thread;
use std::sync::Arc;
use std::vec::Vec;

use crate::word::{Manners, Word};

struct Guarded {
    word: Word,
    value: UnsafeCell<u32>,
}

// SAFETY: that is what is modelled; loom sees two accesses at once.
#[allow(unsafe_code)]
unsafe impl Sync for Guarded {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Send for Guarded {}

fn guarded() -> Arc<Guarded> {
    Arc::new(Guarded { word: Word::new(), value: UnsafeCell::new(0) })
}

/// Tries of a thread, which then gives up: what waits for ever has no end under loom. That waits end is `shuttle`'s.
const TRIES: usize = 3;

impl Guarded {
    /// Adds one, if the word is to be had.
    fn exclusively(&self, me: usize) -> u32 {
        let taken = self.word.try_free(me)
            || (0..TRIES).any(|_| {
                thread::yield_now();
                self.word.try_exclusive(me)
            });
        if taken {
            // SAFETY: held exclusively.
            #[allow(unsafe_code)]
            self.value.with_mut(|value| unsafe { *value += 1 });
            self.word.give();
        }
        taken.into()
    }

    /// Reads, if the word is to be had.
    fn shared(&self, manners: Manners) -> u32 {
        let taken = (0..TRIES).any(|_| {
            let taken = self.word.try_shared(manners);
            if !taken {
                thread::yield_now();
            }
            taken
        });
        if !taken {
            return 0;
        }
        // SAFETY: held shared: nobody writes.
        #[allow(unsafe_code)]
        let seen = self.value.with(|value| unsafe { *value });
        self.word.give_shared();
        seen
    }

    /// What was written, when all others are over and nobody holds it.
    fn into_value(self: Arc<Self>) -> u32 {
        assert!(self.word.looks_free(false, Manners::Polite));
        // SAFETY: nobody else is left.
        #[allow(unsafe_code)]
        self.value.with(|value| unsafe { *value })
    }
}

/// Handed over between threads that hold it alone: each sees what the one before wrote.
#[test]
fn hand_over() {
    ::loom::model(|| {
        let shared = guarded();
        let others: Vec<_> = (1..3)
            .map(|me| {
                let other = shared.clone();
                thread::spawn(move || other.exclusively(me << 20))
            })
            .collect();
        let mut sum = shared.exclusively(3 << 20);
        for other in others {
            sum += other.join().unwrap();
        }
        assert_eq!(shared.into_value(), sum);
    });
}

/// Between those who share it and one who wants it alone, with a request in between: polite ones, and such as press.
#[test]
fn hand_over_between_shared_and_exclusive() {
    for manners in [Manners::Polite, Manners::Pressing] {
        ::loom::model(move || {
            let shared = guarded();
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let other = shared.clone();
                    thread::spawn(move || other.shared(manners))
                })
                .collect();
            let sum = shared.exclusively(1 << 20);
            for other in others {
                assert!(other.join().unwrap() <= sum);
            }
            assert_eq!(shared.into_value(), sum);
        });
    }
}
