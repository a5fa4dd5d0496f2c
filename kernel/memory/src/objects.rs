//! One CPU's part of the heap of small objects: magazines before slabs.
//!
//! ```text
//!   pop  ◀─ magazine ◀─ half of one ─ own slabs ◀─ a page
//!   push ─▶ magazine ─ half of one, the oldest ─▶ own slabs ─ a page of which nothing is in use ─▶
//!                                              └▶ chains for the CPUs whose the rest is (`remote`) ─▶
//! ```
//! Law: what leaves is handed to the caller while these objects are lent to it: what it does with that must not ask for objects.

use crate::classes::CLASSES;
use crate::remote::Chain;
use crate::slab::{Home, Slabs, Words};
use crate::{Magazine, PAGE};
use arrayvec::ArrayVec;
use percpu::CpuId;

/// Objects of one class that a CPU keeps at hand.
const AT_HAND: usize = 32;
/// What leaves a magazine at once, at most: all of it, and the one that had no place.
type Batch = ArrayVec<u64, { AT_HAND + 1 }>;

/// What a CPU has no more use for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// Objects of another CPU.
    Chain(CpuId, Chain),
    /// A page.
    Page(u64),
}

/// Magazines and slabs of a CPU, of all classes.
#[derive(Debug)]
pub struct Objects {
    magazines: [Magazine<AT_HAND>; CLASSES],
    slabs: [Slabs; CLASSES],
    /// Objects taken from slabs less objects put back.
    out: usize,
}

impl Objects {
    /// Nothing at hand.
    pub const fn new() -> Self {
        Self {
            magazines: [const { Magazine::new() }; CLASSES],
            slabs: Slabs::of_all_classes(),
            out: 0,
        }
    }

    /// Takes the object that was freed last, if one is at hand.
    #[inline(always)]
    pub fn pop(&mut self, class: usize) -> Option<u64> {
        self.magazines[class].pop()
    }

    /// Takes an object of a slab, and has more of them at hand afterwards; `None` when all slabs are full: [`adopt`](Self::adopt)
    /// another page.
    pub fn refill(&mut self, words: &impl Words, class: usize) -> Option<u64> {
        let (magazine, slabs) = (&mut self.magazines[class], &mut self.slabs[class]);
        let object = slabs.take(words)?;
        self.out += 1;
        for _ in 1..magazine.wants() {
            let Some(more) = slabs.take(words) else { break };
            magazine.push(more).expect("a magazine takes what it wants");
            self.out += 1;
        }
        Some(object)
    }

    /// Makes a slab of a page that is this CPU's alone.
    pub fn adopt(&mut self, words: &impl Words, page: u64, me: CpuId, class: usize) {
        debug_assert!(page.is_multiple_of(PAGE as u64), "a slab is a whole page");
        self.slabs[class].adopt(words, page, me);
    }

    /// Frees an object, whoever's it is, or returns it when there is no place at hand: [`spill`](Self::spill) it.
    #[inline(always)]
    pub fn push(&mut self, class: usize, object: u64) -> Result<(), u64> {
        self.magazines[class].push(object)
    }

    /// Frees an object that there was no place for, and makes some.
    pub fn spill(
        &mut self,
        words: &impl Words,
        me: CpuId,
        class: usize,
        object: u64,
        leave: impl FnMut(Leaving),
    ) {
        let mut batch = Batch::new();
        let magazine = &mut self.magazines[class];
        magazine.spill(|object| batch.push(object));
        // One that spilled a batch has room; a closed one never has.
        if let Err(object) = magazine.push(object) {
            batch.push(object);
        }
        self.send_home(words, me, batch, leave);
    }

    /// Puts an object of this CPU that was freed elsewhere into its slab. Returns a page that is needed no more.
    #[inline(always)]
    pub fn settle(&mut self, words: &impl Words, object: u64) -> Option<u64> {
        self.out -= 1;
        self.slabs[Home::of(words, object).class].put(words, object)
    }

    /// Objects of these slabs that are in use, at hand on some CPU, or on their way home.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Has nothing at hand from now on: see [`Magazine`].
    pub fn close(&mut self, words: &impl Words, me: CpuId, mut leave: impl FnMut(Leaving)) {
        for class in 0..CLASSES {
            let mut batch = Batch::new();
            self.magazines[class].close(|object| batch.push(object));
            self.send_home(words, me, batch, &mut leave);
        }
    }

    /// Has things at hand again.
    pub fn open(&mut self) {
        self.magazines.iter_mut().for_each(Magazine::open);
    }

    fn send_home(
        &mut self,
        words: &impl Words,
        me: CpuId,
        mut batch: Batch,
        mut leave: impl FnMut(Leaving),
    ) {
        while let Some(object) = batch.pop() {
            let owner = Home::of(words, object).owner;
            if owner == me {
                if let Some(page) = self.settle(words, object) {
                    leave(Leaving::Page(page));
                }
                continue;
            }
            let mut chain = Chain::one(words, object);
            batch.retain(|other| {
                let goes_along = Home::of(words, *other).owner == owner;
                if goes_along {
                    chain = chain.and(words, *other);
                }
                !goes_along
            });
            leave(Leaving::Chain(owner, chain));
        }
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self::new()
    }
}
