//! Slabs: pages that are cut into objects of one class, each of them the CPU's that took it.
//!
//! ```text
//!   page ┌ head, 64 bytes ──────────────────────────────┬────────┬────────┬────────┬───────┐
//!        │ owner and class · free · fresh · used · links │ in use │ free ──┼▶ free  │ fresh │
//!        └──────────────────────────────────────────────┴────────┴────────┴────────┴───────┘
//!   Slabs: partial ─▶ page ⇄ page ⇄ page      spare ─▶ page of which nothing is in use
//! ```
//! Law: the owner alone writes a head, in a critical section. The word that says whose it is stays the same while an object of
//! the page is in use, so whoever has one may read it.

use crate::PAGE;
use crate::classes::{CLASSES, first_of, per_slab, size_of_class};
use percpu::CpuId;

/// Bytes of a slab's head: a cache line, which no object shares.
pub const HEAD: usize = 64;

/// Words of memory that is free, or of a slab's head.
pub trait Words {
    /// Reads the word that was written last.
    fn read(&self, address: u64) -> u64;
    /// Writes a word.
    fn write(&self, address: u64, word: u64);
}

/// Where the words of a head are. There is no page and no object at address 0: it stands for none.
mod field {
    pub const HOME: u64 = 0;
    /// The object that was freed last, which has the one before in its first word.
    pub const FREE: u64 = 8;
    /// The first object that nobody has had yet.
    pub const FRESH: u64 = 16;
    pub const USED: u64 = 24;
    /// Neighbours in the list of slabs of which some objects are free and some are not.
    pub const NEXT: u64 = 32;
    pub const BEFORE: u64 = 40;
}

/// Whose an object is when it is free, and of which class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Home {
    /// The CPU of its slab.
    pub owner: CpuId,
    /// Its class, and that of all objects of the slab.
    pub class: usize,
}

impl Home {
    /// The home of an object that is in use, or was freed and is not home yet.
    #[inline]
    pub fn of(words: &impl Words, object: u64) -> Self {
        let word = words.read(slab_of(object) + field::HOME);
        let (owner, class) = (word as u32 as usize, (word >> 32) as usize);
        assert!(class < CLASSES, "a block that is of no slab was freed");
        Self { owner: CpuId::at(owner), class }
    }
}

#[inline]
fn slab_of(object: u64) -> u64 {
    object & !(PAGE as u64 - 1)
}

/// One CPU's slabs of a class.
#[derive(Debug)]
pub struct Slabs {
    class: usize,
    partial: u64,
    spare: u64,
}

impl Slabs {
    /// No slab of each class.
    pub const fn of_all_classes() -> [Self; CLASSES] {
        let mut all = [const { Self { class: 0, partial: 0, spare: 0 } }; CLASSES];
        let mut class = 0;
        while class < CLASSES {
            all[class].class = class;
            class += 1;
        }
        all
    }

    /// Makes a slab of a page that is this CPU's alone, and as good as its objects' alignment.
    pub fn adopt(&mut self, words: &impl Words, page: u64, owner: CpuId) {
        words.write(page + field::HOME, owner.index() as u64 | (self.class as u64) << 32);
        words.write(page + field::FREE, 0);
        words.write(page + field::FRESH, page + first_of(self.class) as u64);
        words.write(page + field::USED, 0);
        self.link(words, page);
    }

    /// Takes an object: of the slab that was touched last.
    pub fn take(&mut self, words: &impl Words) -> Option<u64> {
        if self.partial == 0 {
            if self.spare == 0 {
                return None;
            }
            self.link(words, self.spare);
            self.spare = 0;
        }
        let page = self.partial;
        let mut object = words.read(page + field::FREE);
        if object == 0 {
            object = words.read(page + field::FRESH);
            words.write(page + field::FRESH, object + size_of_class(self.class) as u64);
        } else {
            words.write(page + field::FREE, words.read(object));
        }
        let used = words.read(page + field::USED) + 1;
        words.write(page + field::USED, used);
        if used == per_slab(self.class) as u64 {
            self.unlink(words, page);
        }
        Some(object)
    }

    /// Puts back an object that [`take`](Self::take) gave. Returns the page of a slab that is not needed any more: one without
    /// an object in use is kept, further ones are not.
    #[must_use = "a page that is no slab any more is the caller's"]
    pub fn put(&mut self, words: &impl Words, object: u64) -> Option<u64> {
        let page = slab_of(object);
        words.write(object, words.read(page + field::FREE));
        words.write(page + field::FREE, object);
        let used = words.read(page + field::USED);
        words.write(page + field::USED, used - 1);
        if used == per_slab(self.class) as u64 {
            self.link(words, page);
        }
        if used > 1 {
            return None;
        }
        self.unlink(words, page);
        if self.spare == 0 {
            self.spare = page;
            return None;
        }
        Some(page)
    }

    /// Makes a page the first of the list.
    fn link(&mut self, words: &impl Words, page: u64) {
        let next = core::mem::replace(&mut self.partial, page);
        words.write(page + field::NEXT, next);
        words.write(page + field::BEFORE, 0);
        if next != 0 {
            words.write(next + field::BEFORE, page);
        }
    }

    fn unlink(&mut self, words: &impl Words, page: u64) {
        let (next, before) = (words.read(page + field::NEXT), words.read(page + field::BEFORE));
        if next != 0 {
            words.write(next + field::BEFORE, before);
        }
        if before == 0 {
            self.partial = next;
        } else {
            words.write(before + field::NEXT, next);
        }
    }
}
