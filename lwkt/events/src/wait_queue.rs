//! Wait queues: any thread on any CPU waits for something to become true, and is woken from any CPU.
//!
//! What `tsleep` and `wakeup` are in DragonFly BSD, with a typed queue in place of an address that two users may share by
//! accident. The queue itself is a set of CPUs: those on which somebody waits, or did. Who waits is on a list of its own CPU
//! ([`Waiters`](crate::Waiters)). A wake of the same CPU takes no lock and no locked instruction; a wake from elsewhere is a message,
//! to CPUs in the set only.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::sync::{Ordering, fence};
use percpu::{AtomicCpuSet, CpuId, Crit, maybe_const};

use crate::answer::Answer;
use crate::waiters::Waiter;
use crate::{Events, Key};

/// A queue of threads that wait for one thing.
///
/// # No wake is lost
/// The set is the interlock. A CPU is in it before its thread looks, and its own messages come after its critical section.
///
/// | step | who waits, in one critical section of CPU C | who wakes, on CPU W | C, when the message comes |
/// |---|---|---|---|
/// | 1 | not in the set: adds C, full fence | makes it true | takes the first waiter (or all) off C's list, and wakes it |
/// | 2 | looks: true, goes on | takes waiters off W's list; full fence | nobody there: takes C out of the set |
/// | 3 | goes on C's list and blocks; to 1 when woken | reads the set; sends to the CPUs in it | wake-one, nobody there: sends to the next CPU of the set |
///
/// Forbidden: that a thread blocks for good on what was true before W's step 2. Either W's fence comes before C's: then C's look sees it.
/// Or W reads C in the set, and the message finds the thread on the list; or it finds nobody. If that is before step 1, C is out of
/// the set again: the thread comes later, adds C anew, and looks. If it is between step 2 and 3, which are one critical section but
/// may serve messages all the same (what is asked sends into a full ring, say), C counts a wake that it has missed, and does not go
/// on the list on a look that is older. Checked by the model `wait_against_wake_while_it_looks`.
/// With C in the set already, waiting costs a load. Checked by the models `wait_against_wake` and `leaving_the_set`.
///
/// # Wake-one
/// Its own CPU's list is served first, without a message. Else the wake travels: from CPU to CPU in the order of their numbers,
/// beginning after the waker's, until it finds a waiter or has been everywhere. So it wakes exactly one thread, if there is
/// one: whom it finds it takes off the list there and then. A waiter that is off the list looks once more, whatever its
/// deadline: a wake that comes at the same time as a deadline either ends the wait, or finds the next waiter; checked by the model
/// `wake_one_against_deadline`. Order is first come, first served on a CPU, not between CPUs: threads of a CPU that wakes others
/// often are served before those of other CPUs.
pub struct WaitQueue<X: Events> {
    cpus: AtomicCpuSet,
    kernel: PhantomData<fn() -> X>,
}

/// The deadline came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// What became of a wake of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// A thread of this CPU was woken.
    Here,
    /// Nobody waited on this CPU: this one was asked, and asks the next if it has to.
    Asked(CpuId),
    /// Nobody waited.
    Nobody,
}

/// Values of an [`Answer`].
const WOKEN: usize = 1;
const NOBODY: usize = 2;

impl<X: Events> WaitQueue<X> {
    maybe_const! {
        /// A queue on which nobody waits.
        pub fn new() -> Self {
            Self { cpus: AtomicCpuSet::new(), kernel: PhantomData }
        }
    }

    /// Waits until `done` says so. It is asked in a critical section, first at once, and again after each wake of the thread, which need
    /// not be the queue's: a thread that is woken without a cause asks, and goes back to waiting in its old place.
    pub fn wait_until(&self, cx: &mut MayBlock, done: impl FnMut(&Crit) -> bool) {
        let _ = self.wait(cx, None, done);
    }

    /// As [`wait_until`](Self::wait_until), until `deadline` at the latest, in nanoseconds since boot.
    ///
    /// # Errors
    /// The deadline has passed and `done` did not say so afterwards.
    pub fn wait_until_by(
        &self,
        cx: &mut MayBlock,
        deadline: u64,
        done: impl FnMut(&Crit) -> bool,
    ) -> Result<(), TimedOut> {
        self.wait(cx, Some(deadline), done)
    }

    #[inline]
    fn wait(
        &self,
        cx: &mut MayBlock,
        deadline: Option<u64>,
        mut done: impl FnMut(&Crit) -> bool,
    ) -> Result<(), TimedOut> {
        X::crit(|crit| {
            let me = Waiter::new(self.address(), X::current(crit));
            let result = loop {
                // Where it was, or, if it is off the list, maybe somewhere else.
                self.enter(X::here(crit));
                let missed = X::waiters(crit, Key(()), |waiters| waiters.missed());
                if done(crit) {
                    break Ok(());
                }
                if deadline.is_some_and(|deadline| X::now() >= deadline) {
                    break Err(TimedOut);
                }
                if !me.is_queued() {
                    let waits = X::waiters(crit, Key(()), |waiters| {
                        let waits = waiters.missed() == missed;
                        if waits {
                            // SAFETY: `me` stays on this stack, and this function takes it off before it returns; the thread
                            // does not leave this CPU while it is on (contract of `Events`).
                            #[allow(unsafe_code)]
                            unsafe {
                                waiters.push(&me);
                            }
                        }
                        waits
                    });
                    if !waits {
                        continue;
                    }
                }
                let why = Why::on(Reason::Queue, self);
                match deadline {
                    None => X::block(crit, cx, why),
                    Some(deadline) => X::block_until(crit, cx, why, deadline),
                }
            };
            if me.is_queued() {
                X::waiters(crit, Key(()), |waiters| waiters.remove(&me));
            }
            result
        })
    }

    /// Step 1 of who waits.
    #[inline]
    fn enter(&self, here: CpuId) {
        if !self.cpus.contains(here) {
            self.add(here);
        }
    }

    #[cold]
    fn add(&self, here: CpuId) {
        self.cpus.insert(here);
        // Pairs with: `wake_all` and `wake_elsewhere`, the fences.
        fence(Ordering::SeqCst);
    }

    /// Wakes the thread of this CPU that has waited longest; false if none waits here. Does not look at other CPUs.
    #[inline]
    pub fn wake_one_here(&self, crit: &Crit) -> bool {
        let first = X::waiters(crit, Key(()), |waiters| waiters.pop(self.address()));
        first.inspect(|thread| X::wake(crit, *thread)).is_some()
    }

    /// Wakes all threads of this CPU that wait now, and says how many. Does not look at other CPUs.
    pub fn wake_all_here(&self, crit: &Crit) -> usize {
        core::iter::from_fn(|| self.wake_one_here(crit).then_some(())).count()
    }

    /// Wakes one thread, on whichever CPU; does not wait to hear which.
    #[inline]
    pub fn wake_one(&'static self, crit: &Crit) -> Woken {
        if self.wake_one_here(crit) { Woken::Here } else { self.wake_elsewhere(crit, None) }
    }

    /// Wakes one thread, and says whether one waited. Waits for the answer if that was on another CPU.
    pub fn wake_one_and_know(&'static self, cx: &mut MayBlock) -> bool {
        X::crit(|crit| {
            if self.wake_one_here(crit) {
                return true;
            }
            let answer = Answer::new(X::current(crit));
            match self.wake_elsewhere(crit, Some(&answer)) {
                Woken::Nobody => false,
                _ => answer.wait::<X>(crit, cx, Why::on(Reason::Queue, self)) == WOKEN,
            }
        })
    }

    /// Wakes all threads that wait now, on all CPUs; those of others by a message to each CPU that has some.
    ///
    /// From a handler of a message: with few CPUs in the set only (a handler sends to few).
    pub fn wake_all(&'static self, crit: &Crit) {
        self.wake_all_here(crit);
        let here = X::here(crit);
        // Pairs with: `add`, the fence.
        fence(Ordering::SeqCst);
        for cpu in self.cpus.load().starting_at(here).filter(|cpu| *cpu != here) {
            X::call(crit, cpu, all_here::<X>, [self.word(), 0, 0]);
        }
    }

    #[inline(never)]
    fn wake_elsewhere(&'static self, crit: &Crit, answer: Option<&Answer>) -> Woken {
        let here = X::here(crit);
        // Pairs with: `add`, the fence.
        fence(Ordering::SeqCst);
        match self.cpus.next_after(here) {
            Some(cpu) => {
                let answer =
                    answer.map_or(0, |answer| core::ptr::from_ref(answer).expose_provenance());
                X::call(crit, cpu, one_here::<X>, [self.word(), here.index(), answer]);
                Woken::Asked(cpu)
            }
            None => Woken::Nobody,
        }
    }

    fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn word(&'static self) -> usize {
        core::ptr::from_ref(self).expose_provenance()
    }

    #[allow(unsafe_code)]
    fn of_word(word: usize) -> &'static Self {
        let queue = core::ptr::with_exposed_provenance::<Self>(word);
        // SAFETY: every message of this file has it from `word`, which is asked of a `&'static` only.
        unsafe { &*queue }
    }
}

/// The message of a wake-one, which began at CPU `origin`.
fn one_here<X: Events>(crit: &Crit, queue: usize, origin: usize, answer: usize) {
    let (queue, here) = (WaitQueue::<X>::of_word(queue), X::here(crit));
    if queue.wake_one_here(crit) {
        return give::<X>(crit, answer, WOKEN);
    }
    queue.cpus.remove(here);
    match queue.cpus.next_on_round(CpuId::at(origin), here) {
        Some(next) => X::call(crit, next, one_here::<X>, [queue.word(), origin, answer]),
        None => give::<X>(crit, answer, NOBODY),
    }
}

/// Tells the waker, if it wants to know.
#[allow(unsafe_code)]
fn give<X: Events>(crit: &Crit, answer: usize, value: usize) {
    let answer = core::ptr::with_exposed_provenance::<Answer>(answer);
    // SAFETY: null, or the address of one whose thread waits for this (`wake_one_and_know`).
    if let Some(answer) = unsafe { answer.as_ref() } {
        answer.give::<X>(crit, value);
    }
}

/// The message of a wake-all.
fn all_here<X: Events>(crit: &Crit, queue: usize, _: usize, _: usize) {
    let queue = WaitQueue::<X>::of_word(queue);
    if queue.wake_all_here(crit) == 0 {
        queue.cpus.remove(X::here(crit));
    }
}

impl<X: Events> Default for WaitQueue<X> {
    fn default() -> Self {
        Self::new()
    }
}

impl<X: Events> fmt::Debug for WaitQueue<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue").field("cpus", &self.cpus).finish_non_exhaustive()
    }
}
