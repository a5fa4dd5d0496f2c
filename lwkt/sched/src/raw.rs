//! The thread as memory, and most of the unsafe code of this crate: why sharing it between CPUs is sound.
//!
//! Context law: every cell of a [`Thread`] is touched by its home CPU alone, by way of that CPU's `Scheduler`, which
//! compares `home` with its own number first. Foreign CPUs read `home`, count `chased`, and nothing else.
#![allow(unsafe_code)]

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use percpu::CpuId;

use crate::preempt::Token;
use crate::{Alarm, Name, Node, Priority, Rare, State, Why, start::Life};

/// Where a thread that is off its CPU continues. The architecture fills it on a switch and defines what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Context {
    /// The stack pointer.
    pub sp: usize,
    /// The instruction to continue with.
    pub ip: usize,
}

/// A thread of the kernel.
///
/// ```text
///  Unstarted --(1) spawn--> Ready <--(2) pick--> RUNNING --(8) exit----> Exited --(9) reap, join--> Unstarted
///                           ^ ^ ^ (3) yield         | |
///                           | | |                   | +---(4) block---> Blocked  --(6) wake----------> Ready
///                           | | |                   | +---(5) sleep---> Sleeping --(6) wake----------> Ready
///                           | | |                   |                            \--(7) expire--------> Ready
///                           | | +-(11) acquire- Migrating <-(10) migrate, depart-+
///                           | |                     ^  \-(11) acquire--> Blocked, Sleeping, Descheduled
///                           | +--(17) schedule--+   +------(15) give---- Ready, Blocked, Sleeping, Descheduled
///                           |                   |
///                           +--(16) deschedule--+-> Descheduled <--(16) depart-- RUNNING
///
///   borrower: Blocked --(12) preempt--> RUNNING --(4, 5, 8, 10) as above, and (13)--+
///   victim:   RUNNING --(12) preempt--> Preempted ---------(13) return, (14) repay--+--> RUNNING
/// ```
///
/// - (1) [`Scheduler::spawn`](crate::Scheduler::spawn): the thread gets its home.
/// - (2) [`pick`](crate::Scheduler::pick), and each call that leaves the CPU. A running thread stays in its queue, at
///   the head of its priority.
/// - (3) [`yield_now`](crate::Scheduler::yield_now): to the tail of its priority; `RUNNING` again if it is alone.
/// - (4) [`block`](crate::Scheduler::block), (5) [`sleep`](crate::Scheduler::sleep): no transition if the wake token
///   (no token of `lwkt-token`) is set: the token is taken and the thread goes on.
/// - (6) [`wake`](crate::Scheduler::wake): on a `Ready`, `RUNNING`, `Preempted`, `Descheduled` or `Migrating` thread it sets the wake
///   token instead.
/// - (7) [`expire`](crate::Scheduler::expire).
/// - (8) [`exit`](crate::Scheduler::exit), (9) [`arrived`](crate::Scheduler::arrived) on the next thread's stack.
/// - (10) [`migrate`](crate::Scheduler::migrate), completed by `arrived`; or [`depart`](crate::Scheduler::depart), when others
///   [asked for it](crate::Scheduler::evict). (11) [`acquire`](crate::Scheduler::acquire), at the new home: the thread goes on
///   with what it did; a wake that was there before it ends its wait.
/// - (12) [`preempt`](crate::Scheduler::preempt) and [`preempt_again`](crate::Scheduler::preempt_again): a borrowed switch.
///   What it refuses is edge 6.
/// - (13) With edges 4, 5, 8 and 10 of the borrower the victim runs again, whoever else is ready.
/// - (14) [`repay`](crate::Scheduler::repay): the borrower gave way (edge 3), and whom the queue chose lets the victim run.
/// - (15) [`give`](crate::Scheduler::give), by the CPU of a thread that neither runs nor is preempted, and can be reached elsewhere.
/// - (16) [`deschedule`](crate::Scheduler::deschedule), from `Ready`; what runs, is preempted or waits is marked, and stops by
///   `depart` where it gives way or comes to run, its CPU not being lent. (17) [`schedule`](crate::Scheduler::schedule).
///
/// The memory of a thread is a thread for ever (`ThreadRef` is `'static`), so a wake that comes late meets a thread:
/// at worst another one that uses the memory now, which sees a wake it need not have got. Every wait is a loop.
#[repr(C, align(64))]
pub struct Thread {
    // The first line: all that a switch touches.
    context: UnsafeCell<Context>,
    pub(crate) next: Cell<ThreadRef>,
    pub(crate) rare: Cell<Rare>,
    pub(crate) priority: Cell<Priority>,
    pub(crate) state: Cell<State>,
    pub(crate) token: Cell<Token>,
    pub(crate) timed_out: Cell<bool>,
    home: AtomicU16,
    pub(crate) joined: Cell<bool>,
    pub(crate) life: Cell<Life>,
    pub(crate) bound: Cell<bool>,
    pub(crate) why: Cell<Why>,
    ext: Cell<usize>,
    /// The run queue's own word of this thread.
    pub(crate) merit: Cell<u64>,
    pub(crate) alarm: Alarm<ThreadRef>,
    // All threads of a CPU.
    pub(crate) all_next: Cell<Option<ThreadRef>>,
    pub(crate) all_previous: Cell<Option<ThreadRef>>,
    pub(crate) joiner: Cell<Option<ThreadRef>>,
    pub(crate) name: Cell<Name>,
    /// While `Migrating`: its state at the new home.
    pub(crate) then: Cell<State>,
    /// Where it goes when it is evicted.
    pub(crate) to: Cell<CpuId>,
    /// Messages that the thread waits for where it is (see `Chase`). Any CPU.
    chased: AtomicU32,
}

// SAFETY: 1. `home` and `chased` are atomic. 2. Every other cell is private to this crate and reached through a `Scheduler` whose CPU
// is the thread's home (checked there), through the only `Unstarted` of the thread, or is `context`/`ext`, whose
// accessors are unsafe. 3. There is one scheduler per CPU (contract of `Scheduler::new`) and it is reached with
// `&mut` only. 4. A thread changes home by message, after its old home's last access.
unsafe impl Sync for Thread {}
// SAFETY: nothing in a thread belongs to a CPU but by `home`; see above.
unsafe impl Send for Thread {}

/// What the links of a thread point to that is in no queue, and who is current while nobody is.
/// As the idle thread it is no victim, by its priority.
static NOBODY: Thread = Thread { priority: Cell::new(Priority::IDLE), ..Thread::new() };

impl Thread {
    /// Where `Context` is in a thread, for the architecture's switch.
    pub const CONTEXT: usize = core::mem::offset_of!(Thread, context);

    /// Memory for a thread.
    pub const fn new() -> Self {
        Self {
            context: UnsafeCell::new(Context { sp: 0, ip: 0 }),
            next: Cell::new(ThreadRef(&NOBODY)),
            rare: Cell::new(Rare::NONE),
            priority: Cell::new(Priority::BACKGROUND),
            state: Cell::new(State::Unstarted),
            token: Cell::new(Token::NONE),
            timed_out: Cell::new(false),
            home: AtomicU16::new(0),
            joined: Cell::new(false),
            life: Cell::new(Life::Detached),
            bound: Cell::new(false),
            why: Cell::new(Why::NOTHING),
            ext: Cell::new(0),
            merit: Cell::new(0),
            alarm: Alarm::new(),
            all_next: Cell::new(None),
            all_previous: Cell::new(None),
            joiner: Cell::new(None),
            name: Cell::new(Name::new("")),
            then: Cell::new(State::Ready),
            to: Cell::new(CpuId::BOOT),
            chased: AtomicU32::new(0),
        }
    }

    /// The CPU that the thread belongs to. May be stale by the time that it is used, on another CPU: what is sent
    /// there is checked there again.
    #[inline]
    pub fn home(&self) -> CpuId {
        // Pairs with: `set_home`, release.
        let number = self.home.load(Ordering::Acquire);
        // SAFETY: `new` and `set_home` store numbers of CPUs, and nobody else stores.
        unsafe { CpuId::at_unchecked(number.into()) }
    }

    #[inline]
    pub(crate) fn lives_on(&self, cpu: CpuId) -> bool {
        self.home() == cpu
    }

    pub(crate) fn set_home(&self, cpu: CpuId) {
        // Pairs with: `home`, acquire: whoever finds the thread at its new home also finds all that its old home did.
        const { assert!(percpu::MAX_CPUS <= 1 << u16::BITS, "a home is two bytes") }
        self.home.store(cpu.index() as u16, Ordering::Release);
    }

    /// It stays where it is from now on, once a leave that has looked before is over: until `let_go`.
    pub(crate) fn hold_still(&self) {
        // Pairs with: `is_chased`, by the order of changes of one word; whose home is read next, acquire.
        self.chased.fetch_add(1, Ordering::AcqRel);
    }

    /// One message less that it waits for.
    pub(crate) fn let_go(&self) {
        // Pairs with: `is_chased`, acquire.
        let before = self.chased.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before != 0);
    }

    /// Whether it has to stay. A change that changes nothing: a load might be older than a `hold_still`.
    pub(crate) fn is_chased(&self) -> bool {
        // Pairs with: `hold_still`.
        self.chased.fetch_add(0, Ordering::AcqRel) != 0
    }

    /// Where the thread continues.
    #[inline]
    pub fn context(&self) -> *mut Context {
        self.context.get()
    }

    /// Sets where a thread that is not started begins.
    pub(crate) fn set_context(&self, begin: Context) {
        // SAFETY: the caller holds the thread's only `Unstarted` (this is called from there alone): nobody switches to
        // it or from it.
        unsafe { *self.context.get() = begin }
    }

    pub(crate) fn set_ext(&self, ext: usize) {
        self.ext.set(ext);
    }

    /// The kernel's own word of this thread (its stack, its process): what [`Unstarted::set_ext`] put there.
    ///
    /// # Safety
    /// The caller is on the thread's home CPU, or the thread is the running one.
    ///
    /// [`Unstarted::set_ext`]: crate::Unstarted::set_ext
    #[inline]
    pub unsafe fn ext(&self) -> usize {
        self.ext.get()
    }
}

impl Default for Thread {
    fn default() -> Self {
        Self::new()
    }
}

/// A reference to a thread: one word, never null, may be sent anywhere. What can be done with it on which CPU is
/// decided by that CPU's [`Scheduler`](crate::Scheduler).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct ThreadRef(&'static Thread);

static_assertions::assert_impl_all!(ThreadRef: Send, Sync);
static_assertions::assert_eq_size!(Option<ThreadRef>, usize);

impl ThreadRef {
    pub(crate) const fn new(thread: &'static Thread) -> Self {
        Self(thread)
    }

    /// No thread: who runs while nobody does.
    pub(crate) fn nobody() -> Self {
        Self(&NOBODY)
    }

    /// This reference as a word of a message.
    #[inline]
    pub fn into_word(self) -> usize {
        core::ptr::from_ref(self.0).expose_provenance()
    }

    /// The reference in a word of a message.
    ///
    /// # Safety
    /// `word` came from [`ThreadRef::into_word`].
    #[inline]
    pub unsafe fn from_word(word: usize) -> Self {
        let thread = core::ptr::with_exposed_provenance::<Thread>(word);
        // SAFETY: 1. The word was a `&'static Thread` (contract). 2. All of a thread is cells and atomics.
        Self(unsafe { &*thread })
    }
}

impl core::ops::Deref for ThreadRef {
    type Target = Thread;
    #[inline]
    fn deref(&self) -> &Thread {
        self.0
    }
}

impl Node for ThreadRef {
    #[inline]
    fn alarm(&self) -> &Alarm<Self> {
        &self.0.alarm
    }
}

impl PartialEq for ThreadRef {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl Eq for ThreadRef {}

impl fmt::Debug for ThreadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {:p} of {:?}", self.0, self.home())
    }
}
