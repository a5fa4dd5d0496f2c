//! Callouts: a function that a CPU calls at a moment, unless it is told otherwise before.
//!
//! A callout is memory of its owner's; arming it allocates nothing. It belongs to one CPU at a time, its home, which alone
//! touches it: that of the last [`reset`](Callout::reset). Others send that CPU a message and wait for its answer.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::{CpuId, Crit, maybe_const};

use crate::Events;
use crate::node::{CalloutNode, CalloutRef, Entry, Plan, What};
use crate::remote;

/// A function to be called at a moment, with a value for it.
///
/// ```text
///                      ┌──────────────(7) due, short───────────────┐
///                      │                                           ▼
///   Idle ──(1) reset─▶ Armed ──(4) due──▶ Queued ──(6) thread──▶ Running ──(10) returns──▶ Idle
///    ▲ ◀─(2) cancel────┘▲ ▲                │ │                      ├──(11) returns, was reset─────▶ Armed
///    └───(5) cancel─────┼─┼────────────────┘ │                      └──(12) the same, for another CPU──▶ Moving
///                       │ └──(3) reset───────┘
///                       └────(3) reset, of an armed one
///   Idle, Armed, Queued ──(13) reset for another CPU──▶ Moving ──(16) its message comes──▶ Armed, Idle or Moving
///   noted while Running: (8) reset, (9) cancel or drain; while Moving: (14) reset, (15) cancel or drain
/// ```
///
/// - (1), (3) [`reset`](Self::reset). (2), (5) [`cancel`](Self::cancel) and [`drain`](Self::drain).
/// - (4), (7) [`fire`](crate::fire): threaded handlers wait for the callout thread, short ones run at once.
/// - (6) [`serve_one`](crate::serve_one): the callout thread, which also does (10) to (12).
/// - (8), (14): what a reset says is kept, and done on (11), (12) or (16); so a handler may arm itself again. (9), (15): what was kept
///   is forgotten. A drain is noted too: it is answered on (10) or (16), and until then resets are refused.
/// - (13), (12): the home changes, last of all; the message that follows finds `Moving`. Whoever comes before it finds `Moving` too,
///   which says that a message is on its way: so a drain never ends before it has come.
///
/// Forbidden: that after a drain the handler runs, or any CPU touches the callout; its owner may then use the memory for something
/// else. (A reset that is made at the same time as the drain, by another thread, is the owner's to prevent.) Checked by the
/// models `drain_against_firing` and `drain_against_move`, and whole scenarios over simulated CPUs.
#[repr(C)]
pub struct Callout<X: Events, T: 'static = ()> {
    /// First: see `whole`.
    node: CalloutNode,
    handler: Handler<X, T>,
    value: T,
    kernel: PhantomData<fn() -> X>,
}

enum Handler<X: Events, T: 'static> {
    Short(fn(&Crit, &Firing<X, T>)),
    Threaded(fn(&mut MayBlock, &Firing<X, T>)),
}

/// What a handler is given: its callout, while it runs.
pub struct Firing<X: Events, T: 'static> {
    callout: &'static Callout<X, T>,
    here: PhantomData<*mut ()>,
}

/// When a callout is to fire: then, or soon after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this moment, in nanoseconds since boot.
    At(u64),
    /// After so many nanoseconds.
    After(u64),
}

/// What a reset found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reset {
    /// It was not pending.
    Armed = 1,
    /// It was, and fires at the new time instead.
    Replaced,
    /// It is being drained, and is not armed.
    Refused,
}

/// The callout belongs to another CPU, or to none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere(pub Option<CpuId>);

/// A handler cannot wait for its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnHandler;

impl<X: Events, T: Sync + 'static> Callout<X, T> {
    maybe_const! {
        /// A callout whose handler runs in place, in a critical section of the timer interrupt: a few instructions, no waiting.
        pub fn short(handler: fn(&Crit, &Firing<X, T>), value: T) -> Self {
            let node = CalloutNode::new(Entry::Short(run_short::<X, T>));
            Self { node, handler: Handler::Short(handler), value, kernel: PhantomData }
        }
    }

    maybe_const! {
        /// A callout whose handler runs on the callout thread of its CPU, may take its time, and may wait.
        pub fn threaded(handler: fn(&mut MayBlock, &Firing<X, T>), value: T) -> Self {
            let node = CalloutNode::new(Entry::Threaded(run_threaded::<X, T>));
            Self { node, handler: Handler::Threaded(handler), value, kernel: PhantomData }
        }
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Has it fire then, on that CPU; if it is pending, then instead (edges 1, 3, 8, 13, 14).
    #[inline]
    pub fn reset(&'static self, cx: &mut MayBlock, when: When, cpu: CpuId) -> Reset {
        let plan = Plan { at: when.moment::<X>(), cpu };
        X::crit(|crit| {
            let here = X::here(crit);
            if self.node.claim(here) == here {
                return remote::reset::<X>(crit, here, self.node(), plan);
            }
            Reset::of(remote::ask::<X>(crit, cx, self.node(), What::Reset(plan), self.why()))
        })
    }

    /// As [`reset`](Self::reset) for this CPU, without waiting: only for a callout whose home this is.
    ///
    /// # Errors
    /// It belongs to another CPU; nothing was done.
    #[inline]
    pub fn reset_here(&'static self, crit: &Crit, when: When) -> Result<Reset, Elsewhere> {
        let here = X::here(crit);
        match self.node.claim(here) {
            home if home == here => {
                let plan = Plan { at: when.moment::<X>(), cpu: here };
                Ok(remote::reset::<X>(crit, here, self.node(), plan))
            }
            home => Err(Elsewhere(Some(home))),
        }
    }

    /// Has it not fire; says whether it would have. A handler that runs already is not waited for (edges 2, 5, 9, 15).
    #[inline]
    pub fn cancel(&'static self, cx: &mut MayBlock) -> bool {
        X::crit(|crit| match self.cancel_here(crit) {
            Ok(was_pending) => was_pending,
            Err(Elsewhere(None)) => false,
            Err(_) => {
                let answer = remote::ask::<X>(crit, cx, self.node(), What::Cancel, self.why());
                answer == remote::WAS_PENDING
            }
        })
    }

    /// As [`cancel`](Self::cancel), without waiting: only for a callout whose home this CPU is.
    ///
    /// # Errors
    /// It belongs to another CPU or was never armed; nothing was done.
    #[inline]
    pub fn cancel_here(&'static self, crit: &Crit) -> Result<bool, Elsewhere> {
        match self.node.home() {
            Some(home) if home == X::here(crit) => Ok(remote::cancel::<X>(crit, self.node())),
            home => Err(Elsewhere(home)),
        }
    }

    /// Has it not fire, and waits until its handler does not run; says whether it was pending.
    ///
    /// From any thread on any CPU; also while others drain it. Afterwards, until the next reset, no CPU touches the callout.
    ///
    /// # Errors
    /// The caller is its handler. Nothing was done.
    pub fn drain(&'static self, cx: &mut MayBlock) -> Result<bool, OwnHandler> {
        X::crit(|crit| {
            if self.node.home().is_none() {
                return Ok(false);
            }
            match remote::ask::<X>(crit, cx, self.node(), What::Drain, self.why()) {
                remote::OWN_HANDLER => Err(OwnHandler),
                answer => Ok(answer == remote::WAS_PENDING),
            }
        })
    }

    /// Uses the memory as its owner may after a drain.
    #[cfg(all(test, feature = "loom"))]
    pub(crate) fn seize(&self) {
        self.node.inside(|_| ());
    }

    fn node(&'static self) -> CalloutRef {
        CalloutRef::new(&self.node)
    }

    fn why(&self) -> Why {
        Why::on(Reason::Callout, self)
    }

    #[allow(unsafe_code)]
    fn of(node: CalloutRef) -> &'static Self {
        // SAFETY: `run_short` and `run_threaded` are in the nodes of such callouts only, which begin with them.
        unsafe { node.whole::<Self>() }
    }
}

fn run_short<X: Events, T: Sync + 'static>(crit: &Crit, node: CalloutRef) {
    let callout = Callout::<X, T>::of(node);
    if let Handler::Short(handler) = callout.handler {
        handler(crit, &Firing { callout, here: PhantomData });
    }
}

fn run_threaded<X: Events, T: Sync + 'static>(cx: &mut MayBlock, node: CalloutRef) {
    let callout = Callout::<X, T>::of(node);
    if let Handler::Threaded(handler) = callout.handler {
        handler(cx, &Firing { callout, here: PhantomData });
    }
}

impl<X: Events, T: Sync + 'static> Firing<X, T> {
    /// The callout that fires.
    pub fn callout(&self) -> &'static Callout<X, T> {
        self.callout
    }

    /// Its value.
    pub fn value(&self) -> &'static T {
        &self.callout.value
    }

    /// Has it fire again, here: when the handler has returned, and not in the same timer interrupt (edge 8).
    pub fn again(&self, when: When) -> Reset {
        X::crit(|crit| self.again_at(crit, when, X::here(crit)))
    }

    /// The same, on another CPU.
    pub fn again_on(&self, when: When, cpu: CpuId) -> Reset {
        X::crit(|crit| self.again_at(crit, when, cpu))
    }

    fn again_at(&self, crit: &Crit, when: When, cpu: CpuId) -> Reset {
        let (here, plan) = (X::here(crit), Plan { at: when.moment::<X>(), cpu });
        // Until the handler has returned, its home is where it was called.
        assert!(self.callout.node.home() == Some(here), "a handler stays on its CPU");
        remote::reset::<X>(crit, here, self.callout.node(), plan)
    }
}

impl When {
    #[inline]
    fn moment<X: Events>(self) -> u64 {
        match self {
            Self::At(at) => at,
            Self::After(nanoseconds) => X::now().saturating_add(nanoseconds),
        }
    }
}

impl Reset {
    fn of(answer: usize) -> Self {
        [Self::Armed, Self::Replaced]
            .into_iter()
            .find(|reset| *reset as usize == answer)
            .unwrap_or(Self::Refused)
    }
}

impl<X: Events, T: fmt::Debug> fmt::Debug for Callout<X, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callout").field("value", &self.value).finish_non_exhaustive()
    }
}
