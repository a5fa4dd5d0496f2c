//! The seam to the model checkers: `core`'s atomics and cells, or loom's, or shuttle's.
//!
//! [`UnsafeCell`] has loom's shape everywhere: the pointer is lent to a closure, so that a
//! model sees where each access begins and ends. Constructors are `const` except under loom.

#[cfg(not(feature = "loom"))]
pub use core::cell::Cell;
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
pub use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(feature = "loom")]
pub use loom::{
    cell::{Cell, UnsafeCell},
    sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    },
};
#[cfg(all(feature = "shuttle", not(feature = "loom")))]
pub use shuttle::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// Makes a function `const`, but under loom, whose cells and atomics cannot be made in a constant.
#[cfg(not(feature = "loom"))]
#[macro_export]
macro_rules! maybe_const {
    ($(#[$meta:meta])* $vis:vis unsafe fn $($rest:tt)*) => { $(#[$meta])* $vis const unsafe fn $($rest)* };
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
}

/// Leaves a function as it is: loom's cells and atomics cannot be made in a constant.
#[cfg(feature = "loom")]
#[macro_export]
macro_rules! maybe_const {
    ($($function:tt)*) => { $($function)* };
}

/// Makes an array of equal elements, in a constant.
#[cfg(not(feature = "loom"))]
#[macro_export]
macro_rules! array_of {
    ($element:expr; $count:expr) => {
        [const { $element }; $count]
    };
}

/// Makes an array of equal elements.
#[cfg(feature = "loom")]
#[macro_export]
macro_rules! array_of {
    ($element:expr; $count:expr) => {
        ::core::array::from_fn(|_| $element)
    };
}

/// What a wait does between two looks.
pub mod hint {
    /// Tells the CPU that this is a wait; under a model, lets another thread run. A [`chaos_point`](crate::chaos_point) too.
    #[inline(always)]
    pub fn spin_loop() {
        #[cfg(not(any(feature = "loom", feature = "shuttle")))]
        {
            core::hint::spin_loop();
            crate::chaos_point();
        }
        #[cfg(feature = "loom")]
        loom::thread::yield_now();
        #[cfg(all(feature = "shuttle", not(feature = "loom")))]
        shuttle::thread::yield_now();
    }
}

/// `core`'s cell in loom's shape.
#[cfg(not(feature = "loom"))]
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

#[cfg(not(feature = "loom"))]
impl<T> UnsafeCell<T> {
    /// Makes a cell.
    pub const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(core::cell::UnsafeCell::new(value))
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

#[cfg(not(feature = "loom"))]
impl<T: ?Sized> UnsafeCell<T> {
    /// Lends a pointer to read through.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Lends a pointer to read and write through.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
