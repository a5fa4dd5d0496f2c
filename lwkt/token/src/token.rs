//! Tokens and what a thread has of them: guards.

use core::marker::PhantomData;
use core::ops::Deref;

use lwkt_sched::MayBlock;

use crate::held::{Kind, MAX};
use crate::wait::{LOOKS, take_again};
use crate::word::{Manners, Word};
use crate::{Exec, Held};

/// A value that threads use in turn, or share to read, as long as they run: see the head of this crate.
///
/// It stands still and lasts for ever, as lists of tokens point to it over waits of their threads. One that may go does not
/// compile:
///
/// ```compile_fail,E0597
/// # use lwkt_token::{Exec, Token};
/// fn brief<X: Exec>(cx: &mut lwkt_sched::MayBlock) {
///     let token = Token::<X>::new(());
///     let _held = token.lock(cx);
/// }
/// ```
#[repr(align(64))]
pub struct Token<X: Exec, T = ()> {
    word: Word,
    value: T,
    kernel: PhantomData<fn() -> X>,
}

// SAFETY: 1. `lock` lends the value to one thread at a time, shared (its guards give `&T` only, as a thread may hold a token
// several times), hence `Send`; 2. `share` lends it to several and asks for `Sync` itself.
#[allow(unsafe_code)]
unsafe impl<X: Exec, T: Send> Sync for Token<X, T> {}

/// Where a token can be taken: by a thread that may wait, or within a guard that it has taken before. As the outer guard is
/// borrowed for so long, tokens are let go in the reverse order; another one does not compile:
///
/// ```compile_fail,E0505
/// # use lwkt_token::{Exec, Token};
/// fn crossed<X: Exec>(cx: &mut lwkt_sched::MayBlock, a: &'static Token<X>, b: &'static Token<X>) {
///     let mut first = a.lock(cx);
///     let second = b.lock(&mut first);
///     drop(first);
///     drop(second);
/// }
/// ```
///
/// And who is in a place that must not wait has none. A handler in its caller, an interrupt:
///
/// ```compile_fail,E0061
/// # use lwkt_token::{Exec, Token};
/// fn handler<X: Exec>(_: &percpu::Crit, token: &'static Token<X>) {
///     let _held = token.lock();
/// }
/// ```
pub trait Outer {
    /// The thread's proof that it may wait.
    fn cx(&mut self) -> &mut MayBlock;
}

impl Outer for MayBlock {
    #[inline(always)]
    fn cx(&mut self) -> &mut MayBlock {
        self
    }
}

/// Of a token's number in the list: it is held once more, and letting go this time changes nothing.
const AGAIN: usize = 1 << 31;
/// The number of tokens in the word that the switch tests.
const NUMBER: usize = 0xff;

impl<X: Exec, T> Token<X, T> {
    percpu::maybe_const! {
        /// A token that nobody holds.
        pub fn new(value: T) -> Self {
            Self { word: Word::new(), value, kernel: PhantomData }
        }
    }

    /// Takes the token for this thread alone. May wait, and then lets go all tokens of the thread meanwhile; taking one once
    /// more that it holds does not.
    ///
    /// # Panics
    /// If the thread holds it shared (two that want to go from shared to exclusive would wait for each other), or holds
    /// 32 tokens. Both with the caller's file and line.
    #[inline(always)]
    #[track_caller]
    pub fn lock<'a, C: Outer + ?Sized>(&'static self, outer: &'a mut C) -> TokenGuard<'a, X, T, C> {
        let (me, mut below) = (X::me(), X::word());
        let free = is_new(me, below, &self.word) && {
            me.note(below, &self.word, Kind::Exclusive);
            self.word.try_free(id::<X>(me))
        };
        if free {
            X::took();
        } else {
            below = take_slowly::<X>(&self.word, Kind::Exclusive);
        }
        TokenGuard { token: self, below, outer, kernel: PhantomData }
    }

    /// Takes the token to read, together with others who do. Otherwise as [`lock`](Self::lock); of a thread that holds it
    /// exclusively, it is taken once more.
    ///
    /// A thread that holds nothing else lets those go first that wait for [`lock`](Self::lock), for some rounds of its wait.
    ///
    /// # Panics
    /// If the thread holds 32 tokens.
    #[inline(always)]
    #[track_caller]
    pub fn share<'a, C: Outer + ?Sized>(&'static self, outer: &'a mut C) -> SharedGuard<'a, X, T, C>
    where
        T: Sync,
    {
        let (me, mut below) = (X::me(), X::word());
        let free = is_new(me, below, &self.word) && {
            me.note(below, &self.word, Kind::Shared);
            self.word.try_shared(Manners::Polite)
        };
        if free {
            X::took();
        } else {
            below = take_slowly::<X>(&self.word, Kind::Shared);
        }
        SharedGuard { token: self, below, outer, kernel: PhantomData }
    }
}

/// Whether there is room in the list, and the token is not in it. Without the bug on purpose its word says the latter: a
/// token that is in the list but was lost looks free, and taken twice it could never be taken again.
#[inline(always)]
fn is_new(me: &Held, below: usize, word: &Word) -> bool {
    below < MAX && !(cfg!(feature = "plants") && me.find(below, word).is_some())
}

/// What stands for the running thread in words of tokens.
#[inline(always)]
fn id<X: Exec>(me: &Held) -> usize {
    core::ptr::from_ref(me).addr() - X::AHEAD
}

/// Takes a token that is not simply free, or that must not be taken. Returns what the guard keeps.
#[cold]
#[inline(never)]
#[track_caller]
fn take_slowly<X: Exec>(word: &'static Word, kind: Kind) -> usize {
    let (me, count) = (X::me(), X::word() & NUMBER);
    assert!(count < MAX, "a thread that holds {MAX} tokens wants another");
    match me.find(count, word) {
        Some((at, Kind::Shared)) if kind == Kind::Exclusive => exclusive_after_shared(me, at),
        Some(_) => {
            me.note(count, word, Kind::Again);
            X::took();
            return count | AGAIN;
        }
        None => me.note(count, word, kind),
    }
    X::crit(|crit| {
        for _ in 0..LOOKS {
            if me.take_last(count) {
                X::took();
                return;
            }
            X::relax(crit);
        }
        probe::wants(probe::low(core::ptr::from_ref(word).addr()));
        me.park(count);
        X::let_go(crit);
        X::step_aside(crit);
        take_again::<X>(crit, me, count + 1);
    });
    count
}

#[cold]
#[track_caller]
fn exclusive_after_shared(me: &Held, at: usize) -> ! {
    match me.place(at) {
        Some(place) => panic!("a token is wanted exclusively that is held shared since {place}"),
        None => panic!("a token is wanted exclusively that is held shared"),
    }
}

/// Whether a guard that goes lets its token go; `below` is what it keeps. Not the common case: see [`TokenGuard`]'s drop.
#[cold]
#[inline(never)]
fn gives_slowly<X: Exec>(below: usize) -> bool {
    let count = X::word() & NUMBER;
    if count != below & !AGAIN {
        left_over(X::me(), count, below & !AGAIN);
    }
    below & AGAIN == 0
}

#[cold]
fn left_over(me: &Held, count: usize, below: usize) -> ! {
    match me.place(count) {
        Some(place) => panic!(
            "a token is let go before one that was taken after it, at {place}: the guard of that was forgotten"
        ),
        None => panic!(
            "a token is let go as number {below} while {count} are left: the guard of one was forgotten"
        ),
    }
}

macro_rules! guard {
    ($(#[$doc:meta])* $name:ident, $give:ident) => {
        $(#[$doc])*
        #[must_use = "a token that nobody keeps is let go at once"]
        pub struct $name<'a, X: Exec, T: 'static, C: Outer + ?Sized> {
            token: &'static Token<X, T>,
            below: usize,
            outer: &'a mut C,
            kernel: PhantomData<fn() -> X>,
        }

        impl<X: Exec, T, C: Outer + ?Sized> $name<'_, X, T, C> {
            /// What this token was taken within: the guard of the token before it.
            #[inline(always)]
            pub fn outer(&self) -> &C {
                self.outer
            }
        }

        impl<X: Exec, T, C: Outer + ?Sized> Outer for $name<'_, X, T, C> {
            #[inline(always)]
            fn cx(&mut self) -> &mut MayBlock {
                self.outer.cx()
            }
        }

        impl<X: Exec, T, C: Outer + ?Sized> Deref for $name<'_, X, T, C> {
            type Target = T;
            #[inline(always)]
            fn deref(&self) -> &T {
                &self.token.value
            }
        }

        impl<X: Exec, T, C: Outer + ?Sized> Drop for $name<'_, X, T, C> {
            #[inline(always)]
            fn drop(&mut self) {
                X::gave();
                // One test for three: it was taken once more, one taken after it is left, something is rare.
                if X::word_is(self.below) || gives_slowly::<X>(self.below) {
                    self.token.$give();
                }
            }
        }
    };
}

guard! {
    /// A token that this thread alone holds, as long as it runs, and that others may have held whenever it waits.
    ///
    /// So what the token guards must be looked at again after a wait, and a reference to it that is used over one does not
    /// compile: whatever waits wants the proof, which is lent through the guard.
    ///
    /// ```compile_fail,E0502
    /// # use lwkt_token::{Exec, Outer, Token};
    /// # use core::cell::Cell;
    /// fn stale<X: Exec>(
    ///     cx: &mut lwkt_sched::MayBlock,
    ///     token: &'static Token<X, Cell<u32>>,
    ///     wait: fn(&mut lwkt_sched::MayBlock),
    /// ) {
    ///     let mut held = token.lock(cx);
    ///     let number: &Cell<u32> = &held;
    ///     wait(held.cx());
    ///     number.set(1);
    /// }
    /// ```
    ///
    /// It stays with its thread:
    ///
    /// ```compile_fail,E0277
    /// # use lwkt_token::{Exec, Token};
    /// fn elsewhere<X: Exec>(cx: &mut lwkt_sched::MayBlock, token: &'static Token<X>) {
    ///     let held = token.lock(cx);
    ///     std::thread::scope(|s| { s.spawn(|| { let _mine_now = held; }); });
    /// }
    /// ```
    TokenGuard, give
}

guard! {
    /// A token that this thread holds together with others who only read. Otherwise as [`TokenGuard`].
    ///
    /// What is not made to be shared between CPUs is not lent by it:
    ///
    /// ```compile_fail,E0277
    /// # use lwkt_token::{Exec, Token};
    /// # use core::cell::Cell;
    /// fn shared<X: Exec>(cx: &mut lwkt_sched::MayBlock, token: &'static Token<X, Cell<u32>>) {
    ///     let _held = token.share(cx);
    /// }
    /// ```
    SharedGuard, give_shared
}

impl<X: Exec, T> Token<X, T> {
    #[inline(always)]
    fn give(&self) {
        let checked = cfg!(any(debug_assertions, feature = "plants"));
        if checked && !self.word.is_of(id::<X>(X::me())) {
            // Lost on purpose: somebody else may have it.
            #[cfg(feature = "plants")]
            return;
            #[cfg(not(feature = "plants"))]
            panic!("a token is let go that is not held");
        }
        self.word.give();
    }

    #[inline(always)]
    fn give_shared(&self) {
        self.word.give_shared();
    }
}

impl<X: Exec, T: core::fmt::Debug> core::fmt::Debug for Token<X, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Token").field("word", &self.word).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(feature = "loom", feature = "shuttle"))))]
impl<X: Exec, T> Token<X, T> {
    pub(crate) fn word(&self) -> &Word {
        &self.word
    }
}
