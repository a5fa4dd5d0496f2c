//! The callouts of one CPU: what is armed, what is due, and each transition of their states.
//!
//! It decides and [`remote`](crate::remote) acts. Context law: the owning CPU alone, in a critical section, and with callouts
//! whose home it is. Edges are those that [`Callout`](crate::Callout) draws.

use core::fmt;

use lwkt_sched::{ThreadRef, Timers};
use percpu::CpuId;

use crate::callout::{OwnHandler, Reset};
use crate::node::{CalloutRef, Entry, ErrandRef, Plan, State};

/// The callouts of one CPU.
pub struct Callouts {
    armed: Timers<CalloutRef>,
    /// Threaded ones whose time has come, in the order of their times.
    due: Timers<CalloutRef>,
    /// The thread that runs their handlers, once it has come.
    thread: Option<ThreadRef>,
    /// The one whose handler it runs.
    running: Option<CalloutRef>,
    /// The moment that the timer was told of last; `None`: of none, or it has come.
    told: Option<u64>,
}

/// What follows when a handler has returned, or a callout has come from another CPU.
pub(crate) struct Finished {
    /// It went on to this CPU, which is to be told.
    pub moved: Option<CpuId>,
    /// Who waits for it, to be answered. The callout is not to be touched any more.
    pub drains: Option<ErrandRef>,
}

impl Callouts {
    /// Nothing armed.
    pub const fn new() -> Self {
        Self { armed: Timers::new(), due: Timers::new(), thread: None, running: None, told: None }
    }

    /// What the timer is to be told, if that is news.
    #[inline]
    pub(crate) fn news(&mut self) -> Option<Option<u64>> {
        let first = self.armed.first_deadline();
        (core::mem::replace(&mut self.told, first) != first).then_some(first)
    }

    /// The moment has come that the timer was told of; the number of the latest arming.
    pub(crate) fn begin_to_fire(&mut self) -> u64 {
        self.told = None;
        self.armed.turn()
    }

    /// Arms a callout of this CPU `here`; `Some`: it went to that CPU, which is to be told.
    #[inline]
    pub(crate) fn reset(
        &mut self,
        here: CpuId,
        callout: CalloutRef,
        plan: Plan,
    ) -> (Reset, Option<CpuId>) {
        let was_pending = match callout.inside(|inside| inside.state) {
            State::Running | State::Moving => {
                // Edges 8 and 14.
                let reset = callout.inside(|inside| {
                    if inside.drains.is_some() {
                        return Reset::Refused;
                    }
                    let before = inside.then.replace(plan);
                    if before.is_some() { Reset::Replaced } else { Reset::Armed }
                });
                return (reset, None);
            }
            _ => self.unschedule(callout),
        };
        let reset = if was_pending { Reset::Replaced } else { Reset::Armed };
        (reset, place(&mut self.armed, here, callout, plan))
    }

    /// Has a callout of this CPU not fire; answers whether it would have. Edges 2, 5; 9 and 15 in part.
    #[inline]
    pub(crate) fn cancel(&mut self, callout: CalloutRef) -> bool {
        match callout.inside(|inside| inside.state) {
            State::Running | State::Moving => callout.inside(|inside| inside.then.take()).is_some(),
            _ => {
                let was_pending = self.unschedule(callout);
                if was_pending {
                    probe::cancelled(callout.name());
                }
                was_pending
            }
        }
    }

    /// As `cancel`; `None`: its handler runs, or it is on its way, and `errand` will be among [`Finished::drains`].
    pub(crate) fn drain(
        &mut self,
        callout: CalloutRef,
        errand: ErrandRef,
        early: fn() -> bool,
    ) -> Option<Result<bool, OwnHandler>> {
        let own = self.thread == Some(errand.answer.thread());
        if own && self.running == Some(callout) {
            return Some(Err(OwnHandler));
        }
        let was_pending = self.cancel(callout);
        let waits = callout.inside(|inside| {
            // Edges 9 and 15.
            let busy = matches!(inside.state, State::Running | State::Moving) && !early();
            if busy {
                errand.was_pending.set(was_pending);
                errand.next.set(inside.drains.replace(errand));
            }
            busy
        });
        (!waits).then_some(Ok(was_pending))
    }

    /// The next short one that is due at `now` and was armed by `turn`, to be run now (edge 7); threaded ones before it are queued
    /// (edge 4).
    pub(crate) fn expire(&mut self, now: u64, turn: u64) -> Option<CalloutRef> {
        loop {
            let callout = self.armed.pop_until(now, turn)?;
            match callout.entry {
                Entry::Short(_) => {
                    callout.inside(|inside| inside.state = State::Running);
                    return Some(callout);
                }
                Entry::Threaded(_) => {
                    callout.inside(|inside| inside.state = State::Queued);
                    self.due.arm(callout, now);
                }
            }
        }
    }

    /// The callout thread, if there is something for it to do and it does nothing; `Some(None)`: it has not come yet.
    pub(crate) fn idle_thread(&self) -> Option<Option<ThreadRef>> {
        (self.due.first().is_some() && self.running.is_none()).then_some(self.thread)
    }

    /// The next threaded one that is due, to be run now by `thread`, the callout thread (edge 6).
    pub(crate) fn take_due(&mut self, thread: ThreadRef) -> Option<CalloutRef> {
        self.thread = Some(thread);
        let callout = self.due.pop(u64::MAX)?;
        callout.inside(|inside| inside.state = State::Running);
        self.running = Some(callout);
        Some(callout)
    }

    /// Its handler has returned, or it has come from another CPU: edges 10 to 12, 16.
    pub(crate) fn finish(&mut self, here: CpuId, callout: CalloutRef) -> Finished {
        if self.running == Some(callout) {
            self.running = None;
        }
        let (then, drains) = callout.inside(|inside| {
            debug_assert!(matches!(inside.state, State::Running | State::Moving));
            inside.state = State::Idle;
            (inside.then.take(), inside.drains.take())
        });
        let moved = then.and_then(|plan| place(&mut self.armed, here, callout, plan));
        Finished { moved, drains }
    }

    /// Takes it out of whichever heap it is in (edges 2, 3, 5, 13); answers whether it was in one.
    #[inline]
    fn unschedule(&mut self, callout: CalloutRef) -> bool {
        let heap = match callout.inside(|inside| core::mem::replace(&mut inside.state, State::Idle))
        {
            State::Armed => &mut self.armed,
            State::Queued => &mut self.due,
            _ => return false,
        };
        heap.cancel(callout);
        true
    }

    /// How many are armed and due, if what must hold does.
    pub fn check(&self) -> Option<(usize, usize)> {
        self.armed.check().zip(self.due.check())
    }
}

/// Arms an idle callout of this CPU here (edge 1), or gives it to another CPU (edge 13): the last access then.
#[inline]
fn place(
    armed: &mut Timers<CalloutRef>,
    here: CpuId,
    callout: CalloutRef,
    plan: Plan,
) -> Option<CpuId> {
    if plan.cpu == here {
        probe::armed(callout.name(), plan.at);
        callout.inside(|inside| inside.state = State::Armed);
        armed.arm(callout, plan.at);
        return None;
    }
    callout.inside(|inside| (inside.state, inside.then) = (State::Moving, Some(plan)));
    callout.set_home(plan.cpu);
    Some(plan.cpu)
}

impl Default for Callouts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Callouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callouts")
            .field("armed", &self.armed)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}
