//! Kernel threads: the scheduler's decisions carried out on registers and stacks.
//!
//! Law: a thread switches only at the outermost critical section and with interrupts on, so nothing of these has to be
//! saved; it comes back in the same section. A blocked thread whose CPU has nobody to run waits on its own stack
//! (two switches less than through an idle thread). Stacks stay with their threads, threads with their CPU.

use crate::cpu::{self, Cpu, critical, here};
use crate::{idle, ipi, memory, process};
use alloc::boxed::Box;
use arch::stack;
use lwkt_sched::{
    Context, Join, Left, Life, MayBlock, Name, Next, Priority, Rare, Thread, ThreadCache,
    ThreadRef, Unstarted, Wake, Why,
};
use percpu::{CpuId, Crit};

/// The scheduler of this kernel: bitmap of FIFOs.
pub type Scheduler = lwkt_sched::Scheduler<lwkt_sched::Bitmap>;

/// A condition of arriving threads: it has a context in ring 3 (see [`process::arrive`]).
pub(crate) const HAS_PROCESS: Rare = Rare::KERNEL[0];

/// What the kernel keeps about a thread: the target of its `ext`. Lives as long as the thread's memory: for ever.
pub(crate) struct Body {
    /// Top of its kernel stack.
    pub(crate) stack_top: usize,
    /// Its context in ring 3, if it has one; null else. Own CPU only.
    pub(crate) carrier: core::cell::Cell<*const process::Carrier>,
}

/// Threads that are over, with their stacks, and stack slots that never had one.
pub struct Spares {
    threads: ThreadCache<Unstarted, 64>,
    next_slot: usize,
}

impl Spares {
    pub(crate) const fn new() -> Self {
        Self { threads: ThreadCache::new(), next_slot: stack::FIRST_SLOT }
    }

    /// Kernel stacks that threads of this CPU use, its idle thread's not counted.
    pub(crate) fn in_use(&self) -> usize {
        self.next_slot - stack::FIRST_SLOT - self.threads.len()
    }
}

/// No memory for a thread or its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// The right to join a thread, once.
#[must_use = "a joinable thread that is never joined keeps its stack"]
#[derive(Debug)]
pub struct Handle(ThreadRef);

/// Starts a thread on this CPU.
pub fn spawn(
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<Handle, OutOfMemory> {
    let boxed = boxed(f)?;
    critical(|crit| start(crit, name, priority, Life::Joinable, boxed)).map(Handle)
}

/// Starts a thread on a CPU.
pub fn spawn_on(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<Handle, OutOfMemory> {
    let boxed = boxed(f)?;
    ipi::call(cpu, |crit| start(crit, name, priority, Life::Joinable, boxed)).map(Handle)
}

/// Starts a thread that nobody joins, on a CPU.
pub fn spawn_detached(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<ThreadRef, OutOfMemory> {
    let boxed = boxed(f)?;
    ipi::call(cpu, |crit| start(crit, name, priority, Life::Detached, boxed))
}

impl Handle {
    /// The thread.
    pub fn thread(&self) -> ThreadRef {
        self.0
    }

    /// Waits until the thread is over and its stack is free for another.
    pub fn join(self, cx: &mut MayBlock) {
        let me = current();
        let thread = self.0;
        let over = ipi::call(thread.home(), |crit| {
            let found = here().scheduler.with(crit, |s| s.join(crit, thread, me));
            match found {
                Join::Over(memory) => {
                    keep(crit, memory);
                    true
                }
                Join::Waiting => false,
                Join::Remote(_) => unreachable!("threads of this kernel do not migrate"),
            }
        });
        if !over {
            wait_until(cx, Why::on(lwkt_sched::Reason::Join, &*thread), |crit| {
                here().scheduler.with(crit, |s| s.take_joined(crit))
            });
        }
    }
}

/// The running thread.
#[inline]
pub fn current() -> ThreadRef {
    critical(|crit| here().scheduler.with(crit, |s| s.current()))
}

/// Lets equals and betters of this CPU run.
#[inline]
pub fn yield_now(_: &mut MayBlock) {
    critical(|crit| {
        let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.yield_now(crit)));
        go(crit, from, next);
    });
}

/// Lets betters of this CPU run: after a wake.
#[inline]
pub fn give_way(_: &mut MayBlock) {
    critical(|crit| {
        let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.pick(crit)));
        go(crit, from, next);
    });
}

/// Waits until somebody wakes this thread; may return without, so always in a loop.
///
/// The critical section is the outermost: what was looked at in it cannot change before the thread waits.
#[inline]
pub fn block(crit: &Crit, _: &mut MayBlock, why: Why) {
    debug_assert!(
        arch::cpu::crit_depth() == 1,
        "a thread blocks in its outermost critical section only"
    );
    let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.block(crit, why)));
    go(crit, from, next);
}

/// Waits until somebody wakes this thread, or until `deadline`, in nanoseconds since boot.
pub fn sleep_until(crit: &Crit, _: &mut MayBlock, why: Why, deadline: u64) {
    debug_assert!(
        arch::cpu::crit_depth() == 1,
        "a thread sleeps in its outermost critical section only"
    );
    let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.sleep(crit, why, deadline)));
    crate::timer::rearm(crit);
    go(crit, from, next);
}

/// Waits until `done` says so; it is asked in a critical section, first at once, then after each wake.
pub fn wait_until(cx: &mut MayBlock, why: Why, mut done: impl FnMut(&Crit) -> bool) {
    critical(|crit| {
        while !done(crit) {
            block(crit, cx, why);
        }
    });
}

/// Sleeps for at least so many nanoseconds.
pub fn sleep(cx: &mut MayBlock, nanoseconds: u64) {
    let deadline = crate::timer::now().saturating_add(nanoseconds);
    critical(|crit| {
        while crate::timer::now() < deadline {
            sleep_until(crit, cx, Why::SLEEP, deadline);
        }
    });
}

/// Wakes a thread, on whichever CPU it is.
#[inline]
pub fn wake(crit: &Crit, thread: ThreadRef) {
    let woken = here().scheduler.with(crit, |s| s.wake(crit, thread));
    if let Wake::Remote(cpu) = woken {
        ipi::send(crit, cpu, wake_here, [thread.into_word(), 0, 0]);
    }
}

/// The message of a remote wake.
fn wake_here(crit: &Crit, [thread, ..]: [usize; 3]) {
    if crate::plant::loses_wake() {
        return;
    }
    // SAFETY: `wake` made the word from a thread.
    wake(crit, unsafe { ThreadRef::from_word(thread) });
}

/// Ends the running thread.
pub(crate) fn exit() -> ! {
    arch::crit_enter();
    // SAFETY: entered above; this thread never leaves it, the next one leaves its own.
    let crit = unsafe { Crit::assume() };
    let (from, next) = here().scheduler.with(&crit, |s| (s.current(), s.exit(&crit)));
    switch(from, next);
    unreachable!("a thread that is over was run")
}

/// Does what was decided about the running thread `from`.
#[inline(always)]
fn go(crit: &Crit, from: ThreadRef, next: Next) {
    match next {
        Next::Same => {}
        Next::Switch(to) => {
            switch(from, to);
            arrived(crit);
        }
        Next::Idle => wait_here(crit, from),
    }
}

/// Waits for work on the stack of the blocked thread `from`.
fn wait_here(crit: &Crit, from: ThreadRef) {
    loop {
        idle::rest(crit);
        if let Next::Switch(to) = here().scheduler.with(crit, |s| s.pick(crit)) {
            if to != from {
                switch(from, to);
            }
            break arrived(crit);
        }
    }
}

#[inline(always)]
fn switch(from: ThreadRef, to: ThreadRef) {
    debug_assert!(arch::irq::enabled() && arch::cpu::crit_depth() == 1);
    let (from, to) = (from.context().cast::<arch::Context>(), to.context().cast::<arch::Context>());
    // SAFETY: 1. the scheduler of this CPU chose both, in this critical section; 2. `Context` begins with the stack
    // pointer that `arch::Context` is (asserted below).
    unsafe { arch::switch(from, to) };
}

const _: () = assert!(
    core::mem::offset_of!(Context, sp) == 0 && size_of::<arch::Context>() == size_of::<usize>()
);

/// On the stack of the thread that came: whatever is rare about this switch.
#[inline(always)]
fn arrived(crit: &Crit) {
    if let Some((rare, left)) = here().scheduler.with(crit, |s| s.arrived(crit)) {
        rarely(crit, rare, left);
    }
}

#[cold]
fn rarely(crit: &Crit, rare: Rare, left: Option<Left>) {
    match left {
        None | Some(Left::Waits(_)) => {}
        Some(Left::Over(memory, joiner)) => {
            keep(crit, memory);
            if let Some(joiner) = joiner {
                tell(crit, joiner);
            }
        }
        Some(Left::Moved(..)) => unreachable!("threads of this kernel do not migrate"),
    }
    if rare.contains(HAS_PROCESS) {
        process::arrive(crit);
    }
}

/// Tells a joiner that its thread is over.
fn tell(crit: &Crit, joiner: ThreadRef) {
    let told = here().scheduler.with(crit, |s| s.joined(crit, joiner));
    if let Wake::Remote(cpu) = told {
        ipi::send(crit, cpu, tell_here, [joiner.into_word(), 0, 0]);
    }
}

fn tell_here(crit: &Crit, [joiner, ..]: [usize; 3]) {
    // SAFETY: `tell` made the word from a thread.
    tell(crit, unsafe { ThreadRef::from_word(joiner) });
}

/// Keeps the memory and stack of a thread that is over for the next; without room they are never used again.
fn keep(crit: &Crit, memory: Unstarted) {
    let kept = here().spares.with(crit, |spares| spares.threads.put(memory));
    debug_assert!(kept.is_ok(), "more threads were over at once than a CPU keeps");
}

/// A closure in a box, or an error; `Box::new` would abort without memory.
fn boxed<F>(f: F) -> Result<Box<F>, OutOfMemory> {
    crate::fallible::boxed(f).map_err(|_| OutOfMemory)
}

/// Starts a thread on this CPU that runs the closure in a box.
fn start<F: FnOnce(&mut MayBlock) + Send + 'static>(
    crit: &Crit,
    name: Name,
    priority: Priority,
    life: Life,
    f: Box<F>,
) -> Result<ThreadRef, OutOfMemory> {
    let cpu = here();
    let spare = cpu.spares.with(crit, |spares| spares.threads.take());
    let mut memory = match spare {
        Some(memory) => memory,
        None => fresh(crit, cpu)?,
    };
    let argument = Box::into_raw(f).expose_provenance();
    let body = memory.ext() as *const Body;
    // SAFETY: `fresh` put a `&'static Body` there.
    let top = unsafe { (*body).stack_top };
    // SAFETY: the stack is mapped, this thread's for ever, and nobody runs on it while the thread is not started.
    let context = unsafe { arch::Context::new(top, begin::<F>, argument) };
    memory.prepare(name, priority, life, Context { sp: context.stack_pointer(), ip: 0 });
    Ok(cpu.scheduler.with(crit, |s| s.spawn(crit, memory)))
}

/// Memory and a stack for a thread.
#[cold]
fn fresh(crit: &Crit, cpu: &Cpu) -> Result<Unstarted, OutOfMemory> {
    let slot = cpu.spares.with(crit, |spares| spares.next_slot);
    let thread = crate::fallible::boxed(Thread::new()).map_err(|_| OutOfMemory)?;
    // SAFETY: each slot is mapped once, by its own CPU: `next_slot` moves on below, and a failed map is tried again.
    let stack = unsafe { stack::map(cpu.id().index() as u32, slot, &mut memory::Tables(crit)) };
    let stack_top = stack.map_err(|_| OutOfMemory)?;
    let body = crate::fallible::boxed(Body {
        stack_top,
        carrier: core::cell::Cell::new(core::ptr::null()),
    });
    let body = Box::leak(body.map_err(|_| OutOfMemory)?);
    cpu.spares.with(crit, |spares| spares.next_slot += 1);
    let mut memory = Unstarted::new(Box::leak(thread));
    memory.set_ext(core::ptr::from_mut(body).expose_provenance());
    Ok(memory)
}

/// Where a thread begins: in the critical section of the switch that brought it here.
extern "C" fn begin<F: FnOnce(&mut MayBlock) + Send + 'static>(argument: usize) -> ! {
    // SAFETY: a switch is made in a critical section, and the new thread comes out of one (module head).
    arrived(&unsafe { Crit::assume() });
    cpu::leave();
    let f = core::ptr::with_exposed_provenance_mut::<F>(argument);
    // SAFETY: `start` made the word from a box for this thread, which begins once.
    // Out of its box at once: some threads never come back from it (`process::start`).
    let f = *unsafe { Box::from_raw(f) };
    // SAFETY: this is the thread's entry, outside critical sections.
    f(&mut unsafe { MayBlock::assume() });
    exit()
}

/// What the kernel keeps about the running thread.
pub(crate) fn body(crit: &Crit) -> &'static Body {
    let thread = here().scheduler.with(crit, |s| s.current());
    // SAFETY: the running thread, on its own CPU.
    let word = unsafe { thread.ext() };
    // SAFETY: every thread but idle has a `&'static Body` there, and idle threads do not ask.
    unsafe { &*core::ptr::with_exposed_provenance::<Body>(word) }
}

/// Makes the CPU's first flow of control its idle thread, and its scheduler.
///
/// # Safety
/// Once for each CPU.
pub(crate) unsafe fn first_scheduler(cpu: CpuId, memory: &'static mut Thread) -> Scheduler {
    // SAFETY: the caller's promise.
    unsafe { Scheduler::new(cpu, Unstarted::new(memory)) }
}

/// The idle thread of this CPU, for good: leaves the first critical section between rests.
pub(crate) fn idle_forever() -> ! {
    loop {
        critical(|crit| {
            let (from, next) = here().scheduler.with(crit, |s| (s.current(), s.pick(crit)));
            match next {
                Next::Switch(to) => {
                    switch(from, to);
                    arrived(crit);
                }
                Next::Same | Next::Idle => idle::rest(crit),
            }
        });
    }
}

/// Kernel stacks that threads use, over all CPUs; idle threads not counted. Exact while no thread comes or goes.
pub fn stacks_in_use() -> usize {
    cpu::all()
        .map(|cpu| ipi::call(cpu.id(), |crit| here().spares.with(crit, |spares| spares.in_use())))
        .sum()
}

/// Checks what must hold of each scheduler outside its calls.
///
/// # Errors
/// The first law that does not hold.
pub fn check() -> Result<(), lwkt_sched::Broken> {
    cpu::all().try_for_each(|cpu| {
        ipi::call(cpu.id(), |crit| here().scheduler.with(crit, |s| s.check(crit)))
    })
}

/// Switches between threads so far, over all CPUs.
pub fn switches() -> u64 {
    cpu::all()
        .map(|cpu| ipi::call(cpu.id(), |crit| here().scheduler.with(crit, |s| s.switches())))
        .sum()
}
