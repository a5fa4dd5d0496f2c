//! The callout and the question about it as memory, and why sharing them between CPUs is sound.
#![allow(unsafe_code)]

use core::cell::Cell;

use lwkt_sched::{Alarm, MayBlock, Node, ThreadRef};
use percpu::sync::{AtomicU16, Ordering, UnsafeCell};
use percpu::{CpuId, Crit, MAX_CPUS, maybe_const};

use crate::answer::Answer;

/// The state of a callout. Drawn in the documentation of [`Callout`](crate::Callout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing will happen.
    Idle,
    /// In the heap of its home.
    Armed,
    /// Due; waits for its home's callout thread.
    Queued,
    /// Its handler runs, on its home.
    Running,
    /// A message takes it to its home.
    Moving,
}

/// When and where it is to fire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub at: u64,
    pub cpu: CpuId,
}

/// How its handler runs.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// In place, in a critical section.
    Short(fn(&Crit, CalloutRef)),
    /// On the callout thread of its home.
    Threaded(fn(&mut MayBlock, CalloutRef)),
}

/// What the home of a callout knows of it.
pub(crate) struct Inside {
    pub state: State,
    /// What follows when the handler has returned, or the message has come.
    pub then: Option<Plan>,
    /// Who waits for that: a list.
    pub drains: Option<ErrandRef>,
}

/// The part of a callout that does not depend on its type.
pub(crate) struct CalloutNode {
    home: AtomicU16,
    pub entry: Entry,
    alarm: Alarm<CalloutRef>,
    inside: UnsafeCell<Inside>,
}

// SAFETY: 1. `home` is atomic; `entry` is never written. 2. `alarm` and `inside` are touched by the CPU that `home` names
// alone, in a critical section: by its `Callouts`, whose callers compare first (`remote`). 3. A callout changes home by
// a release of `home`, the old one's last access.
unsafe impl Sync for CalloutNode {}
// SAFETY: as above.
unsafe impl Send for CalloutNode {}

/// The home of a callout that nobody has armed yet.
const NOWHERE: u16 = u16::MAX;
static_assertions::const_assert!(MAX_CPUS < NOWHERE as usize);

impl CalloutNode {
    maybe_const! {
        pub fn new(entry: Entry) -> Self {
            Self {
                home: AtomicU16::new(NOWHERE),
                entry,
                alarm: Alarm::new(),
                inside: UnsafeCell::new(Inside { state: State::Idle, then: None, drains: None }),
            }
        }
    }

    /// The CPU that it belongs to; `None` before it is first armed. May be stale elsewhere: what is sent there is checked there.
    #[inline]
    pub fn home(&self) -> Option<CpuId> {
        // Pairs with: `set_home` and `claim`, release.
        CpuId::new(self.home.load(Ordering::Acquire).into())
    }

    /// Its home, which is this CPU if it had none.
    #[inline]
    pub fn claim(&self, here: CpuId) -> CpuId {
        self.home().unwrap_or_else(|| self.claim_first(here))
    }

    #[cold]
    fn claim_first(&self, here: CpuId) -> CpuId {
        let (order, mine) = (Ordering::AcqRel, here.index() as u16);
        // Pairs with: itself, and `home`, acquire.
        match self.home.compare_exchange(NOWHERE, mine, order, Ordering::Acquire) {
            Ok(_) => here,
            Err(home) => CpuId::at(home.into()),
        }
    }

    /// Gives it to another CPU: its home's last access.
    pub fn set_home(&self, cpu: CpuId) {
        // Pairs with: `home`, acquire.
        self.home.store(cpu.index() as u16, Ordering::Release);
    }

    /// Lends what its home knows; `f` asks for it no second time. The caller is this CPU's [`Callouts`](crate::Callouts), and
    /// the callout is of this CPU.
    #[inline(always)]
    pub fn inside<R>(&self, f: impl FnOnce(&mut Inside) -> R) -> R {
        self.inside.with_mut(|inside| {
            // SAFETY: 1. One CPU, in a critical section: nobody else on it (`Callouts` is lent with `&mut`). 2. No nesting (above).
            f(unsafe { &mut *inside })
        })
    }
}

/// A reference to a callout: one word, may be sent anywhere.
#[derive(Clone, Copy)]
pub(crate) struct CalloutRef(&'static CalloutNode);

static_assertions::assert_impl_all!(CalloutRef: Send, Sync);

impl CalloutRef {
    pub const fn new(node: &'static CalloutNode) -> Self {
        Self(node)
    }

    /// What stands for it in a timeline.
    #[inline(always)]
    pub fn name(self) -> u32 {
        probe::low(core::ptr::from_ref(self.0).addr())
    }

    pub fn into_word(self) -> usize {
        core::ptr::from_ref(self.0).expose_provenance()
    }

    /// # Safety
    /// `word` came from `into_word`, and the callout is still there: whoever sent the word waits for an answer, or a drain does
    /// that it will end.
    pub unsafe fn from_word(word: usize) -> Self {
        // SAFETY: it was made from a `&'static`, and is still there (contract).
        Self(unsafe { &*core::ptr::with_exposed_provenance(word) })
    }

    /// The callout of type `C` that this is the node of.
    ///
    /// # Safety
    /// It is the first field of a `C`, which is `repr(C)`.
    pub unsafe fn whole<C>(self) -> &'static C {
        // SAFETY: the caller's promise.
        unsafe { &*core::ptr::from_ref(self.0).cast::<C>() }
    }
}

impl core::ops::Deref for CalloutRef {
    type Target = CalloutNode;
    #[inline(always)]
    fn deref(&self) -> &CalloutNode {
        self.0
    }
}

impl PartialEq for CalloutRef {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl Node for CalloutRef {
    #[inline(always)]
    fn alarm(&self) -> &Alarm<Self> {
        &self.0.alarm
    }
}

/// What a thread asks a callout's home to do.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Reset(Plan),
    Cancel,
    Drain,
}

/// A question on the stack of the thread that waits for its answer.
pub(crate) struct Errand {
    pub what: What,
    pub answer: Answer,
    /// For a drain that waits: what to answer, and the next that waits. Of the callout's home.
    pub was_pending: Cell<bool>,
    pub next: Cell<Option<ErrandRef>>,
}

impl Errand {
    pub fn new(what: What, thread: ThreadRef) -> Self {
        let answer = Answer::new(thread);
        Self { what, answer, was_pending: Cell::new(false), next: Cell::new(None) }
    }

    pub fn word(&self) -> usize {
        core::ptr::from_ref(self).expose_provenance()
    }
}

/// A question that waits for its answer.
#[derive(Clone, Copy)]
pub(crate) struct ErrandRef(*const Errand);

// SAFETY: until it is answered, the callout's home alone touches its cells; the rest is atomic or never written.
unsafe impl Send for ErrandRef {}
// SAFETY: as above.
unsafe impl Sync for ErrandRef {}

impl ErrandRef {
    /// # Safety
    /// `word` came from [`Errand::word`], and its thread waits for the answer, which whoever has this gives once and last.
    pub unsafe fn from_word(word: usize) -> Self {
        Self(core::ptr::with_exposed_provenance(word))
    }
}

impl core::ops::Deref for ErrandRef {
    type Target = Errand;
    fn deref(&self) -> &Errand {
        // SAFETY: its thread waits (contract of `from_word`).
        unsafe { &*self.0 }
    }
}
