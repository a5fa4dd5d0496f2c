//! Condition variables. As with semaphores there are local ones, and shared ones whose waiters belong to a home.
//!
//! A thread that waits is in the home's list, or in its mail, before the mutex is free again; who holds the mutex
//! afterwards and notifies adds to `notices` after that. So the home, having taken notices, opens its mail once more
//! before it applies them ([`Due`]): every thread that waited before a notice was given is in the list by then. A
//! notice may also wake one that came later, as condition variables may.

use crate::home::Home;
use crate::mail::{Asks, Mail};
use crate::sync::{AtomicU64, Ordering};
use crate::{Carrier, Fifo, Inbox, Kernel, Semaphore, Tcb};
use core::cell::Cell;
use core::mem::offset_of;

/// Added to the notices by a broadcast.
const ALL: u64 = 1 << 32;

/// A condition variable.
#[derive(Debug)]
#[repr(C)]
pub struct Condition {
    /// Address of the carrier whose own it is; 0: shared.
    local: Cell<usize>,
    waiters: Fifo,
    home: Home,
    /// Notices that the home has not seen.
    notices: AtomicU64,
    mail: Mail,
    /// Notices taken and not applied; touched by the home only, as the next.
    due: Cell<u64>,
    next_due: Cell<Option<&'static Condition>>,
}

/// Conditions with notices that were taken and are to be applied when the mail is empty.
#[derive(Default)]
pub(crate) struct Due(Option<&'static Condition>);

impl Due {
    /// Takes the notices of `condition`.
    pub(crate) fn add(&mut self, condition: &'static Condition) {
        // Pairs with: `Condition::notify`, release: who waited before a notice has his mail posted by then.
        let notices = condition.notices.swap(0, Ordering::AcqRel);
        let before = condition.due.get();
        condition.due.set(before.saturating_add(notices));
        if before == 0 && notices != 0 {
            condition.next_due.set(self.0);
            self.0 = Some(condition);
        }
    }

    /// Applies all that was taken.
    pub(crate) fn apply<K: Kernel>(mut self, carrier: &'static Carrier, kernel: K) {
        while let Some(condition) = self.0 {
            self.0 = condition.next_due.get();
            condition.apply(condition.due.replace(0), carrier, kernel);
        }
    }
}

impl Condition {
    percpu::maybe_const! {
        /// A condition variable for the threads of all carriers.
        #[must_use]
        pub fn shared() -> Self {
            Self::make(0)
        }
    }

    /// A condition variable for the threads of `home`'s carrier alone.
    #[must_use]
    pub fn local(home: &Inbox) -> Self {
        Self::make(home.carrier())
    }

    percpu::maybe_const! {
        fn make(local: usize) -> Self {
            Self { local: Cell::new(local), waiters: Fifo::new(), home: Home::new(), notices: AtomicU64::new(0), mail: Mail::new(), due: Cell::new(0), next_due: Cell::new(None) }
        }
    }

    /// The condition around `mail`.
    ///
    /// # Safety
    /// `mail` is a condition's.
    pub(crate) unsafe fn of_mail(mail: &'static Mail) -> &'static Condition {
        let at =
            (&raw const *mail).wrapping_byte_sub(offset_of!(Condition, mail)).cast::<Condition>();
        // SAFETY: the condition around the mail (caller's promise); it is not freed while mail is under way.
        unsafe { &*at }
    }

    /// The subject of `thread`.
    ///
    /// # Safety
    /// It is a condition, alive while the thread waits for it.
    pub(crate) unsafe fn of_subject(thread: &Tcb) -> &'static Condition {
        // SAFETY: the caller's promise.
        unsafe { &*(thread.subject.get() as *const Condition) }
    }

    fn is_local(&self, carrier: &Carrier) -> bool {
        self.local.get() == &raw const *carrier as usize
    }

    /// The running thread waits, and gives `mutex` back meanwhile. It has to take the mutex again when it runs again.
    pub fn wait<K: Kernel>(
        &'static self,
        mutex: &'static Semaphore,
        carrier: &'static Carrier,
        running: &'static Tcb,
        kernel: K,
    ) -> &'static Tcb {
        let next = carrier.leave(running);
        if self.is_local(carrier) || carrier.is(self.home.or(carrier)) {
            self.waiters.push(running);
        } else {
            running.subject.set(&raw const *self as usize);
            self.home.or(carrier).push(&running.mail, Asks::Expect, kernel);
        }
        mutex.give(carrier, kernel);
        next
    }

    /// Wakes the first who waits.
    pub fn notify_one<K: Kernel>(&'static self, carrier: &'static Carrier, kernel: K) {
        self.notify(1, carrier, kernel);
    }

    /// Wakes all who wait.
    pub fn notify_all<K: Kernel>(&'static self, carrier: &'static Carrier, kernel: K) {
        self.notify(ALL, carrier, kernel);
    }

    fn notify<K: Kernel>(&'static self, notices: u64, carrier: &'static Carrier, kernel: K) {
        if self.is_local(carrier) {
            return self.apply(notices, carrier, kernel);
        }
        let home = self.home.or(carrier);
        if carrier.is(home) {
            // Who waited before is in the list or in the mail.
            carrier.open_mail(kernel);
            self.apply(notices, carrier, kernel);
        // Pairs with: `Due::add`, acquire.
        } else if self.notices.fetch_add(notices, Ordering::AcqRel) == 0 {
            home.push(&self.mail, Asks::Notify, kernel);
        }
    }

    /// At home: a thread of another carrier waits.
    pub(crate) fn expect(&'static self, thread: &'static Tcb) {
        self.waiters.push(thread);
    }

    fn apply<K: Kernel>(&self, notices: u64, carrier: &'static Carrier, kernel: K) {
        let most = if notices >= ALL { u64::MAX } else { notices };
        for _ in 0..most {
            match self.waiters.pop() {
                Some(thread) => carrier.wake(thread, kernel),
                None => return,
            }
        }
    }
}
