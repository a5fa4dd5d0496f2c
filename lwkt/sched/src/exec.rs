//! What the crates above ask of the kernel that carries out decisions: a static cut, no `dyn`.

use percpu::{CpuId, Crit};

use crate::{MayBlock, ThreadRef, Why};

/// A remote call: what [`Exec::call`] has another CPU execute.
pub type CallFn = fn(&Crit, usize, usize, usize);

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
    fn call(crit: &Crit, to: CpuId, func: CallFn, args: [usize; 3]);

    /// As [`call`](Exec::call) for each of `args`, one after the other, under as few doorbells as the machine can.
    fn call_burst(
        crit: &Crit,
        to: CpuId,
        func: CallFn,
        args: impl IntoIterator<Item = [usize; 3]>,
    ) {
        args.into_iter().for_each(|args| Self::call(crit, to, func, args));
    }

    /// Wakes `thread`, wherever its home is.
    fn wake(crit: &Crit, thread: ThreadRef);

    /// Blocks the running thread until a wake, which may be older than the call; other threads run meanwhile.
    /// Panics if `crit` is not the only critical section that the thread is in.
    fn block(crit: &Crit, cx: &mut MayBlock, why: Why);

    /// As [`block`](Exec::block), but not for longer than until `deadline`, as [`now`](Exec::now) counts.
    fn block_until(crit: &Crit, cx: &mut MayBlock, why: Why, deadline: u64);

    /// The time, in nanoseconds since boot.
    fn now() -> u64;

    /// A turn of a loop that waits for another CPU: pauses, and serves what is sent to this CPU.
    fn relax(crit: &Crit);
}
