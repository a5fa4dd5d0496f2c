//! Mutex, condition variable, semaphore: for the threads of all CPU processes. The module [`local`] has those for one.

use crate::call;
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// A counting semaphore for all threads of the process. It must not move while anybody waits.
#[derive(Debug)]
pub struct Semaphore(uthread::Semaphore);

// SAFETY: a shared semaphore is made for all carriers: atomics, and words that its home alone touches.
unsafe impl Sync for Semaphore {}
// SAFETY: nobody waits while it moves (it is borrowed by who waits).
unsafe impl Send for Semaphore {}

impl Semaphore {
    /// A semaphore with `units` free.
    #[must_use]
    pub const fn new(units: i64) -> Self {
        Self(uthread::Semaphore::shared(units))
    }

    /// Takes a unit, or waits for one.
    #[inline(always)]
    pub fn wait(&self) {
        // SAFETY: borrowed until the thread has its unit.
        unsafe { call::semaphore_wait(&raw const self.0 as u64) };
    }

    /// Gives a unit: the first waiter gets it.
    #[inline(always)]
    pub fn post(&self) {
        // SAFETY: borrowed until the unit is given.
        unsafe { call::semaphore_post(&raw const self.0 as u64) };
    }
}

/// A value that one thread at a time may use; first come, first served.
pub struct Mutex<T> {
    unit: Semaphore,
    value: UnsafeCell<T>,
}

// SAFETY: the unit lets one thread at a time at the value.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self { unit: Semaphore::new(1), value: UnsafeCell::new(value) }
    }

    /// Waits until the value is free.
    pub fn lock(&self) -> Guard<'_, T> {
        self.unit.wait();
        Guard(self)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

/// The right to a mutex's value.
#[derive(Debug)]
#[must_use]
pub struct Guard<'a, T>(&'a Mutex<T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the unit.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the unit.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.unit.post();
    }
}

/// A condition variable for all threads of the process.
#[derive(Debug)]
pub struct Condition(uthread::Condition);

// SAFETY: as `Semaphore`.
unsafe impl Sync for Condition {}
// SAFETY: as `Semaphore`.
unsafe impl Send for Condition {}

impl Condition {
    /// A condition that nobody waits for.
    #[must_use]
    pub const fn new() -> Self {
        Self(uthread::Condition::shared())
    }

    /// Gives the mutex back, waits to be notified, takes the mutex again. May wake without being notified.
    pub fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
        let mutex = guard.0;
        core::mem::forget(guard);
        // SAFETY: both borrowed until the thread runs again.
        unsafe { call::condition_wait(&raw const self.0 as u64, &raw const mutex.unit.0 as u64) };
        mutex.lock()
    }

    /// Wakes the first who waits.
    pub fn notify_one(&self) {
        // SAFETY: borrowed.
        unsafe { call::condition_signal(&raw const self.0 as u64) };
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        // SAFETY: borrowed.
        unsafe { call::condition_broadcast(&raw const self.0 as u64) };
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

/// For the threads of one CPU process: no locked instruction. The types stay where they were made.
pub mod local {
    use crate::call;
    use uthread::Tcb;

    /// A counting semaphore for the threads of this CPU process.
    #[derive(Debug)]
    pub struct Semaphore(uthread::Semaphore);

    static_assertions::assert_not_impl_any!(Semaphore: Send, Sync);

    impl Semaphore {
        /// A semaphore with `units` free.
        #[must_use]
        pub fn new(units: i64) -> Self {
            // SAFETY: no arguments.
            let block = unsafe { call::thread_current() } as *const Tcb;
            // SAFETY: the calling thread's block.
            Self(uthread::Semaphore::local(units, unsafe { &*block }.home()))
        }

        /// Takes a unit, or waits for one.
        #[inline(always)]
        pub fn wait(&self) {
            // SAFETY: borrowed until the thread has its unit.
            unsafe { call::semaphore_wait(&raw const self.0 as u64) };
        }

        /// Gives a unit: the first waiter gets it.
        #[inline(always)]
        pub fn post(&self) {
            // SAFETY: borrowed until the unit is given.
            unsafe { call::semaphore_post(&raw const self.0 as u64) };
        }
    }
}
