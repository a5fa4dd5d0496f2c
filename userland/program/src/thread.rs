//! Threads.

use crate::call;
use core::mem::{ManuallyDrop, MaybeUninit, offset_of};
use core::ptr::null_mut;
use static_assertions::{assert_impl_all, assert_not_impl_any};
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
        if const { Word::fits::<F>() && Word::fits::<T>() } {
            let options = Options { run: Run::AtOnce, ..self.0 };
            let function = run_word::<F, T> as *const () as u64;
            let word = Word::pack(closure);
            // SAFETY: the function takes the closure as its argument.
            let thread = unsafe { call::thread_create(function, word, options.word()) };
            if thread == 0 {
                // SAFETY: packed above, and no thread took it.
                drop(unsafe { Word::unpack::<F>(word) });
            }
            return Ok(JoinHandle { block: block(thread)?, result: null_mut() });
        }
        // SAFETY: held, it runs nothing before it is launched.
        let thread = unsafe { call::thread_create(0, 0, self.0.word()) };
        let block = block(thread)?;
        let (bottom, length) = Carrier::stack_of(block);
        let size = size_of::<Packet<F, T>>();
        let at = (bottom + length - RETURN - size) & !(align_of::<Packet<F, T>>() - 1);
        assert!(size < length / 2, "a closure does not fit its thread's stack");
        let packet = at as *mut Packet<F, T>;
        // SAFETY: the top of a stack that nobody uses yet, aligned.
        unsafe {
            packet.write(Packet {
                run: run::<F, T>,
                closure: MaybeUninit::new(closure),
                result: MaybeUninit::uninit(),
            })
        };
        // SAFETY: the packet is what the function takes.
        unsafe {
            call::thread_launch(
                thread,
                uarch::entry::below_argument as *const () as u64,
                packet as u64,
            )
        };
        Ok(JoinHandle {
            block,
            result: packet.wrapping_byte_add(offset_of!(Packet<F, T>, result)).cast(),
        })
    }
}

/// The thread whose block is at `address`; 0 is none.
fn block(address: u64) -> Result<&'static Tcb, NoThread> {
    // SAFETY: null, or a thread's block, which is never unmapped.
    unsafe { (address as *const Tcb).as_ref() }.ok_or(NoThread)
}

/// What fits a register travels in it.
struct Word;

impl Word {
    const fn fits<T>() -> bool {
        size_of::<T>() <= size_of::<u64>() && align_of::<T>() <= align_of::<u64>()
    }

    #[inline(always)]
    fn pack<T>(value: T) -> u64 {
        let mut word = 0u64;
        // SAFETY: the value fits (checked by who calls) and is moved.
        unsafe { (&raw mut word).cast::<T>().write(value) };
        word
    }

    /// # Safety
    /// `word` was made by [`Word::pack`] of a `T`, and is unpacked once.
    #[inline(always)]
    unsafe fn unpack<T>(word: u64) -> T {
        // SAFETY: the caller's promise.
        unsafe { (&raw const word).cast::<T>().read() }
    }
}

extern "C" fn run_word<F: FnOnce() -> T, T>(word: u64) -> u64 {
    // SAFETY: `spawn` packed the closure for this thread.
    let closure: F = unsafe { Word::unpack(word) };
    Word::pack(closure())
}

/// # Safety
/// `packet` holds a closure; called once, on its thread.
unsafe extern "C" fn run<F: FnOnce() -> T, T>(packet: *mut Packet<F, T>) -> u64 {
    // SAFETY: the packet is this thread's until its end; the joiner reads the result afterwards.
    let packet = unsafe { &mut *packet };
    // SAFETY: written by `spawn`, read once.
    let closure = unsafe { packet.closure.assume_init_read() };
    packet.result.write(closure());
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
    /// Where on the thread's stack the result will be; null when it is the thread's value itself.
    result: *mut T,
}

// SAFETY: a join goes to the thread's home, wherever it is asked for; the result is `Send`.
unsafe impl<T: Send> Send for JoinHandle<T> {}

assert_impl_all!(JoinHandle<u8>: Send);
assert_not_impl_any!(JoinHandle<*mut u8>: Send, Sync);

impl<T> JoinHandle<T> {
    /// Waits for the thread's end; its result.
    #[must_use]
    pub fn join(self) -> T {
        let this = ManuallyDrop::new(self);
        let thread = &raw const *this.block as u64;
        if this.result.is_null() {
            // SAFETY: a thread that was not joined.
            let value = unsafe { call::thread_join(thread, 0) };
            // SAFETY: `run_word` packed it.
            return unsafe { Word::unpack(value) };
        }
        // SAFETY: a thread that was not joined; its stack is kept.
        unsafe { call::thread_join(thread, 1) };
        // SAFETY: the thread has ended and left its result, which is read once.
        let result = unsafe { this.result.read() };
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

    /// Code of the error that its last failed message met; 0 when none ever failed.
    #[must_use]
    pub fn errno(self) -> i64 {
        self.0.errno.get()
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
    let this = &raw const *current().0 as u64;
    // SAFETY: the calling thread is of this carrier.
    unsafe { call::thread_priority(this, u64::from(priority)) };
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
