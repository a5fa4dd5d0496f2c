//! The proofs that code may wait, and that it may not.

use core::marker::PhantomData;
use core::ops::Deref;

use percpu::Crit;
use static_assertions::{assert_eq_size, assert_not_impl_any};

/// Proof that the code runs as a thread and may wait: outside critical sections, or in its outermost one.
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

/// Proof of a hard section: a critical section in which nothing may wait, for it runs in an interrupt's own time or must
/// come to its end as if it did. It is a [`Crit`], too.
///
/// Whoever makes a section of a thread's hard borrows the thread's [`MayBlock`] for it, so that the code inside has none:
///
/// ```compile_fail
/// # use lwkt_sched::{Hard, MayBlock};
/// # fn hard<R>(_: &mut MayBlock, f: impl FnOnce(&Hard) -> R) -> R { f(&unsafe { Hard::assume() }) }
/// fn wait(_: &mut MayBlock) {}
/// fn in_a_hard_section(cx: &mut MayBlock) {
///     hard(cx, |_| wait(cx));
/// }
/// ```
///
/// ```
/// # use lwkt_sched::{Hard, MayBlock};
/// # fn hard<R>(_: &mut MayBlock, f: impl FnOnce(&Hard) -> R) -> R { f(&unsafe { Hard::assume() }) }
/// fn wait(_: &mut MayBlock) {}
/// fn after_a_hard_section(cx: &mut MayBlock) {
///     hard(cx, |_| ());
///     wait(cx);
/// }
/// ```
#[derive(Debug)]
pub struct Hard(Crit);

assert_not_impl_any!(Hard: Send, Sync, Clone);
assert_eq_size!(Hard, ());

impl Hard {
    /// Takes the word of the caller that this is a hard section.
    ///
    /// # Safety
    /// 1. As [`Crit::assume`].
    /// 2. Until the value is dropped the CPU counts the section as hard, so that code which waits all the same is found.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub const unsafe fn assume() -> Self {
        // SAFETY: fact 1 of the caller.
        Self(unsafe { Crit::assume() })
    }
}

impl Deref for Hard {
    type Target = Crit;

    #[inline(always)]
    fn deref(&self) -> &Crit {
        &self.0
    }
}
