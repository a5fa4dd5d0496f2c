//! Per-CPU cells: what the owner alone touches, and what it lets the others read.

// A counter is no part of a protocol, so no model need try its orders: it is in the real atomics always.
use core::sync::atomic::{AtomicU64, Ordering};

use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert_eq};

use crate::sync::UnsafeCell;
use crate::{CpuId, Crit, Here};

/// A value that one CPU owns: touched by that CPU alone, inside a critical section.
///
/// [`Own::with`] lends it. A call that is made while it is lent must not lend it again; a debug build
/// panics when one does, a release build adds no instruction.
#[derive(Debug)]
pub struct Own<T> {
    value: UnsafeCell<T>,
    #[cfg(debug_assertions)]
    lent: core::cell::Cell<bool>,
}

// SAFETY: 1. `Own::new` has the word of its caller that only one CPU lends the value, one critical section
// at a time; 2. the value may be made on another CPU, hence `T: Send`.
unsafe impl<T: Send> Sync for Own<T> {}

assert_impl_all!(Own<core::cell::Cell<u8>>: Send, Sync);
assert_not_impl_any!(Own<*mut u8>: Send, Sync);

impl<T> Own<T> {
    crate::maybe_const! {
        /// Makes a cell.
        ///
        /// # Safety
        /// 1. All calls of [`Own::with`] are made by one CPU: the cell is reached through the block of that CPU.
        /// 2. No closure that is given to `with` calls `with` of the same cell, also not through a message that it serves.
        pub unsafe fn new(value: T) -> Own<T> {
            Own {
                value: UnsafeCell::new(value),
                #[cfg(debug_assertions)]
                lent: core::cell::Cell::new(false),
            }
        }
    }

    /// Where the value is in its cell, for what reaches a part of it in one instruction.
    #[cfg(not(feature = "loom"))]
    pub const VALUE: usize = core::mem::offset_of!(Self, value);

    /// Lends the value to `f`.
    #[inline(always)]
    pub fn with<R>(&self, _crit: &Crit, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(debug_assertions)]
        let _lent = Lent::take(&self.lent);
        self.value.with_mut(|value| {
            // SAFETY: 1. only this CPU lends the value (`Own::new`, 1); 2. inside a critical section nothing else of
            // this CPU runs (`Crit::assume`); 3. it is not lent already (`Own::new`, 2; checked in debug builds).
            f(unsafe { &mut *value })
        })
    }
}

/// The mark of a debug build that a value is lent.
#[cfg(debug_assertions)]
struct Lent<'a>(&'a core::cell::Cell<bool>);

#[cfg(debug_assertions)]
impl<'a> Lent<'a> {
    #[track_caller]
    fn take(lent: &'a core::cell::Cell<bool>) -> Lent<'a> {
        assert!(!lent.replace(true), "a per-CPU cell is lent already: nested Own::with");
        Lent(lent)
    }
}

#[cfg(debug_assertions)]
impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A number that its CPU counts up and every CPU may read: no locked instruction on either side.
///
/// Counted by a CPU that does not own it, it loses counts and does no other harm.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Makes a counter at zero.
    pub const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Adds `count`. Own CPU only.
    #[inline(always)]
    pub fn add(&self, _crit: &Crit, count: u64) {
        // Relaxed: the owner is the only writer, and readers take the number for itself alone.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Reads the number; from another CPU it may be a moment old.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One `T` for each of `N` CPUs, each on cache lines of its own.
///
/// The parts of `T` say who may touch them: an [`Own`] its CPU, a [`Counter`] or an atomic everybody.
#[derive(Debug)]
pub struct PerCpu<T, const N: usize> {
    blocks: [Block<T>; N],
}

/// The part of a [`PerCpu`] that is one CPU's; 128 bytes apart, as CPUs fetch lines in pairs.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Block<T>(T);

const_assert_eq!(size_of::<[Block<u8>; 2]>(), 2 * 128);

impl<T> Block<T> {
    /// Makes a block.
    pub const fn new(value: T) -> Block<T> {
        Block(value)
    }
}

impl<T, const N: usize> PerCpu<T, N> {
    /// Makes it of its blocks: `PerCpu::new([const { Block::new(..) }; N])`.
    pub const fn new(blocks: [Block<T>; N]) -> PerCpu<T, N> {
        PerCpu { blocks }
    }

    /// Makes each block with `make`.
    pub fn from_fn(mut make: impl FnMut(CpuId) -> T) -> PerCpu<T, N> {
        PerCpu { blocks: core::array::from_fn(|cpu| Block(make(CpuId::at(cpu)))) }
    }

    /// Returns the block of this CPU.
    #[inline(always)]
    pub fn here<H: Here>(&self, crit: &Crit) -> &T {
        self.on(H::here(crit))
    }

    /// Returns the block of a CPU.
    ///
    /// # Panics
    /// If the CPU is not below `N`.
    #[inline(always)]
    pub fn on(&self, cpu: CpuId) -> &T {
        &self.blocks[cpu.index()].0
    }
}
