//! Slabs over an array of words.

use crate::PAGE;
use crate::classes::{CLASSES, per_slab, size_of_class};
use crate::slab::{HEAD, Home, Slabs, Words};
use percpu::CpuId;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::vec::Vec;

/// Pages from the second on.
pub(super) struct Memory {
    words: Vec<Cell<u64>>,
    free: Vec<u64>,
}

impl Memory {
    pub fn new(pages: usize) -> Self {
        // What a page holds when it is taken is of no importance.
        let words = (0..pages * PAGE / 8).map(|word| Cell::new(word as u64 * 0x9e37)).collect();
        Self { words, free: (1..=pages as u64).rev().map(|page| page * PAGE as u64).collect() }
    }

    pub fn take(&mut self) -> Option<u64> {
        self.free.pop()
    }

    pub fn give(&mut self, page: u64) {
        assert!(!self.free.contains(&page), "a page was given back twice");
        self.free.push(page);
    }

    pub fn free(&self) -> usize {
        self.free.len()
    }

    fn word(&self, address: u64) -> &Cell<u64> {
        assert!(address.is_multiple_of(8), "a word is aligned");
        &self.words[(address as usize - PAGE) / 8]
    }
}

impl Words for Memory {
    fn read(&self, address: u64) -> u64 {
        self.word(address).get()
    }

    fn write(&self, address: u64, word: u64) {
        self.word(address).set(word);
    }
}

/// Writes over all of an object, as who has it may.
pub(super) fn scribble(memory: &Memory, object: u64, class: usize) {
    for word in (0..size_of_class(class) as u64).step_by(8) {
        memory.write(object + word, object ^ word);
    }
}

pub(super) fn is_scribbled(memory: &Memory, object: u64, class: usize) -> bool {
    (0..size_of_class(class) as u64)
        .step_by(8)
        .all(|word| memory.read(object + word) == object ^ word)
}

#[test]
fn slab_gives_all_that_it_has_room_for() {
    for class in 0..CLASSES {
        let mut memory = Memory::new(1);
        let page = memory.take().expect("one");
        let mut all = Slabs::of_all_classes();
        let slabs = &mut all[class];
        assert_eq!(slabs.take(&memory), None);
        slabs.adopt(&memory, page, CpuId::at(3));
        let objects: BTreeSet<u64> = core::iter::from_fn(|| slabs.take(&memory)).collect();
        assert_eq!(objects.len(), per_slab(class));
        let size = size_of_class(class) as u64;
        let room = page + HEAD as u64..page + PAGE as u64;
        for object in &objects {
            assert!(room.contains(object) && room.contains(&(object + size - 1)));
            assert!(object.is_multiple_of(1 << size.trailing_zeros()), "aligned as its size is");
            assert_eq!(Home::of(&memory, *object), Home { owner: CpuId::at(3), class });
            scribble(&memory, *object, class);
        }
        assert!(objects.iter().all(|object| is_scribbled(&memory, *object, class)), "apart");
        // The last of one that is alone stays.
        assert!(objects.iter().all(|object| slabs.put(&memory, *object).is_none()));
    }
}

#[test]
#[should_panic(expected = "a block that is of no slab was freed")]
fn block_of_no_slab_is_seen() {
    let memory = Memory::new(1);
    memory.write(PAGE as u64, u64::MAX);
    Home::of(&memory, PAGE as u64 + 64);
}

proptest! {
    #[test]
    fn no_object_is_in_two_places(class in 0..CLASSES, ops in prop::collection::vec((any::<bool>(), any::<u16>()), 1..600)) {
        let mut memory = Memory::new(40);
        let mut all = Slabs::of_all_classes();
        let slabs = &mut all[class];
        let mut held = Vec::new();
        for (take, which) in ops {
            if take {
                let object = slabs.take(&memory).or_else(|| {
                    let page = memory.take()?;
                    slabs.adopt(&memory, page, CpuId::BOOT);
                    slabs.take(&memory)
                });
                if let Some(object) = object {
                    scribble(&memory, object, class);
                    held.push(object);
                }
            } else if !held.is_empty() {
                let object = held.swap_remove(which as usize % held.len());
                prop_assert!(is_scribbled(&memory, object, class), "nobody else has it");
                if let Some(page) = slabs.put(&memory, object) {
                    prop_assert!(held.iter().all(|object| object & !(PAGE as u64 - 1) != page));
                    memory.give(page);
                }
            }
        }
        for object in held {
            prop_assert!(is_scribbled(&memory, object, class));
            if let Some(page) = slabs.put(&memory, object) {
                memory.give(page);
            }
        }
        prop_assert!(memory.free() >= 39, "one that is empty is kept, no more");
    }
}
