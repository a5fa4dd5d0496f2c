//! Threads.

use crate::call;
use core::mem::{ManuallyDrop, MaybeUninit};
use uthread::{Carrier, Class, Options, Run, Tcb};

/// What a thread is to be, before it is spawned.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder(Options);

/// As the calling thread, on a stack of 16 KiB.
pub const fn builder() -> Builder {
    Builder(Options { run: Run::Held, ..Options::USUAL })
}

/// No stack for it, or no such CPU process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoThread;

/// Bytes at the very top of a stack that hold where the thread's function returns to.
const RETURN: usize = size_of::<usize>();

/// A closure on its way to its thread, then its result on its way back, at the top of the thread's stack.
#[repr(C, align(16))]
struct Packet<F, T> {
    run: unsafe extern "C" fn(*mut Packet<F, T>) -> u64,
    closure: MaybeUninit<F>,
    result: MaybeUninit<T>,
}

impl Builder {
    /// On a stack of one page.
    pub const fn small(self) -> Self {
        Self(Options { class: Class::Small, ..self.0 })
    }

    /// On a stack of 128 KiB.
    pub const fn large(self) -> Self {
        Self(Options { class: Class::Large, ..self.0 })
    }

    /// With a priority, 0 to 31, 31 the highest.
    pub const fn priority(self, priority: u8) -> Self {
        Self(Options { priority: Some(priority), ..self.0 })
    }

    /// On another CPU process.
    pub const fn on(self, index: u8) -> Self {
        Self(Options { home: Some(index), ..self.0 })
    }

    /// Starts a thread that runs `closure`.
    pub fn spawn<T, F>(self, closure: F) -> Result<JoinHandle<T>, NoThread>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: held, it runs nothing before it is launched.
        let thread = unsafe { call::thread_create(0, 0, self.0.word()) } as *const Tcb;
        // SAFETY: null, or the block of the new thread, which is never unmapped.
        let block: &'static Tcb = unsafe { thread.as_ref() }.ok_or(NoThread)?;
        let (bottom, length) = Carrier::stack_of(block);
        let size = size_of::<Packet<F, T>>();
        let at = (bottom + length - RETURN - size) & !(align_of::<Packet<F, T>>() - 1);
        assert!(size < length / 2, "a closure does not fit its thread's stack");
        let packet = at as *mut Packet<F, T>;
        // SAFETY: the top of a stack that nobody uses yet, aligned.
        unsafe { packet.write(Packet { run: run::<F, T>, closure: MaybeUninit::new(closure), result: MaybeUninit::uninit() }) };
        // SAFETY: the packet is what the function takes.
        unsafe { call::thread_launch(thread as u64, uarch::entry::below_argument as *const () as u64, packet as u64) };
        Ok(JoinHandle { block, packet: (&raw const *unpacked(packet)).cast::<MaybeUninit<T>>().cast_mut() })
    }
}

/// Place of the result in a packet.
fn unpacked<F, T>(packet: *mut Packet<F, T>) -> &'static MaybeUninit<T> {
    // SAFETY: the packet was written, and its stack is kept until the join.
    unsafe { &(*packet).result }
}

/// # Safety
/// `packet` holds a closure; called once, on its thread.
unsafe extern "C" fn run<F: FnOnce() -> T, T>(packet: *mut Packet<F, T>) -> u64 {
    // SAFETY: written by `spawn`, read once.
    let closure = unsafe { (&raw const (*packet).closure).cast::<F>().read() };
    let result = closure();
    // SAFETY: the joiner reads it after the end of this thread.
    unsafe { (&raw mut (*packet).result).cast::<T>().write(result) };
    0
}

/// Starts a thread that runs `closure`, as the calling thread, on a stack of 16 KiB.
pub fn spawn<T, F>(closure: F) -> Result<JoinHandle<T>, NoThread>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    builder().spawn(closure)
}

/// The right to a thread's result. Dropped, it lets the thread go.
#[derive(Debug)]
pub struct JoinHandle<T> {
    block: &'static Tcb,
    packet: *mut MaybeUninit<T>,
}

// SAFETY: a join goes to the thread's home, wherever it is asked for; the result is `Send`.
unsafe impl<T: Send> Send for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Waits for the thread's end; its result.
    #[must_use]
    pub fn join(self) -> T {
        let this = ManuallyDrop::new(self);
        let thread = &raw const *this.block as u64;
        // SAFETY: a thread that was not joined; its stack is kept.
        unsafe { call::thread_join(thread, 1) };
        // SAFETY: the thread has ended and left its result, which is read once.
        let result = unsafe { this.packet.cast::<T>().read() };
        // SAFETY: joined, and nothing on the stack is needed any more.
        unsafe { call::thread_release(thread) };
        result
    }

    /// The thread.
    #[must_use]
    pub fn thread(&self) -> Thread {
        Thread(self.block)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // SAFETY: a thread that was not joined. Its result, if it has one, is forgotten.
        unsafe { call::thread_detach(&raw const *self.block as u64) };
    }
}

/// A thread, alive or not.
#[derive(Clone, Copy, Debug)]
pub struct Thread(&'static Tcb);

impl Thread {
    /// Its priority.
    #[must_use]
    pub fn priority(self) -> u8 {
        self.0.priority()
    }
}

/// The calling thread.
#[must_use]
pub fn current() -> Thread {
    // SAFETY: no arguments.
    let block = unsafe { call::thread_current() } as *const Tcb;
    // SAFETY: blocks are never unmapped.
    Thread(unsafe { &*block })
}

/// Lets the next thread of the same priority run.
#[inline(always)]
pub fn yield_now() {
    // SAFETY: no arguments.
    unsafe { call::thread_yield() };
}

/// Sets the calling thread's priority, 0 to 31.
pub fn set_priority(priority: u8) {
    // SAFETY: the calling thread is of this carrier.
    unsafe { call::thread_priority(call::thread_current(), u64::from(priority)) };
}

/// Sleeps for so many nanoseconds.
pub fn sleep(nanoseconds: u64) {
    sleep_until(crate::process::clock().saturating_add(nanoseconds));
}

/// Sleeps until a time in nanoseconds since boot.
pub fn sleep_until(deadline: u64) {
    // SAFETY: a number.
    unsafe { call::thread_sleep(deadline) };
}
