//! Pointers to messages, and most of the unsafe code of this crate: why each access has the message to itself.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ptr::NonNull;

use lwkt_sched::ThreadRef;
use percpu::Crit;
use percpu::sync::{AtomicPtr, Ordering, UnsafeCell};

use crate::mailbox::Mailbox;
use crate::{Body, Message, PublishedPort, SpinPort, ThreadPort, UrgentSpin};

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
        // SAFETY: 1. The message outlives its right (`of_static`, `lend`). 2. `Message` is cells, of which whoever may
        // touch the message touches his (`Message`), and atomics.
        unsafe { self.0.as_ref() }
    }

    pub fn body(&self) -> &B {
        // SAFETY: the right is the only one, and is borrowed as long as the body is.
        self.message().body.with(|body| unsafe { &*body })
    }

    pub fn body_mut(&mut self) -> &mut B {
        // SAFETY: the right is the only one, and is borrowed mutably as long as the body is.
        self.message().body.with_mut(|body| unsafe { &mut *body })
    }

    /// A second pointer for the sender's side, which touches its marks on its own CPU, where also the reply arrives, and
    /// takes the message back when it is there; and for a request for the message, which the sender waits for first.
    pub fn watch(&self) -> Self {
        Self(self.0)
    }

    /// Whether both are rights to one message.
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// What stands for the message in a timeline.
    #[inline(always)]
    pub fn name(&self) -> u32 {
        probe::low(self.0.addr().get())
    }

    /// Who has sent the message, which has left its sender.
    #[inline(always)]
    pub fn sender(&self) -> ThreadRef {
        // SAFETY: `Offered::depart` stored a thread before the message left.
        unsafe { ThreadRef::from_word(self.message().sender.get()) }
    }

    /// Gives the receipt, before the message goes into a queue; whether its kind has one.
    #[inline(always)]
    pub fn note(&self) -> bool {
        let Some(receipt) = B::RECEIPT else { return false };
        // SAFETY: the caller is about to queue the message, so it alone has it.
        self.message().body.with(|body| receipt(unsafe { &*body }));
        true
    }

    /// The queue that the message was put into last.
    pub fn place(&self) -> Place<B> {
        // Pairs with: `set_place`, release: the queue as it was made.
        let word = self.message().place.load(Ordering::Acquire);
        let sort = word & (Place::<B>::SPIN | Place::<B>::PUBLISHED);
        if sort == 0 {
            let queue = core::ptr::with_exposed_provenance::<Mailbox<B>>(word);
            // SAFETY: null, or stored by `set_place` of a `&'static`.
            return unsafe { queue.as_ref() }.map_or(Place::Nowhere, Place::Mailbox);
        }
        let address = word ^ sort;
        if sort == Place::<B>::SPIN {
            // SAFETY: the bit says that `set_place_spin` stored it, of a `&'static`.
            return Place::Spin(unsafe { &*core::ptr::with_exposed_provenance(address) });
        }
        // SAFETY: the bit says that `set_place_published` stored it, of a `&'static`.
        Place::Published(unsafe { &*core::ptr::with_exposed_provenance(address) })
    }

    /// Notes the queue that the message goes into; none if it is kept.
    #[inline(always)]
    pub fn set_place(&self, queue: Option<&'static Mailbox<B>>) {
        let word = queue.map_or(0, |queue| core::ptr::from_ref(queue).expose_provenance());
        // Pairs with: `place`, acquire.
        self.message().place.store(word, Ordering::Release);
    }

    /// Notes that the message goes into the queue of a lock.
    pub fn set_place_spin(&self, queue: &'static SpinPort<B>) {
        let word = core::ptr::from_ref(queue).expose_provenance() | Place::<B>::SPIN;
        // Pairs with: `place`, acquire.
        self.message().place.store(word, Ordering::Release);
    }

    /// Notes that the message goes into the queue of a port that comes and goes.
    pub fn set_place_published(&self, place: &'static PublishedPort<B>) {
        let word = core::ptr::from_ref(place).expose_provenance() | Place::<B>::PUBLISHED;
        // Pairs with: `place`, acquire.
        self.message().place.store(word, Ordering::Release);
    }

    /// It as a word.
    #[cfg(feature = "plants")]
    pub fn word(&self) -> usize {
        self.0.as_ptr().expose_provenance()
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

    #[inline]
    pub fn link(&self, next: Option<Self>) {
        self.message().next.set(next.map(|next| next.0));
    }

    #[inline]
    pub fn next(&self) -> Option<Self> {
        self.message().next.get().map(Self)
    }
}

/// A queue that a message can be in.
pub(crate) enum Place<B: Body> {
    /// None: whoever has the message keeps it.
    Nowhere,
    /// Of a thread.
    Mailbox(&'static Mailbox<B>),
    /// Of a lock.
    Spin(&'static SpinPort<B>),
    /// Of the port that is published there, if it is the same yet.
    Published(&'static PublishedPort<B>),
}

impl<B: Body> Place<B> {
    /// Tell them apart in a word: all are aligned to words.
    const SPIN: usize = 1;
    const PUBLISHED: usize = 2;

    /// Whether both are one place.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nowhere, Self::Nowhere) => true,
            (Self::Mailbox(one), Self::Mailbox(other)) => core::ptr::eq(*one, *other),
            (Self::Spin(one), Self::Spin(other)) => core::ptr::eq(*one, *other),
            (Self::Published(one), Self::Published(other)) => core::ptr::eq(*one, *other),
            _ => false,
        }
    }
}

/// Something that stays, as a word of a call.
pub(crate) fn word_of<T>(it: &'static T) -> usize {
    core::ptr::from_ref(it).expose_provenance()
}

/// What [`word_of`] made a word of; called by the functions that are sent with one, with the same type.
pub(crate) fn static_of<T>(word: usize) -> &'static T {
    // SAFETY: made from a `&'static T`, as above.
    unsafe { &*core::ptr::with_exposed_provenance(word) }
}

/// A spin port as the port for its priority messages.
pub(crate) fn urgent_of<B: Body>(port: &'static SpinPort<B>) -> &'static UrgentSpin<B> {
    // SAFETY: `UrgentSpin` is a `SpinPort`, transparently.
    unsafe { &*core::ptr::from_ref(port).cast() }
}

/// The body of a message that nobody else has.
pub(crate) fn body_of<B: Body>(message: &mut Message<B>) -> &mut B {
    // SAFETY: the message is borrowed mutably as long as the body is.
    message.body.with_mut(|body| unsafe { &mut *body })
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

/// The call that carries a message to a place of another CPU.
pub(crate) fn to_place<B: Body>(message: Raw<B>, place: &'static PublishedPort<B>) -> [usize; 3] {
    [message.into_word(), word_of(place), 0]
}

/// What [`to_place`] made; called as [`parameters`] is.
pub(crate) fn with_place<B: Body>(
    message: usize,
    place: usize,
) -> (Raw<B>, &'static PublishedPort<B>) {
    // SAFETY: as in `parameters`.
    (unsafe { Raw::from_word(message) }, static_of(place))
}

/// Looks at the port that is published at a place.
///
/// `f` is of this crate: it does not block, and of what it is lent it keeps nothing, but as the server's side, which lets go of it
/// before the memory is taken back. The port is in no set, so nothing else has its address.
pub(crate) fn look<B: Body, R>(
    crit: &Crit,
    place: &'static PublishedPort<B>,
    f: impl FnOnce(Option<&'static ThreadPort<B>>) -> R,
) -> R {
    let stays = |port: &ThreadPort<B>| {
        // SAFETY: for as long as `f` and what it keeps (above).
        unsafe { &*core::ptr::from_ref(port) }
    };
    // SAFETY: it does not block (above).
    unsafe { place.published().read_in(crit, |port| f(port.map(stays))) }
}

/// A cell of a mailbox: touched by the home CPU of the mailbox's owner alone.
pub(crate) struct Home<T>(UnsafeCell<T>);

// SAFETY: `with` is called on one CPU at a time, and a change of CPU or of owner orders the accesses (see there).
unsafe impl<T: Send> Sync for Home<T> {}

impl<T> Home<T> {
    percpu::maybe_const! {
        pub fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }
    }

    /// Lends the value; `f` calls nothing that could ask for it again.
    ///
    /// The caller has made sure that this CPU is the home of the owner: it is the owner, or has just compared.
    #[inline(always)]
    pub fn with<R>(&self, _: &Crit, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: 1. One CPU (above), in a critical section: nobody else on it. 2. The owner changes home by message, and
        // ownership by a release and an acquire of the owner's word: accesses before are seen after. 3. No nesting (above).
        self.0.with_mut(|value| f(unsafe { &mut *value }))
    }
}

/// A place for something that stays, filled and emptied while others look.
pub(crate) struct Slot<T>(AtomicPtr<T>);

impl<T> Slot<T> {
    percpu::maybe_const! {
        pub fn new() -> Self {
            Self(AtomicPtr::new(core::ptr::null_mut()))
        }
    }

    #[inline]
    pub fn get(&self) -> Option<&'static T> {
        // Pairs with: `fill`, release.
        let it = self.0.load(Ordering::Acquire);
        // SAFETY: null, or stored by `fill` of a `&'static T`.
        unsafe { it.cast_const().as_ref() }
    }

    /// Fills an empty place; whether it was empty.
    pub fn fill(&self, it: &'static T) -> bool {
        let it = core::ptr::from_ref(it).cast_mut();
        // Pairs with: `get`, acquire.
        self.0
            .compare_exchange(core::ptr::null_mut(), it, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Empties the place, and answers what was in it.
    pub fn empty(&self) -> Option<&'static T> {
        // Pairs with: `fill`, release.
        let it = self.0.swap(core::ptr::null_mut(), Ordering::Acquire);
        // SAFETY: null, or stored by `fill` of a `&'static T`.
        unsafe { it.cast_const().as_ref() }
    }
}

/// Keeps a type with its thread.
pub(crate) type NotSend = PhantomData<*mut ()>;
