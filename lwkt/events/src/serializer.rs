//! Serializers: who has one keeps it, also while it waits.
//!
//! A token goes while its thread waits, so what it guards changes under any call that can wait. A serializer does not, so a reference to
//! what it guards lives over such a call; the price is that threads that want several can wait for each other for good. It
//! is for what one thread does at a time in several steps, as a driver does; and it can keep that driver's handler out for a while
//! ([`SerializerGuard::set_handled`]), as `lwkt_serialize` of DragonFly BSD can.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::Location;

use lwkt_sched::MayBlock;
use percpu::checks::Place;
use percpu::maybe_const;
use percpu::sync::{AtomicBool, AtomicUsize, Ordering};

use crate::{Events, WaitQueue};

/// Of the word: somebody waits, or did. (A thread's address is even.)
const WANTED: usize = 1;

/// A value that one thread at a time uses, over its waits too.
///
/// | step | who leaves | who comes, in a critical section |
/// |---|---|---|
/// | 1 | takes the word away, release: 0 | not 0: adds `WANTED`, and waits on the queue; 0: takes it, with `WANTED`, as others may wait still |
/// | 2 | had it `WANTED`: wakes one | woken: to 1 |
///
/// Forbidden: that one waits for good on a word that is 0. What comes looks after its CPU is in the set of the queue, so either
/// it finds 0, or who leaves finds `WANTED` and then the CPU: the interlock of [`WaitQueue`]. Checked by the model `serializer`.
///
/// No turn is promised, as by `lwkt_serialize`: who leaves may be in again before who was woken comes, and who waits on the CPU of who leaves
/// is woken before those of other CPUs. Whose steps are to come in the order in which they were asked for has a thread with a port do them.
pub struct Serializer<X: Events, T> {
    /// 0, or the thread that has it.
    word: AtomicUsize,
    /// Whether [`Serializer::handle`] does something. Written by who has it.
    handled: AtomicBool,
    place: Place,
    queue: WaitQueue<X>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is lent to one thread at a time: to the one whose word is there.
#[allow(unsafe_code)]
unsafe impl<X: Events, T: Send> Sync for Serializer<X, T> {}

impl<X: Events, T> Serializer<X, T> {
    maybe_const! {
        /// A serializer that nobody has, whose handler is let in.
        pub fn new(value: T) -> Self {
            Self {
                word: AtomicUsize::new(0),
                handled: AtomicBool::new(true),
                place: Place::new(),
                queue: WaitQueue::new(),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// Takes it; waits while another thread has it, and keeps what this thread has meanwhile, tokens excepted.
    ///
    /// # Panics
    /// If this thread has it: with the caller's file and line, and in a debug build the place where it was taken.
    #[inline]
    #[track_caller]
    pub fn enter(&'static self, cx: &mut MayBlock) -> SerializerGuard<X, T> {
        let me = current::<X>();
        if !self.try_free(me) {
            self.enter_slowly(cx, me);
        }
        self.entered()
    }

    /// Takes it if nobody has it.
    #[inline]
    #[track_caller]
    pub fn try_enter(&'static self, _cx: &mut MayBlock) -> Option<SerializerGuard<X, T>> {
        self.try_free(current::<X>()).then(|| self.entered())
    }

    /// Does `f` within it, unless the handler is kept out; also when that happens while this waits. What a driver's interrupt thread does.
    #[track_caller]
    pub fn handle<R>(
        &'static self,
        cx: &mut MayBlock,
        f: impl FnOnce(&mut MayBlock, &mut T) -> R,
    ) -> Option<R> {
        // Without waiting, if it is kept out at this moment; else it counts when this thread has it.
        if !self.handled.load(Ordering::Relaxed) {
            return None;
        }
        let mut held = self.enter(cx);
        held.is_handled().then(|| f(cx, &mut held))
    }

    #[inline(always)]
    fn try_free(&self, me: usize) -> bool {
        // Pairs with: `SerializerGuard::drop`, release.
        self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn enter_slowly(&'static self, cx: &mut MayBlock, me: usize) {
        if self.word.load(Ordering::Relaxed) & !WANTED == me {
            self.own_deadlock();
        }
        self.queue.wait_until(cx, |_| {
            loop {
                let word = self.word.load(Ordering::Relaxed);
                let next = if word == 0 { me | WANTED } else { word | WANTED };
                if next == word {
                    return false;
                }
                // Pairs with: `SerializerGuard::drop`, release.
                let swapped =
                    self.word.compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed);
                if swapped.is_ok() {
                    return word == 0;
                }
            }
        });
    }

    #[cold]
    #[track_caller]
    fn own_deadlock(&self) -> ! {
        if let Some(place) = self.place.get() {
            panic!(
                "this thread wants a serializer that it has, and would wait for ever: taken at {place}"
            );
        }
        panic!("this thread wants a serializer that it has, and would wait for ever")
    }

    #[inline(always)]
    #[track_caller]
    fn entered(&'static self) -> SerializerGuard<X, T> {
        self.place.set(Location::caller());
        SerializerGuard { serializer: self, thread: PhantomData }
    }
}

/// What stands for the running thread in the word.
#[inline(always)]
fn current<X: Events>() -> usize {
    X::crit(|crit| X::current(crit).into_word())
}

impl<X: Events, T> fmt::Debug for Serializer<X, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Serializer").field("is_held", &(word != 0)).finish_non_exhaustive()
    }
}

/// A serializer that this thread has. It stays with its thread:
///
/// ```compile_fail,E0277
/// # use lwkt_events::{Events, Serializer};
/// fn elsewhere<X: Events>(one: &'static Serializer<X, u32>, cx: &mut lwkt_sched::MayBlock) {
///     let held = one.enter(cx);
///     std::thread::scope(|s| { s.spawn(|| { let _mine_now = held; }); });
/// }
/// ```
#[must_use = "a serializer that nobody keeps is let go at once"]
pub struct SerializerGuard<X: Events, T: 'static> {
    serializer: &'static Serializer<X, T>,
    thread: PhantomData<*mut ()>,
}

impl<X: Events, T> SerializerGuard<X, T> {
    /// Lets the handler in from now on, or keeps it out: then it is not within, and does not come in.
    pub fn set_handled(&mut self, handled: bool) {
        self.serializer.handled.store(handled, Ordering::Relaxed);
    }

    /// Whether the handler is let in.
    pub fn is_handled(&self) -> bool {
        self.serializer.handled.load(Ordering::Relaxed)
    }
}

impl<X: Events, T> Deref for SerializerGuard<X, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: this thread alone has it until the drop; the guard is borrowed.
        #[allow(unsafe_code)]
        unsafe {
            &*self.serializer.value.get()
        }
    }
}

impl<X: Events, T> DerefMut for SerializerGuard<X, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed alone.
        #[allow(unsafe_code)]
        unsafe {
            &mut *self.serializer.value.get()
        }
    }
}

impl<X: Events, T> Drop for SerializerGuard<X, T> {
    #[inline]
    fn drop(&mut self) {
        // Pairs with: `try_free` and `enter_slowly`, acquire.
        let word = self.serializer.word.swap(0, Ordering::Release);
        if word & WANTED != 0 {
            X::crit(|crit| self.serializer.queue.wake_one(crit));
        }
    }
}

impl<X: Events, T> fmt::Debug for SerializerGuard<X, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.serializer, f)
    }
}
