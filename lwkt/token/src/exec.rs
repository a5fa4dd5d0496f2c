//! What tokens and spin locks ask of the kernel: a static cut, no `dyn`.

use core::panic::Location;

use percpu::{CpuId, Crit};

use crate::Held;

/// The kernel under the tokens. One type without values implements it; others do in tests.
///
/// The number of tokens of the running thread is in the low eight bits of a word that its CPU's switch tests ([`word`]):
/// whoever arrives next finds it, lets the tokens of the thread that was left go ([`Held::park`]), and has that thread
/// take them again ([`take_again`](crate::take_again)) before it goes on.
///
/// [`word`]: Exec::word
///
/// # Safety
/// Implementations keep what each function says; that tokens exclude rests on it.
#[allow(unsafe_code)]
pub unsafe trait Exec: Sized + 'static {
    /// The bytes of a thread's memory before its list: the memory's address stands for the thread.
    const AHEAD: usize = 0;

    /// The list of the running thread, which no other has.
    fn me() -> &'static Held;

    /// The word that the switch tests: the number of tokens of the running thread, and above it whatever else is rare.
    fn word() -> usize;

    /// Whether that word is `word`.
    fn word_is(word: usize) -> bool {
        Self::word() == word
    }

    /// One token more.
    fn took();

    /// One token less.
    fn gave();

    /// The running thread has let go its tokens, and waits for more: until [`taken_again`](Exec::taken_again).
    fn let_go(crit: &Crit);

    /// The running thread holds so many tokens, and all that it has to.
    fn taken_again(crit: &Crit, held: usize);

    /// Runs `f` in a critical section of this CPU. Sections nest.
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        // SAFETY: ended below, after the last use of the proof.
        let crit = unsafe { Self::enter() };
        let result = f(&crit);
        // SAFETY: begun above.
        unsafe { Self::leave() };
        result
    }

    /// One step of a wait, in a critical section: tells the CPU so, and serves its messages if this section is the only one.
    fn relax(crit: &Crit);

    /// Lets others of this CPU run, in the only critical section of a thread that holds no token.
    /// Panics if it is not the only one.
    fn step_aside(crit: &Crit);

    /// Whether a thread that has taken its tokens again loses one of them now: a bug on purpose, asked with feature `plants` only.
    fn loses_token() -> bool {
        false
    }

    /// Begins a critical section.
    ///
    /// # Safety
    /// The caller ends it, on this CPU, after the last use of the proof.
    unsafe fn enter() -> Crit;

    /// Ends a critical section.
    ///
    /// # Safety
    /// The caller has begun it and does not use the proof any more.
    unsafe fn leave();

    /// The CPU that this is.
    fn here(crit: &Crit) -> CpuId;

    /// The ranks of the spin locks that this CPU has, a bit for each. Kept in debug builds only.
    fn ranks(crit: &Crit) -> u32;

    /// Sets the ranks of the spin locks that this CPU has.
    fn set_ranks(crit: &Crit, ranks: u32);

    /// Notes where the spin lock of this rank was taken that this CPU has. In debug builds only.
    fn set_place(_: &Crit, _rank: u32, _place: &'static Location<'static>) {}
}
