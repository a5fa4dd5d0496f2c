//! Critical sections as a type.

use core::marker::PhantomData;

use static_assertions::{assert_eq_size, assert_not_impl_any};

use crate::CpuId;

/// Proof that the code runs inside a critical section of the CPU that it is on.
///
/// While one exists, but for a wait that its own code asks for (in the outermost section only), the thread stays on this CPU, no
/// other thread of this CPU runs, and interrupt handlers leave their work for the section's end. It has no size and costs nothing to pass;
/// it can neither be sent to nor shared with another CPU:
///
/// ```compile_fail
/// fn elsewhere(crit: &percpu::Crit) {
///     std::thread::scope(|s| { s.spawn(|| { let _still_here = crit; }); });
/// }
/// ```
#[derive(Debug)]
pub struct Crit {
    here: PhantomData<*mut ()>,
}

assert_not_impl_any!(Crit: Send, Sync, Clone);
assert_eq_size!(Crit, ());

impl Crit {
    /// Takes the word of the caller that this is a critical section.
    ///
    /// # Safety
    /// 1. Until the value is dropped this thread stays on this CPU and no other thread of this CPU runs.
    /// 2. Until then no interrupt handler of this CPU touches per-CPU data.
    #[inline(always)]
    pub const unsafe fn assume() -> Crit {
        Crit { here: PhantomData }
    }
}

impl Crit {
    /// The same proof, at an address that nobody has to keep: for a loop in which a register counts.
    #[inline(always)]
    pub const fn anew(&self) -> &Crit {
        // SAFETY: a value without size is read from any address that is aligned and not null; `self` is the proof.
        unsafe { core::ptr::NonNull::<Crit>::dangling().as_ref() }
    }
}

/// Tells which CPU this is.
///
/// # Safety
/// [`Here::here`] returns the number of the CPU that executes it, which no other CPU has.
pub unsafe trait Here {
    /// The CPU that the critical section is on.
    fn here(crit: &Crit) -> CpuId;
}
