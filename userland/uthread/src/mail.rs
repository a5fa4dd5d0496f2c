//! Mail between carriers: a list of things that a carrier is asked to look at, pushed by anyone, taken by its owner.
//!
//! What is posted is never allocated: a thread that has left its carrier's queues is its own piece of mail, and so is
//! an object with a count of what it is asked to do, posted when that count leaves zero.
//!
//! | who pushes                              | who owns the inbox                            | forbidden                    |
//! |-----------------------------------------|-----------------------------------------------|------------------------------|
//! | push (release); was it empty? if so:    | `asleep = 1`                                  | both miss: pushed and asleep |
//! | full fence                              | full fence                                    |                              |
//! | `asleep` 1→0 (swap)? then kernel wake   | mail or completions? else wait(seen, deadline)|                              |
//!
//! The wake token of the kernel is sticky, so a wake between the last look and the wait is not lost.
//! Models: `tests/protocol.rs`.

use crate::condition::Due;
use crate::sync::{AtomicPtr, AtomicU32, Ordering, fence};
use crate::{Carrier, Condition, Kernel, Semaphore, Tcb};
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr::null_mut;

/// What other carriers may touch of a carrier.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Inbox {
    /// 1 from just before the last look until the carrier is awake again.
    pub(crate) asleep: AtomicU32,
    /// Index of the CPU process.
    index: u32,
    first: AtomicPtr<Mail>,
    /// The carrier's `pending`, in the line that its own paths read.
    pending: *const AtomicU32,
}

// SAFETY: `pending` points to an atomic that lives as long as the inbox, in the same carrier; the rest is atomic or constant.
unsafe impl Sync for Inbox {}

/// One thing to look at. It lies in a thread's block or in an object and knows what it asks for.
#[derive(Debug)]
#[repr(C)]
pub struct Mail {
    next: Cell<*mut Mail>,
    asks: Cell<Asks>,
}

/// What a piece of mail asks its receiver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Asks {
    /// Nothing: not posted.
    Nothing = 0,
    /// Thread: it is ready, it is yours.
    Wake,
    /// Thread: new, it is yours from now on.
    Adopt,
    /// Thread: it waits for the end of its subject.
    Join,
    /// Thread: nobody will ask for its subject's result.
    Detach,
    /// Thread: it is dead, its stack is yours.
    Reclaim,
    /// Thread: it waits for a unit of its subject, a semaphore.
    Take,
    /// Thread: it waits for its subject, a condition.
    Expect,
    /// Semaphore: units were given back.
    Release,
    /// Condition: it came true.
    Notify,
}

impl Mail {
    /// Mail that is not posted.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self { next: Cell::new(null_mut()), asks: Cell::new(Asks::Nothing) }
    }

    /// The thread whose mail this is.
    ///
    /// # Safety
    /// It lies in a thread's block.
    unsafe fn thread(&'static self) -> &'static Tcb {
        let at = (&raw const *self).wrapping_byte_sub(offset_of!(Tcb, mail)).cast::<Tcb>();
        // SAFETY: the block around the mail (caller's promise), never unmapped.
        unsafe { &*at }
    }
}

impl Inbox {
    /// The empty inbox of CPU process `index`, whose carrier looks when `pending` is set.
    #[must_use]
    pub(crate) fn new(index: u32, pending: *const AtomicU32) -> Self {
        Self { asleep: AtomicU32::new(0), index, first: AtomicPtr::new(null_mut()), pending }
    }

    /// Index of the CPU process that owns it.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Address of its carrier.
    pub(crate) fn carrier(&self) -> usize {
        &raw const *self as usize - offset_of!(Carrier, inbox)
    }

    /// Is there no mail?
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        // Pairs with: Inbox::push, release.
        self.first.load(Ordering::Acquire).is_null()
    }

    /// Posts `mail`, which from now on belongs to the owner of this inbox, and wakes the owner if it may be asleep.
    pub(crate) fn push<K: Kernel>(&self, mail: &'static Mail, asks: Asks, kernel: K) {
        mail.asks.set(asks);
        let this = (&raw const *mail).cast_mut();
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            mail.next.set(first);
            // Pairs with: Inbox::take, acquire.
            match self.first.compare_exchange_weak(
                first,
                this,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => first = now,
            }
        }
        if first.is_null() {
            self.ring(kernel);
        }
    }

    /// The inbox was empty before: its owner may be asleep, or busy and not looking.
    fn ring<K: Kernel>(&self, kernel: K) {
        // SAFETY: an atomic of the same carrier, there as long as the inbox.
        let pending = unsafe { &*self.pending };
        pending.store(crate::carrier::LOOK, Ordering::Relaxed);
        // Pairs with: Carrier::sleep, the fence between `asleep = 1` and the last look.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) == 1 && self.asleep.swap(0, Ordering::Relaxed) == 1 {
            kernel.wake(self.index);
        }
    }

    /// Takes all mail, the oldest first. Own carrier only.
    fn take(&self) -> Taken {
        // Pairs with: Inbox::push, release.
        let mut newest = self.first.swap(null_mut(), Ordering::Acquire);
        let mut oldest = null_mut();
        // SAFETY: what is in the list was posted as `&'static Mail`, and taken it is ours alone.
        while let Some(mail) = unsafe { newest.as_ref() } {
            let older = mail.next.get();
            mail.next.set(oldest);
            oldest = newest;
            newest = older;
        }
        Taken(oldest)
    }
}

/// Mail taken out of an inbox.
struct Taken(*mut Mail);

impl Iterator for Taken {
    type Item = &'static Mail;

    fn next(&mut self) -> Option<&'static Mail> {
        // SAFETY: posted as `&'static Mail`, and ours since it was taken.
        let mail: &'static Mail = unsafe { self.0.as_ref() }?;
        self.0 = mail.next.get();
        Some(mail)
    }
}

impl Carrier {
    /// Does what the mail of other carriers asks for.
    pub(crate) fn open_mail<K: Kernel>(&'static self, kernel: K) {
        if self.inbox.is_empty() {
            return;
        }
        let mut due = Due::default();
        loop {
            let mut notified = false;
            for mail in self.inbox.take() {
                crate::carrier::count(&self.counters.mail);
                match mail.asks.get() {
                    Asks::Nothing => {}
                    // SAFETY: only semaphores ask this.
                    Asks::Release => unsafe { Semaphore::of_mail(mail) }.released(self, kernel),
                    Asks::Notify => {
                        // SAFETY: only conditions ask this.
                        due.add(unsafe { Condition::of_mail(mail) });
                        notified = true;
                    }
                    // SAFETY: all others lie in threads.
                    asks => self.open_thread(unsafe { mail.thread() }, asks, kernel),
                }
            }
            // Notices are applied only after the mail that was there when they were taken.
            if !notified {
                return due.apply(self, kernel);
            }
        }
    }

    fn open_thread<K: Kernel>(&'static self, thread: &'static Tcb, asks: Asks, kernel: K) {
        match asks {
            Asks::Wake => self.ready(thread),
            Asks::Adopt => {
                self.assign(thread, thread.priority());
                self.ready(thread);
            }
            Asks::Join => self.asked_join(thread, kernel),
            Asks::Detach => self.asked_detach(thread, kernel),
            Asks::Reclaim => self.reclaim(thread, kernel),
            // SAFETY: a thread that asks this has a semaphore as its subject.
            Asks::Take => unsafe { Semaphore::of_subject(thread) }.asked(thread, self, kernel),
            // SAFETY: a thread that asks this has a condition as its subject.
            Asks::Expect => unsafe { Condition::of_subject(thread) }.expect(thread),
            Asks::Nothing | Asks::Release | Asks::Notify => {}
        }
    }

    /// Makes `thread` ready on its carrier.
    #[inline]
    pub(crate) fn wake<K: Kernel>(&self, thread: &'static Tcb, kernel: K) {
        if self.is(thread.home.get()) {
            self.ready(thread);
        } else {
            thread.home.get().push(&thread.mail, Asks::Wake, kernel);
        }
    }
}
