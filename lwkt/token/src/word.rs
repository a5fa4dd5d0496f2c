//! The one word of a token, which all CPUs contend for.
//!
//! ```text
//!            0  free
//!    me >= BASE  held exclusively, by the thread whose memory is at that address
//!   2n          held shared, n times                     (n > 0, below BASE)
//!   2n + 1      the same, and an exclusive taker waits   (n may be 0: free, but for polite shared takers)
//! ```
//! | step | who lets go | who takes |
//! |---|---|---|
//! | 1 | writes what the token guards | reads the word: free, or fewer shared holders |
//! | 2 | stores 0, or takes 2 off; release | compares and exchanges; acquire |
//! | 3 | touches nothing of it any more | reads and writes what the token guards |
//!
//! Forbidden: that 3 of the taker misses 1 of the holder before, and that two hold the word who must not.

use percpu::sync::{AtomicUsize, Ordering};

/// An exclusive taker waits.
const REQUEST: usize = 1;
/// One shared hold.
const ONE: usize = 2;
/// Below it a word is a number, from it on an address: no thread lies in the first MiB.
const BASE: usize = 1 << 20;

/// How a shared taker treats exclusive ones that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It lets them go first: a thread that takes this one token, which so keeps nobody from another one. For a bounded
    /// number of rounds: who waits may be less than it, of its own CPU, and not run before it does.
    Polite,
    /// It does not: a thread in a web of tokens, of which two could wait for each other's requests, or one that has waited
    /// long.
    Pressing,
}

/// See the module head.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Word(AtomicUsize);

impl Word {
    percpu::maybe_const! {
        pub fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }

    fn exchange(&self, seen: usize, new: usize) -> bool {
        // Pairs with: `give` and `give_shared`, release.
        self.0.compare_exchange(seen, new, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes it exclusively if it is free and nobody waits: the common case.
    #[inline(always)]
    pub fn try_free(&self, me: usize) -> bool {
        debug_assert!(me >= BASE);
        // Pairs with: `give` and `give_shared`, release.
        self.0.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes it exclusively if nobody holds it; if it is shared, leaves a request.
    pub fn try_exclusive(&self, me: usize) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        if seen & !REQUEST == 0 {
            return self.exchange(seen, me);
        }
        if seen < BASE && seen & REQUEST == 0 {
            // If that fails, the word has changed, and the next try sees how.
            let _ = self.exchange(seen, seen | REQUEST);
        }
        false
    }

    /// Takes it shared if nobody holds it exclusively, and manners allow it.
    #[inline(always)]
    pub fn try_shared(&self, manners: Manners) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        let bars = if manners == Manners::Polite { REQUEST } else { 0 };
        seen < BASE && seen & bars == 0 && self.exchange(seen, seen + ONE)
    }

    /// Lets go what is held exclusively. A plain store: nobody else changes the word of one who holds it exclusively.
    #[inline(always)]
    pub fn give(&self) {
        // Pairs with: `try_free`, `try_exclusive`, `try_shared`, acquire.
        self.0.store(0, Ordering::Release);
    }

    /// Lets go one shared hold.
    #[inline(always)]
    pub fn give_shared(&self) {
        // Pairs with: `try_free`, `try_exclusive`, `try_shared`, acquire.
        let before = self.0.fetch_sub(ONE, Ordering::Release);
        debug_assert!(
            (ONE..BASE).contains(&before),
            "a token is let go that nobody holds shared: {before:#x}"
        );
    }

    /// Whether `me` holds it exclusively.
    pub fn is_of(&self, me: usize) -> bool {
        self.0.load(Ordering::Relaxed) == me
    }

    /// Whether it is worth a try: what a spin looks at, without taking the line from its owner.
    pub fn looks_free(&self, shared: bool, manners: Manners) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        match (shared, manners) {
            (false, _) => seen & !REQUEST == 0,
            (true, Manners::Polite) => seen < BASE && seen & REQUEST == 0,
            (true, Manners::Pressing) => seen < BASE,
        }
    }
}
