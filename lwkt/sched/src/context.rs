//! The proof that code may wait.

use core::marker::PhantomData;

use static_assertions::{assert_eq_size, assert_not_impl_any};

/// Proof that the code runs as a thread, outside every critical section, and so may wait.
///
/// A thread gets the only one of its own at its entry. What runs in somebody else's time (a message handler in
/// its caller, an interrupt, a call from another CPU) gets none, and as whatever waits asks for one, it cannot wait:
/// it does not compile. It stays with its thread:
///
/// ```compile_fail
/// fn elsewhere(cx: &mut lwkt_sched::MayBlock) {
///     std::thread::scope(|s| { s.spawn(|| { let _mine_now = cx; }); });
/// }
/// ```
#[derive(Debug)]
pub struct MayBlock {
    thread: PhantomData<*mut ()>,
}

assert_not_impl_any!(MayBlock: Send, Sync, Clone);
assert_eq_size!(MayBlock, ());

impl MayBlock {
    /// Takes the word of the caller that this is a thread's entry.
    ///
    /// # Safety
    /// 1. The code that gets it runs as a thread of the kernel, which can be switched away from.
    /// 2. There is no other one of this thread.
    #[allow(unsafe_code)]
    pub const unsafe fn assume() -> Self {
        Self { thread: PhantomData }
    }
}
