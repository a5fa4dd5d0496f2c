//! Counting semaphores; a mutex is one with a single unit, given back by who took it.
//!
//! A semaphore is of one of two kinds. A *local* one is for the threads of one carrier: plain words, no locked
//! instruction. A *shared* one is for all: to take or give a unit that nobody waits for is one locked instruction; its
//! waiters belong to its home, the first carrier that had one wait or release.
//!
//! Shared: `units` is what is free minus who waits. A taker that goes below one asks the home to queue it; a giver that
//! came from below zero asks the home to release one. The two requests may arrive in either order: a release
//! that finds nobody leaves a credit, which the next taker uses up.

use crate::home::Home;
use crate::mail::{Asks, Mail};
use crate::sync::{AtomicU64, Ordering};
use crate::{Carrier, Fifo, Inbox, Kernel, Tcb};
use core::cell::Cell;
use core::hint::cold_path;
use core::mem::offset_of;

/// State of a local semaphore with free units: no address.
const UNITS: usize = 1;
/// State of a shared semaphore.
const SHARED: usize = 2;

/// A semaphore.
#[derive(Debug)]
#[repr(C)]
pub struct Semaphore {
    /// Address of the carrier whose own a local one is: for checks in debug builds.
    local: Cell<usize>,
    /// [`SHARED`]; or of a local one 0, [`UNITS`] when units are free, or the address of the last thread that waits.
    state: Cell<usize>,
    /// Free units of a local one.
    free: Cell<i64>,
    /// Who waits for a shared one; touched by the home only.
    waiters: Fifo,
    /// Free units minus waiters of a shared one, signed.
    units: AtomicU64,
    home: Home,
    /// Releases that found no waiter yet; touched by the home only.
    credits: Cell<u64>,
    /// Releases that the home has not seen.
    releases: AtomicU64,
    mail: Mail,
}

impl Semaphore {
    percpu::maybe_const! {
        /// A semaphore with `units` free for the threads of all carriers.
        #[must_use]
        pub fn shared(units: i64) -> Self {
            Self::make(0, SHARED, 0, units)
        }
    }

    /// A semaphore with `units` free for the threads of `home`'s carrier alone.
    #[must_use]
    pub fn local(units: i64, home: &Inbox) -> Self {
        let state = if units > 0 { UNITS } else { 0 };
        Self::make(home.carrier(), state, units, 0)
    }

    percpu::maybe_const! {
        fn make(local: usize, state: usize, free: i64, units: i64) -> Self {
            Self {
                local: Cell::new(local),
                state: Cell::new(state),
                free: Cell::new(free),
                waiters: Fifo::new(),
                units: AtomicU64::new(units as u64),
                home: Home::new(),
                credits: Cell::new(0),
                releases: AtomicU64::new(0),
                mail: Mail::new(),
            }
        }
    }

    /// The semaphore around `mail`.
    ///
    /// # Safety
    /// `mail` is a semaphore's.
    pub(crate) unsafe fn of_mail(mail: &'static Mail) -> &'static Semaphore {
        let at =
            (&raw const *mail).wrapping_byte_sub(offset_of!(Semaphore, mail)).cast::<Semaphore>();
        // SAFETY: the semaphore around the mail (caller's promise); it is not freed while mail is under way.
        unsafe { &*at }
    }

    /// The subject of `thread`.
    ///
    /// # Safety
    /// It is a semaphore, alive while the thread waits for it.
    pub(crate) unsafe fn of_subject(thread: &Tcb) -> &'static Semaphore {
        // SAFETY: the caller's promise.
        unsafe { &*(thread.subject.get() as *const Semaphore) }
    }

    /// The running thread takes a unit, or waits for one. Returns whom to run: perhaps the same.
    pub fn take<K: Kernel>(
        &'static self,
        carrier: &'static Carrier,
        running: &'static Tcb,
        kernel: K,
    ) -> &'static Tcb {
        match self.state.get() {
            SHARED => return self.take_shared(carrier, running, kernel),
            UNITS => {
                self.use_unit();
                return running;
            }
            _ => self.check(carrier),
        }
        let next = carrier.unlink(running);
        match self.state.replace(&raw const *running as usize) {
            0 => running.next.set(running),
            state => {
                let tail = last(state);
                running.next.set(tail.next.get());
                tail.next.set(running);
            }
        }
        carrier.choose(running, next)
    }

    /// [`Semaphore::take`] in the usual case: a local one, with a free unit, or without another waiter while others of the same
    /// priority are ready. In all others nothing has happened yet.
    #[inline(always)]
    pub fn take_here(
        &'static self,
        carrier: &'static Carrier,
        running: &'static Tcb,
    ) -> Option<&'static Tcb> {
        let state = self.state.get();
        if state != 0 {
            // No colder than the other; but that one costs more, and comes first.
            cold_path();
            if state > UNITS {
                return None;
            }
            self.use_unit();
            return Some(running);
        }
        self.check(carrier);
        if carrier.is_alone(running) {
            return None;
        }
        let next = carrier.unlink(running);
        running.next.set(running);
        self.state.set(&raw const *running as usize);
        carrier.go(next);
        Some(next)
    }

    /// A local semaphore is used by its own carrier.
    #[inline(always)]
    fn check(&self, carrier: &Carrier) {
        debug_assert!(self.local.get() == &raw const *carrier as usize);
    }

    fn use_unit(&self) {
        let free = self.free.get() - 1;
        self.free.set(free);
        if free == 0 {
            self.state.set(0);
        }
    }

    /// Gives a unit back in the usual case: a local one, whose first waiter has the priority of the running thread, or that
    /// nobody waits for. In all others nothing has happened yet, and [`Semaphore::give`] does it.
    #[inline(always)]
    pub fn give_here(&'static self, running: &'static Tcb) -> Given {
        let state = self.state.get();
        if state <= SHARED {
            if state == SHARED {
                return Given::NotYet;
            }
            self.state.set(UNITS);
            self.free.set(self.free.get() + 1);
            return Given::Here;
        }
        let tail = last(state);
        let head = tail.next.get();
        let queue = head.queue.get();
        if !core::ptr::eq(queue, running.queue.get()) {
            return Given::NotYet;
        }
        self.unqueue(tail, head);
        queue.push_behind(running, head);
        Given::Here
    }

    #[inline(always)]
    fn unqueue(&self, tail: &'static Tcb, head: &'static Tcb) {
        if core::ptr::eq(head, tail) {
            self.state.set(0);
        } else {
            tail.next.set(head.next.get());
        }
    }

    /// Gives a unit back: the first waiter gets it.
    pub fn give<K: Kernel>(&'static self, carrier: &'static Carrier, kernel: K) {
        if self.state.get() == SHARED {
            return self.give_shared(carrier, kernel);
        }
        self.check(carrier);
        if self.give_here(carrier.current.get()) == Given::NotYet {
            let tail = last(self.state.get());
            let head = tail.next.get();
            self.unqueue(tail, head);
            carrier.ready(head);
        }
    }

    #[inline(never)]
    fn take_shared<K: Kernel>(
        &'static self,
        carrier: &'static Carrier,
        running: &'static Tcb,
        kernel: K,
    ) -> &'static Tcb {
        // Pairs with: give_shared, release: what the last holder wrote is seen.
        if self.units.fetch_sub(1, Ordering::Acquire) as i64 > 0 {
            return running;
        }
        let home = self.home.or(carrier);
        if carrier.is(home) && self.credit() == Credit::Used {
            return running;
        }
        let next = carrier.leave(running);
        if carrier.is(home) {
            self.queue(running);
        } else {
            running.subject.set(&raw const *self as usize);
            home.push(&running.mail, Asks::Take, kernel);
        }
        next
    }

    #[inline(never)]
    fn give_shared<K: Kernel>(&'static self, carrier: &'static Carrier, kernel: K) {
        // Pairs with: take_shared, acquire.
        if self.units.fetch_add(1, Ordering::Release) as i64 >= 0 {
            return;
        }
        let home = self.home.or(carrier);
        if carrier.is(home) {
            self.release(carrier, kernel);
        // Pairs with: `released`: the first of several posts the mail, which one `released` takes all of.
        } else if self.releases.fetch_add(1, Ordering::AcqRel) == 0 {
            home.push(&self.mail, Asks::Release, kernel);
        }
    }

    fn queue(&self, thread: &'static Tcb) {
        self.waiters.push(thread);
    }

    fn credit(&self) -> Credit {
        match self.credits.get() {
            0 => Credit::None,
            credits => {
                self.credits.set(credits - 1);
                Credit::Used
            }
        }
    }

    fn release<K: Kernel>(&self, carrier: &'static Carrier, kernel: K) {
        match self.waiters.pop() {
            None => self.credits.set(self.credits.get() + 1),
            Some(thread) => carrier.wake(thread, kernel),
        }
    }

    /// At home: others gave units back.
    pub(crate) fn released<K: Kernel>(&'static self, carrier: &'static Carrier, kernel: K) {
        // Pairs with: `give_shared`.
        for _ in 0..self.releases.swap(0, Ordering::AcqRel) {
            self.release(carrier, kernel);
        }
    }

    /// At home: a thread of another carrier wants a unit.
    pub(crate) fn asked<K: Kernel>(
        &'static self,
        thread: &'static Tcb,
        carrier: &'static Carrier,
        kernel: K,
    ) {
        match self.credit() {
            Credit::Used => carrier.wake(thread, kernel),
            Credit::None => self.queue(thread),
        }
    }
}

/// Whether [`Semaphore::give_here`] gave the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It did.
    Here,
    /// Nothing has happened.
    NotYet,
}

/// The thread whose address is the state of a local semaphore.
#[inline(always)]
fn last(state: usize) -> &'static Tcb {
    // SAFETY: a state above `SHARED` is the address of the block of who waits last.
    unsafe { &*(state as *const Tcb) }
}

/// Whether a release was already there.
#[derive(PartialEq, Eq)]
enum Credit {
    None,
    Used,
}
