//! What the crates above ask of the kernel that carries out decisions: a static cut, no `dyn`.

use percpu::{CpuId, Crit};

use crate::{MayBlock, ThreadRef, Why};

/// The kernel under ports, wait queues and callouts. One type without values implements it; another does in tests.
///
/// # Safety
/// Implementations keep what each function says; the ownership of messages and what waits is built on it.
#[allow(unsafe_code)]
pub unsafe trait Exec: Sized + 'static {
    /// Runs `f` in a critical section of this CPU. Sections nest.
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R;

    /// The CPU that this is.
    fn here(crit: &Crit) -> CpuId;

    /// The thread that runs, or was interrupted.
    fn current(crit: &Crit) -> ThreadRef;

    /// Has CPU `to`, which is another one, call `func` with `args` in a critical section: once, later, and in the
    /// order of the calls from this CPU. All that this CPU did before is seen there.
    fn call(crit: &Crit, to: CpuId, func: fn(&Crit, usize, usize, usize), args: [usize; 3]);

    /// Wakes `thread`, wherever its home is.
    fn wake(crit: &Crit, thread: ThreadRef);

    /// Blocks the running thread until a wake, which may be older than the call; other threads run meanwhile.
    /// Panics if `crit` is not the only critical section that the thread is in.
    fn block(crit: &Crit, cx: &mut MayBlock, why: Why);
}
