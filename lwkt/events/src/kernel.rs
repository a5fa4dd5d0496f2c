//! What wait queues and callouts ask of the kernel beyond [`Exec`]: a static cut, no `dyn`.

use lwkt_sched::Exec;
use percpu::Crit;

use crate::{Callouts, Waiters};

/// Who asks for the lists of a CPU: this crate alone. Nobody else could keep them whole: nodes on stacks are linked there.
#[derive(Debug)]
pub struct Key(pub(crate) ());

/// The kernel under wait queues and callouts. One type without values implements it; others do in tests.
///
/// # Safety
/// Implementations keep what each function says; that nodes on stacks and callouts are touched by one CPU alone is built on
/// it. A thread that is on the list of a queue ([`Waiters::has`]) is on the CPU of that list: nobody moves it meanwhile.
#[allow(unsafe_code)]
pub unsafe trait Events: Exec {
    /// Lends the waiting threads of this CPU: always the same ones, and no other CPU's. `f` lends nothing again.
    fn waiters<R>(crit: &Crit, key: Key, f: impl FnOnce(&mut Waiters) -> R) -> R;

    /// Lends the callouts of this CPU, in the same way.
    fn callouts<R>(crit: &Crit, key: Key, f: impl FnOnce(&mut Callouts) -> R) -> R;

    /// Has this CPU call [`fire`](crate::fire) once, at that moment or soon after, and at no other: `None`, never.
    fn set_deadline(crit: &Crit, deadline: Option<u64>);

    /// Has this CPU's callout thread begin, which has not yet come to [`serve_one`](crate::serve_one): there is work for it.
    fn start_thread(crit: &Crit) {
        let _ = crit;
    }

    /// Whether this drain, which would wait for the handler, is to return although it runs: a bug on purpose, for tests that must see it.
    #[inline(always)]
    fn drains_early() -> bool {
        false
    }
}
