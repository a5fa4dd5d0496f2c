//! Pointers to messages, and the only unsafe code of this crate: why each access has the message to itself.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ptr::NonNull;

use percpu::Crit;

use crate::mailbox::Mailbox;
use crate::{Body, Message};

/// The right to a message, as one pointer. Whoever has it owns the message; it is moved, never copied, but by
/// [`Raw::watch`].
pub(crate) struct Raw<B: Body>(NonNull<Message<B>>);

// SAFETY: a message is owned by one side at a time, and what it carries may be sent (`Body: Send`).
unsafe impl<B: Body> Send for Raw<B> {}

impl<B: Body> Raw<B> {
    /// The right to a message that is the caller's for ever.
    pub fn of_static(message: &'static mut Message<B>) -> Self {
        Self(NonNull::from(message))
    }

    /// The message that this is the right to.
    pub fn into_static(self) -> &'static mut Message<B> {
        // SAFETY: called for `Owned` only, which is made from a `&'static mut` and is the only right to it.
        unsafe { &mut *self.0.as_ptr() }
    }

    /// The message's marks.
    pub fn message(&self) -> &Message<B> {
        // SAFETY: 1. The message outlives its right (`of_static`, `lend`). 2. `Message` is cells: the owner's CPU
        // alone touches them.
        unsafe { self.0.as_ref() }
    }

    pub fn body(&self) -> &B {
        // SAFETY: the right is the only one, and is borrowed as long as the body is.
        unsafe { &*self.message().body.get() }
    }

    pub fn body_mut(&mut self) -> &mut B {
        // SAFETY: the right is the only one, and is borrowed mutably as long as the body is.
        unsafe { &mut *self.message().body.get() }
    }

    /// A second pointer for the sender's side, which reads `done` and writes `waiting` on its own CPU, where also the
    /// reply arrives, and takes the message back when it is done.
    pub fn watch(&self) -> Self {
        Self(self.0)
    }

    fn into_word(self) -> usize {
        self.0.as_ptr().expose_provenance()
    }

    /// # Safety
    /// `word` came from `into_word`, and is used this once.
    unsafe fn from_word(word: usize) -> Self {
        let message = core::ptr::with_exposed_provenance_mut(word);
        // SAFETY: it was made from a non-null pointer.
        Self(unsafe { NonNull::new_unchecked(message) })
    }

    pub fn link(&self, next: Option<Self>) {
        self.message().next.set(next.map(|next| next.0));
    }

    pub fn take_link(&self) -> Option<Self> {
        self.message().next.take().map(Self)
    }
}

/// Lends `message` to `f`, which returns when the message was answered, and does not unwind (the kernel never does).
#[inline]
pub(crate) fn lend<B: Body, R>(message: &mut Message<B>, f: impl FnOnce(Raw<B>) -> R) -> R {
    f(Raw(NonNull::from(message)))
}

/// The call that carries a message, and with it its right, to another CPU; for a port or for its sender.
pub(crate) fn arguments<B: Body>(message: Raw<B>, to: Option<&'static Mailbox<B>>) -> [usize; 3] {
    [message.into_word(), to.map_or(0, |to| core::ptr::from_ref(to).expose_provenance()), 0]
}

/// What [`arguments`] made; called by the functions that are sent with them, once for each call that arrives.
pub(crate) fn parameters<B: Body>(
    message: usize,
    to: usize,
) -> (Raw<B>, Option<&'static Mailbox<B>>) {
    // SAFETY: `Exec::call` delivers the words as they were, once; the sending function names the receiving one, with
    // the same `B`.
    let message = unsafe { Raw::from_word(message) };
    let to = core::ptr::with_exposed_provenance::<Mailbox<B>>(to);
    // SAFETY: null, or made from a `&'static Mailbox<B>`, as above.
    (message, unsafe { to.as_ref() })
}

/// A cell of a mailbox: touched by the home CPU of the mailbox's owner alone.
pub(crate) struct Home<T>(UnsafeCell<T>);

// SAFETY: `with` is called on one CPU at a time, and a change of CPU or of owner orders the accesses (see there).
unsafe impl<T: Send> Sync for Home<T> {}

impl<T> Home<T> {
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Lends the value; `f` calls nothing that could ask for it again.
    ///
    /// The caller has made sure that this CPU is the home of the owner: it is the owner, or has just compared.
    #[inline(always)]
    pub fn with<R>(&self, _: &Crit, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: 1. One CPU (above), in a critical section: nobody else on it. 2. The owner changes home by message, and
        // ownership by a release and an acquire of the owner's word: accesses before are seen after. 3. No nesting (above).
        f(unsafe { &mut *self.0.get() })
    }
}

/// Keeps a type with its thread.
pub(crate) type NotSend = PhantomData<*mut ()>;
