//! Sets of CPUs.

use crate::sync::{AtomicU64, Ordering};
use crate::{CpuId, MAX_CPUS};

const BITS: usize = u64::BITS as usize;
const WORDS: usize = MAX_CPUS / BITS;

/// A set of CPUs: one bit for each that there can be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CpuSet {
    words: [u64; WORDS],
}

impl CpuSet {
    /// The set of no CPU.
    pub const EMPTY: CpuSet = CpuSet { words: [0; WORDS] };

    /// The set of this one CPU.
    pub const fn one(cpu: CpuId) -> CpuSet {
        let mut set = CpuSet::EMPTY;
        set.words[cpu.index() / BITS] = 1 << (cpu.index() % BITS);
        set
    }

    /// The set of CPUs 0 up to, but without, `count`.
    ///
    /// # Panics
    /// If `count` is above [`MAX_CPUS`].
    pub const fn first_n(count: usize) -> CpuSet {
        assert!(count <= MAX_CPUS, "no such CPU");
        let mut set = CpuSet::EMPTY;
        let mut word = 0;
        while word < WORDS {
            let below = count.saturating_sub(word * BITS);
            set.words[word] = if below >= BITS { u64::MAX } else { (1 << below) - 1 };
            word += 1;
        }
        set
    }

    /// Adds a CPU; returns whether it was new.
    #[inline]
    pub const fn insert(&mut self, cpu: CpuId) -> bool {
        let (word, bit) = place(cpu);
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        new
    }

    /// Takes a CPU out; returns whether it was in.
    #[inline]
    pub const fn remove(&mut self, cpu: CpuId) -> bool {
        let (word, bit) = place(cpu);
        let old = self.words[word] & bit != 0;
        self.words[word] &= !bit;
        old
    }

    /// Returns whether the CPU is in.
    #[inline]
    pub const fn contains(&self, cpu: CpuId) -> bool {
        let (word, bit) = place(cpu);
        self.words[word] & bit != 0
    }

    /// Returns whether no CPU is in.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Not by a comparison of arrays, which is a call.
        self.words.iter().fold(0, |all, word| all | word) == 0
    }

    /// Returns how many CPUs are in.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns the lowest CPU that is in.
    #[inline]
    pub fn first(&self) -> Option<CpuId> {
        self.iter().next()
    }

    /// Returns the CPUs that are in both.
    #[must_use]
    pub fn and(mut self, other: &CpuSet) -> CpuSet {
        self.words.iter_mut().zip(other.words).for_each(|(word, and)| *word &= and);
        self
    }

    /// Returns the CPUs that are in either.
    #[must_use]
    pub fn or(mut self, other: &CpuSet) -> CpuSet {
        self.words.iter_mut().zip(other.words).for_each(|(word, or)| *word |= or);
        self
    }

    /// Returns the CPUs that are in this set and not in the other.
    #[must_use]
    pub fn minus(mut self, other: &CpuSet) -> CpuSet {
        self.words.iter_mut().zip(other.words).for_each(|(word, minus)| *word &= !minus);
        self
    }

    /// Returns the first that `f` returns, of the CPUs in rising order: for loops in which an [`Iter`] is too much.
    #[inline(always)]
    pub fn find_map<R>(&self, f: impl Fn(CpuId) -> Option<R>) -> Option<R> {
        for (word, bits) in self.words.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let cpu = CpuId::at(word * BITS + bits.trailing_zeros() as usize);
                if let Some(found) = f(cpu) {
                    return Some(found);
                }
                bits &= bits - 1;
            }
        }
        None
    }

    /// Goes through the CPUs in rising order.
    #[inline]
    pub fn iter(&self) -> Iter {
        self.starting_at(CpuId::BOOT)
    }

    /// Goes through the CPUs in rising order from `start`, then through those below it.
    ///
    /// A CPU that sends to a set starts at its own number, so that low numbers are not served first by all.
    #[inline]
    pub fn starting_at(&self, start: CpuId) -> Iter {
        let (word, bit) = place(start);
        Iter {
            words: self.words,
            bits: self.words[word] & !(bit - 1),
            wrapped: self.words[word] & (bit - 1),
            word,
            left: WORDS,
        }
    }

    /// The set as one word, bit n for CPU n, if all its CPUs are below `limit` and `also` is below 64: for loops in which an
    /// [`Iter`] is too much. `limit` is at most 64.
    #[inline(always)]
    pub fn as_word_below(&self, limit: usize, also: CpuId) -> Option<u64> {
        let above = if limit < BITS { self.words[0] >> limit } else { 0 };
        let further = self.words[1..].iter().fold(above, |all, word| all | word);
        (further | (also.index() / BITS) as u64 == 0).then_some(self.words[0])
    }
}

const fn place(cpu: CpuId) -> (usize, u64) {
    (cpu.index() / BITS % WORDS, 1 << (cpu.index() % BITS))
}

impl FromIterator<CpuId> for CpuSet {
    fn from_iter<I: IntoIterator<Item = CpuId>>(cpus: I) -> CpuSet {
        let mut set = CpuSet::EMPTY;
        cpus.into_iter().for_each(|cpu| {
            set.insert(cpu);
        });
        set
    }
}

impl IntoIterator for &CpuSet {
    type Item = CpuId;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

impl core::fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.iter().map(CpuId::index)).finish()
    }
}

/// The CPUs of a set, each once; see [`CpuSet::starting_at`].
#[derive(Clone, Debug)]
pub struct Iter {
    words: [u64; WORDS],
    /// What is still to come of the word that it is at.
    bits: u64,
    /// The part of the first word that is below the start: it comes last.
    wrapped: u64,
    word: usize,
    /// How many steps to another word are left; the last is to `wrapped`.
    left: usize,
}

impl Iterator for Iter {
    type Item = CpuId;

    #[inline]
    fn next(&mut self) -> Option<CpuId> {
        while self.bits == 0 {
            self.left = self.left.checked_sub(1)?;
            self.word = (self.word + 1) % WORDS;
            self.bits = if self.left == 0 { self.wrapped } else { self.words[self.word] };
        }
        let bit = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        CpuId::new(self.word * BITS + bit)
    }
}

/// A set that any CPU may change, one CPU at a time; each change is a locked instruction.
#[derive(Debug)]
pub struct AtomicCpuSet {
    words: [AtomicU64; WORDS],
}

impl Default for AtomicCpuSet {
    fn default() -> AtomicCpuSet {
        AtomicCpuSet::new()
    }
}

impl AtomicCpuSet {
    crate::maybe_const! {
        /// Makes the empty set.
        pub fn new() -> AtomicCpuSet {
            AtomicCpuSet { words: crate::array_of![AtomicU64::new(0); WORDS] }
        }
    }

    /// Adds a CPU; returns whether it was new. What was written before is seen by who sees the CPU in the set.
    pub fn insert(&self, cpu: CpuId) -> bool {
        let (word, bit) = place(cpu);
        // Pairs with: `load` and `remove`, acquire.
        self.words[word].fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Takes a CPU out; returns whether it was in. What was written before is seen by who sees it gone.
    pub fn remove(&self, cpu: CpuId) -> bool {
        let (word, bit) = place(cpu);
        // Pairs with: `load` and `insert`, acquire.
        self.words[word].fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }

    /// Returns whether the CPU is in.
    pub fn contains(&self, cpu: CpuId) -> bool {
        let (word, bit) = place(cpu);
        // Pairs with: `insert` and `remove`, release.
        self.words[word].load(Ordering::Acquire) & bit != 0
    }

    /// Returns the CPUs below 64, bit n for CPU n.
    #[inline(always)]
    pub fn word(&self) -> u64 {
        // Pairs with: `insert` and `remove`, release.
        self.words[0].load(Ordering::Acquire)
    }

    /// Returns the first other CPU of the set from this one upwards, and after the highest from the lowest; each word is of one
    /// instant, as in [`load`](Self::load).
    #[inline]
    pub fn next_after(&self, cpu: CpuId) -> Option<CpuId> {
        let (first, bit) = place(cpu);
        // Pairs with: `insert` and `remove`, release.
        let load = |word: usize| self.words[word].load(Ordering::Acquire);
        let lowest = |word: usize, bits: u64| {
            let lowest = || CpuId::at(word * BITS + bits.trailing_zeros() as usize);
            (bits != 0).then(lowest)
        };
        let own = load(first);
        // Bits above the CPU's, then whole words, then bits below.
        lowest(first, own & !(bit | (bit - 1)))
            .or_else(|| {
                let others = (1..WORDS).map(|step| (first + step) % WORDS);
                others.map(|word| (word, load(word))).find_map(|(word, bits)| lowest(word, bits))
            })
            .or_else(|| lowest(first, own & (bit - 1)))
    }

    /// Returns where something goes next that visits the CPUs of the set one after the other, in the order of their numbers, beginning
    /// after `origin`'s, and is at `here`; none when it has come around.
    #[inline]
    pub fn next_on_round(&self, origin: CpuId, here: CpuId) -> Option<CpuId> {
        let so_far = |cpu: CpuId| (cpu.index() + MAX_CPUS - origin.index()) % MAX_CPUS;
        self.next_after(here).filter(|next| so_far(*next) > so_far(here))
    }

    /// Returns the set; each word of it is of one instant, the words together need not be.
    pub fn load(&self) -> CpuSet {
        // Pairs with: `insert` and `remove`, release.
        CpuSet { words: core::array::from_fn(|word| self.words[word].load(Ordering::Acquire)) }
    }
}
