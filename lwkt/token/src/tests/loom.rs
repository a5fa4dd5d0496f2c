//! The word of a token under loom: the table of `word` by name.

use ::loom::cell::UnsafeCell;
use ::loom::thread;
use std::sync::Arc;

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

impl Guarded {
    fn exclusively(&self, me: usize) {
        if !self.word.try_free(me) {
            while !self.word.try_exclusive(me) {
                thread::yield_now();
            }
        }
        // SAFETY: held exclusively.
        #[allow(unsafe_code)]
        self.value.with_mut(|value| unsafe { *value += 1 });
        self.word.give();
    }

    fn shared(&self, manners: Manners) -> u32 {
        while !self.word.try_shared(manners) {
            thread::yield_now();
        }
        // SAFETY: held shared: nobody writes.
        #[allow(unsafe_code)]
        let seen = self.value.with(|value| unsafe { *value });
        self.word.give_shared();
        seen
    }

    fn is_free(&self) -> bool {
        self.word.looks_free(false, Manners::Polite)
    }
}

/// Handed over between threads that hold it alone: each sees what the one before wrote.
#[test]
fn hand_over() {
    ::loom::model(|| {
        let shared = guarded();
        let other = shared.clone();
        let one = thread::spawn(move || other.exclusively(1 << 20));
        shared.exclusively(1 << 21);
        one.join().unwrap();
        assert!(shared.is_free());
        // SAFETY: nobody else is left.
        #[allow(unsafe_code)]
        let value = shared.value.with(|value| unsafe { *value });
        assert_eq!(value, 2);
    });
}

/// Between those who share it and one who wants it alone, with a request in between: polite ones, and such as press.
#[test]
fn hand_over_between_shared_and_exclusive() {
    for manners in [Manners::Polite, Manners::Pressing] {
        ::loom::model(move || {
            let shared = guarded();
            let threads: std::vec::Vec<_> = (0..2)
                .map(|_| {
                    let other = shared.clone();
                    thread::spawn(move || other.shared(manners))
                })
                .collect();
            shared.exclusively(1 << 21);
            for one in threads {
                assert!(one.join().unwrap() <= 1);
            }
            assert!(shared.is_free());
        });
    }
}
