//! The block of each CPU, and critical sections.
//!
//! A [`Cpu`] is reached by its owner through `gs` ([`here`]) and by the others through the table ([`on`]). Law: what
//! stands in an [`Own`] is the owner's alone, inside a critical section; what others may read is a [`Counter`], or
//! an atomic that its own CPU writes unless its type says otherwise.

use crate::idle::Rests;
pub use crate::idle::{Idle, idle_policy, set_idle_policy};
use crate::interrupt::{self, Interrupts};
use crate::ipi;
use crate::memory::FrameCache;
pub use crate::park::{ParkError, begin_to_park, is_cleared, is_parked, park, unpark};
use crate::process::Objects;
use crate::thread::{Scheduler, Spares};
use crate::timeline::{IS_TRACED, Log, Logs};
use crate::timer::{self, Timer};
use arch::CpuHead;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use lwkt_events::{Callouts, Sections, Waiters};
use lwkt_sched::{Hard, MayBlock, Unstarted};
use memory::remote::Chosen;
use percpu::checks::Place;
use percpu::{Counter, CpuId, Crit, Here, MAX_CPUS, Own};

/// What one CPU owns.
#[repr(C)]
pub struct Cpu {
    /// First, so that `gs` points to both.
    pub(crate) head: CpuHead,
    id: CpuId,
    pub(crate) scheduler: Own<Scheduler>,
    pub(crate) spares: Own<Spares>,
    pub(crate) frames: Own<FrameCache>,
    pub(crate) heap: Own<memory::Objects>,
    pub(crate) timer: Own<Timer>,
    pub(crate) objects: Own<Objects>,
    /// What this CPU did, for windows of measurement.
    pub counters: Counters,
    /// One of the marks that follow was left. (That the doorbell rang is in the head.) Own CPU only.
    due: AtomicBool,
    /// The timer fired in a critical section. Own CPU only.
    pub(crate) timer_due: AtomicBool,
    pub(crate) interrupts: Interrupts,
    pub(crate) rests: Rests,
    /// The ranks of the spin locks that it has, in debug builds. Own CPU only.
    pub(crate) spin_ranks: AtomicU32,
    /// Where the lock of each rank was taken that this CPU has.
    pub(crate) spin_places: [Place; u32::BITS as usize],
    /// Until the running thread looks whether another should run (see [`thread::breathe`](crate::thread::breathe)). Own CPU only.
    pub(crate) breaths: AtomicU32,
    /// The thread whose turn is over, as a word; 0 for none. Own CPU only.
    pub(crate) turn_over: AtomicUsize,
    /// What its timer is armed for, in nanoseconds since boot; [`timer::NEVER`] for nothing. Written by its own CPU.
    pub(crate) deadline: AtomicU64,
    pub(crate) waiters: Own<Waiters>,
    pub(crate) callouts: Own<Callouts>,
    /// Its callout thread, until that has begun.
    pub(crate) callout_thread: Own<Option<Unstarted>>,
    pub(crate) logs: Logs,
    /// How objects of the heap go back to their CPU, and come back to this one.
    pub(crate) freed: Chosen,
    /// Those in which it looks at something that may be taken away.
    pub(crate) sections: Own<Sections>,
}

/// What a CPU counts beside its messages (see [`ipiq::Counters`]) and switches.
#[derive(Default)]
pub struct Counters {
    /// Entries from ring 3 by `syscall`.
    pub entries: Counter,
    /// Times that its timer has fired.
    pub timers: Counter,
    /// Interrupts that nobody asked for.
    pub unexpected: Counter,
    /// Threads that went to another CPU, by themselves or given away.
    pub migrations: Counter,
    /// Messages that were forwarded because their thread had moved.
    pub chases: Counter,
    /// Those among them that made it stand still.
    pub held_still: Counter,
    /// Rests in which this CPU watched its doorbell by `mwait`.
    pub mwaits: Counter,
    /// Rests in which it looked at its doorbell over and over.
    pub spins: Counter,
    /// Rests that a message ended without an interrupt.
    pub silent_wakes: Counter,
    /// Page faults that gave ring 3 a page.
    pub page_faults: Counter,
    /// Frames taken less frames put back, by this CPU; wraps below zero.
    pub frames: Counter,
    /// Heap bytes allocated less bytes freed, by this CPU; wraps below zero.
    pub heap: Counter,
    /// Pages taken for slabs less pages given back, by this CPU.
    pub slabs: Counter,
    /// Chains of freed objects that this CPU sent back to the CPUs whose they are.
    pub chains: Counter,
}

impl Counters {
    const fn new() -> Self {
        Self {
            entries: Counter::new(),
            timers: Counter::new(),
            unexpected: Counter::new(),
            migrations: Counter::new(),
            chases: Counter::new(),
            held_still: Counter::new(),
            mwaits: Counter::new(),
            spins: Counter::new(),
            silent_wakes: Counter::new(),
            page_faults: Counter::new(),
            frames: Counter::new(),
            heap: Counter::new(),
            slabs: Counter::new(),
            chains: Counter::new(),
        }
    }
}

impl Cpu {
    /// The block of CPU `id`, whose idle thread will be `idle`.
    ///
    /// # Safety
    /// Made once for each CPU; only that CPU uses its [`Own`] parts, beginning when its `gs` points here.
    pub(crate) const unsafe fn new(id: CpuId, scheduler: Scheduler) -> Self {
        macro_rules! own {
            ($value:expr) => {
                // SAFETY: the caller's promise, and no closure in this crate lends a cell that is lent.
                unsafe { Own::new($value) }
            };
        }
        Self {
            head: CpuHead::new(),
            id,
            scheduler: own!(scheduler),
            spares: own!(Spares::new()),
            frames: own!(FrameCache::new()),
            heap: own!(memory::Objects::new()),
            timer: own!(Timer::new()),
            objects: own!(Objects::new()),
            counters: Counters::new(),
            due: AtomicBool::new(false),
            timer_due: AtomicBool::new(false),
            interrupts: Interrupts::new(),
            rests: Rests::new(),
            spin_ranks: AtomicU32::new(0),
            spin_places: [const { Place::new() }; u32::BITS as usize],
            breaths: AtomicU32::new(1),
            turn_over: AtomicUsize::new(0),
            deadline: AtomicU64::new(timer::NEVER),
            waiters: own!(Waiters::new()),
            callouts: own!(Callouts::new()),
            callout_thread: own!(None),
            logs: [const { Log::new() }; IS_TRACED as usize],
            freed: Chosen::new(),
            sections: own!(Sections::new()),
        }
    }

    /// Its number.
    #[inline]
    pub fn id(&self) -> CpuId {
        self.id
    }

    /// Leaves a mark, or says that one was left, for the end of the outermost critical section. Own CPU only.
    #[inline]
    pub(crate) fn leave_mark(&self, mark: impl FnOnce(&Self)) {
        mark(self);
        self.due.store(true, Ordering::Relaxed);
        arch::cpu::set_pending();
    }
}

static BLOCKS: [AtomicPtr<Cpu>; MAX_CPUS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Enters a block into the table, before its CPU runs.
pub(crate) fn register(block: &'static Cpu) {
    // Pairs with: `on`, acquire.
    BLOCKS[block.id.index()].store(core::ptr::from_ref(block).cast_mut(), Ordering::Release);
}

/// Says how many CPUs run; the others of the table failed to come up.
pub(crate) fn set_count(count: usize) {
    COUNT.store(count, Ordering::Relaxed);
}

/// How many CPUs run; they are numbered from 0.
#[inline]
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// The block of the CPU that runs this.
///
/// Not to be kept over a switch point (whatever takes `&mut MayBlock`): a thread that is not bound may be on another CPU
/// afterwards, having been given away meanwhile.
#[inline(always)]
pub fn here() -> &'static Cpu {
    let head = core::ptr::from_ref(arch::this_cpu());
    // SAFETY: 1. every head that `gs` ever points to is the first field of a `Cpu` (`repr(C)`); 2. blocks are `'static`.
    unsafe { &*head.cast::<Cpu>() }
}

/// The block of a CPU that runs.
///
/// # Panics
/// When there is no such CPU: numbers come from [`count`], and what comes from ring 3 was compared with it.
pub fn on(cpu: CpuId) -> &'static Cpu {
    // Pairs with: `register`, release.
    let block = BLOCKS[cpu.index()].load(Ordering::Acquire);
    // SAFETY: blocks are registered for good; null is no reference.
    unsafe { block.as_ref() }.expect("only CPUs that came up have numbers")
}

/// Every CPU that runs.
pub fn all() -> impl Iterator<Item = &'static Cpu> {
    (0..count()).map(|index| on(CpuId::at(index)))
}

/// Times that a CPU stopped resting so far, over all CPUs.
pub fn rests() -> u64 {
    crate::idle::rests()
}

/// Runs `run` while nobody looks for deadlocks, which ends a rest of the first CPU each second: for who counts rests. Thread
/// "main" alone may call it; `run` ends by itself.
pub fn unwatched<R>(run: impl FnOnce() -> R) -> R {
    crate::idle::watch(false);
    let result = run();
    crate::idle::watch(true);
    result
}

/// Runs `f` in a critical section; work that arrived meanwhile is done on the way out of the outermost one.
#[inline(always)]
pub fn critical<R>(f: impl FnOnce(&Crit) -> R) -> R {
    arch::crit_enter();
    // SAFETY: 1. the depth is above zero until `leave`: no switch but one that `f` itself asks for, and that returns here
    // in the section of whoever ran before, on this CPU or the one that the thread has moved to; 2. handlers see the depth and leave their work (`core_doorbell`, `core_timer`).
    let result = f(&unsafe { Crit::assume() });
    leave();
    result
}

/// Leaves a critical section that was entered by other means than [`critical`]: the first one of a thread.
#[inline(always)]
pub(crate) fn leave() {
    if arch::crit_exit() {
        run_due();
    }
}

/// Does what arrived during the critical section that has just ended, and lets interrupts' threads preempt.
#[cold]
fn run_due() {
    loop {
        arch::cpu::hard_enter();
        // SAFETY: as in `critical`, and the section counts as hard but while `preempt` switches.
        let hard = unsafe { Hard::assume() };
        serve(&hard, |crit| {
            serve_timer(crit);
            arch::cpu::soften();
            interrupt::preempt(crit);
            arch::cpu::harden();
        });
        if !arch::cpu::hard_exit() {
            return;
        }
    }
}

/// Does what has arrived in this critical section so far, on a CPU that rests.
pub(crate) fn serve_at_rest(crit: &Crit) {
    serve(crit, |crit| {
        serve_timer(crit);
        interrupt::preempt(crit);
    });
}

#[inline(always)]
fn serve(crit: &Crit, marks: impl FnOnce(&Crit)) {
    let cpu = here();
    // First the mark that there is something: what comes from here on sets it again, or is found below.
    arch::cpu::clear_pending();
    if cpu.head.take_rung() {
        ipi::rang(crit);
    }
    if cpu.due.load(Ordering::Relaxed) {
        cpu.due.store(false, Ordering::Relaxed);
        marks(crit);
    }
}

fn serve_timer(crit: &Crit) {
    let due = &here().timer_due;
    if due.load(Ordering::Relaxed) {
        due.store(false, Ordering::Relaxed);
        timer::fired(crit);
    }
}

/// Runs what an interrupt brought, in a hard section with interrupts on: further ones find it and leave marks.
pub(crate) fn handle(f: impl FnOnce(&Hard)) {
    arch::cpu::hard_enter();
    // SAFETY: the critical section keeps handlers from per-CPU data.
    unsafe { arch::irq::enable() };
    // SAFETY: as in `critical`; the section counts as hard.
    f(&unsafe { Hard::assume() });
    if arch::cpu::hard_exit() {
        run_due();
    }
    arch::irq::disable();
}

/// Runs `f` in a hard section of a thread: as [`critical`], and what would wait in it does not compile, since the thread's
/// proof that it may is lent to this; or, where another one was made up, ends a debug build.
#[inline(always)]
pub fn hard<R>(_: &mut MayBlock, f: impl FnOnce(&Hard) -> R) -> R {
    arch::cpu::hard_enter();
    // SAFETY: as in `critical`; the section counts as hard.
    let result = f(&unsafe { Hard::assume() });
    if arch::cpu::hard_exit() {
        run_due();
    }
    result
}

/// This kernel's way of knowing the CPU.
pub struct Machine;

// SAFETY: the head's number is the CPU's own, given once.
unsafe impl Here for Machine {
    #[inline(always)]
    fn here(_: &Crit) -> CpuId {
        // SAFETY: the head was named after a `CpuId` (`boot`).
        unsafe { CpuId::at_unchecked(arch::cpu_id() as usize) }
    }
}
