//! Spin locks: for the few instructions that several CPUs, interrupts included, must not do at once.
//!
//! A spin lock is a critical section with an owner: its guard is the proof of the section ([`SpinGuard::crit`]), its word
//! the number of the CPU. So a CPU that wants a lock which it has says so, with file and line, and does not hang. Of any two
//! locks held at once the second has the higher rank; a debug build checks that, and that nobody switches with one held.
//!
//! Law 7 ("waits serve messages"): a wait serves this CPU's messages if the lock's critical section is the outermost one.
//! Otherwise a handler could want a lock or a per-CPU cell that the code around this one has in hand, so it only pauses.
//! Hence the other half of the law: who holds a spin lock waits for no other CPU, neither for an answer nor for room in a
//! ring; it sends after it has let go.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::Location;

use percpu::checks::Place;
use percpu::sync::{AtomicUsize, Ordering};
use percpu::{CpuId, Crit};

use crate::Exec;

/// How many ranks there are.
const RANKS: u32 = 32;

/// A value that one CPU at a time uses, in a critical section.
pub struct SpinLock<X: Exec, T> {
    /// 0, or one more than the number of the CPU that has it.
    owner: AtomicUsize,
    rank: u32,
    place: Place,
    value: UnsafeCell<T>,
    kernel: PhantomData<fn() -> X>,
}

// SAFETY: the value is lent to one CPU at a time, in a critical section of that.
#[allow(unsafe_code)]
unsafe impl<X: Exec, T: Send> Sync for SpinLock<X, T> {}

impl<X: Exec, T> SpinLock<X, T> {
    /// A lock that nobody has. Of locks that a CPU has at once, those taken later have the higher `rank` (below 32).
    pub const fn new(rank: u32, value: T) -> Self {
        assert!(rank < RANKS);
        Self {
            owner: AtomicUsize::new(0),
            rank,
            place: Place::new(),
            value: UnsafeCell::new(value),
            kernel: PhantomData,
        }
    }

    /// Takes the lock; waits while another CPU has it.
    ///
    /// # Panics
    /// If this CPU has it, with the caller's file and line. In a debug build also if this CPU has one whose rank is not lower.
    #[inline(always)]
    #[track_caller]
    pub fn lock(&self) -> SpinGuard<'_, X, T> {
        // SAFETY: the guard's drop leaves what is entered here, and the proof ends before.
        #[allow(unsafe_code)]
        let crit = unsafe { X::enter() };
        let me = X::here(&crit).index() + 1;
        if !self.try_free(me) {
            self.lock_slowly(&crit, me);
        }
        if cfg!(debug_assertions) {
            self.note(&crit);
        }
        SpinGuard { lock: self, crit }
    }

    #[inline(always)]
    fn try_free(&self, me: usize) -> bool {
        // Pairs with: `SpinGuard::drop`, release.
        self.owner.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn lock_slowly(&self, crit: &Crit, me: usize) {
        loop {
            match self.owner.load(Ordering::Relaxed) {
                0 if self.try_free(me) => return,
                owner if owner == me => self.own_deadlock(),
                _ => X::relax(crit),
            }
        }
    }

    #[cold]
    #[track_caller]
    fn own_deadlock(&self) -> ! {
        match self.owner() {
            Some((cpu, Some(place))) => {
                panic!(
                    "CPU {cpu} wants a spin lock that it has, and would wait for ever: taken at {place}"
                )
            }
            _ => panic!("this CPU wants a spin lock that it has, and would wait for ever"),
        }
    }

    /// Who has the lock at this moment, and where it was taken, if this build knows: for reports.
    pub fn owner(&self) -> Option<(CpuId, Option<&'static Location<'static>>)> {
        let cpu = self.owner.load(Ordering::Relaxed).checked_sub(1)?;
        Some((CpuId::new(cpu)?, self.place.get()))
    }

    #[track_caller]
    fn note(&self, crit: &Crit) {
        let held = X::ranks(crit);
        assert!(
            held >> self.rank == 0,
            "a spin lock of rank {} is taken with one of rank {} in hand",
            self.rank,
            31 - held.leading_zeros()
        );
        X::set_place(crit, self.rank, Location::caller());
        X::set_ranks(crit, held | 1 << self.rank);
        self.place.set(Location::caller());
    }
}

impl<X: Exec, T> fmt::Debug for SpinLock<X, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinLock").field("owner", &self.owner()).finish_non_exhaustive()
    }
}

/// A spin lock that this CPU has, and the critical section that goes with it. It stays on its CPU:
///
/// ```compile_fail,E0277
/// # use lwkt_token::{Exec, SpinLock};
/// fn elsewhere<X: Exec>(lock: &'static SpinLock<X, u32>) {
///     let held = lock.lock();
///     std::thread::scope(|s| { s.spawn(|| { let _mine_now = held; }); });
/// }
/// ```
#[must_use = "a lock that nobody keeps is let go at once"]
pub struct SpinGuard<'a, X: Exec, T> {
    lock: &'a SpinLock<X, T>,
    crit: Crit,
}

impl<X: Exec, T> SpinGuard<'_, X, T> {
    /// The proof of the critical section.
    #[inline(always)]
    pub fn crit(&self) -> &Crit {
        &self.crit
    }
}

impl<X: Exec, T> Deref for SpinGuard<'_, X, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this CPU alone has the lock, and nothing else of it runs; the guard is borrowed.
        #[allow(unsafe_code)]
        unsafe {
            &*self.lock.value.get()
        }
    }
}

impl<X: Exec, T> DerefMut for SpinGuard<'_, X, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed alone.
        #[allow(unsafe_code)]
        unsafe {
            &mut *self.lock.value.get()
        }
    }
}

impl<X: Exec, T> Drop for SpinGuard<'_, X, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            X::set_ranks(&self.crit, X::ranks(&self.crit) & !(1 << self.lock.rank));
        }
        // Pairs with: `SpinLock::try_free`, acquire.
        self.lock.owner.store(0, Ordering::Release);
        // SAFETY: `lock` entered; the proof is used no more.
        #[allow(unsafe_code)]
        unsafe {
            X::leave();
        }
    }
}
