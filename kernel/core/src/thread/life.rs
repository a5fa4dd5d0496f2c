//! A thread from spawn to join: its memory and stack, its closure, who waits for its end.
//!
//! Law: a CPU maps the stacks of the threads that are started there. A thread that moves takes its own along; when it is over the
//! CPU where it was last keeps memory and stack for the next one there. What it cannot keep warm goes home: to the CPU that
//! mapped the stack, whose slot it is. So no CPU gathers more than a few stacks of others ([`Spares`]).

use super::spares::{Kept, Spares};
use super::{arrived, current, migrate, switch, wait_until};
use crate::cpu::{self, Cpu, critical, here};
use crate::exec::Threads;
use crate::{fallible, ipi, memory, park, process, timeline};
use alloc::boxed::Box;
use arch::stack;
use core::cell::Cell;
use lwkt_sched::{
    Chase, Context, Join, Life, MayBlock, Name, Priority, Reason, Thread, ThreadRef, Unstarted,
    Wake, Why,
};
use lwkt_token::Held;
use percpu::{CpuId, Crit};

/// What the kernel keeps about a thread: the target of its `ext`. Lives as long as the thread's memory: for ever.
pub(crate) struct Body {
    /// Top of its kernel stack, and the CPU that mapped it.
    pub(crate) stack_top: usize,
    pub(super) stack_home: CpuId,
    /// Its context in ring 3, if it has one; null else. Own CPU only.
    pub(crate) carrier: Cell<*const process::Carrier>,
    /// The next of the threads that are over and found no place among the spares. Own CPU only.
    pub(super) next: Cell<Option<Unstarted>>,
}

/// What the kernel keeps about the running thread.
pub(crate) fn body(crit: &Crit) -> &'static Body {
    let thread = here().scheduler.with(crit, |s| s.current());
    // SAFETY: the running thread, on its own CPU, which is not idle: idle threads do not ask.
    unsafe { body_here(thread) }
}

/// What the kernel keeps about the thread in whose time this CPU runs; nothing about an idle thread.
pub(crate) fn lender_body(crit: &Crit) -> Option<&'static Body> {
    // The idle thread may be the current one on a blocked thread's stack. It lends to nobody.
    let lender = here().scheduler.with(crit, |s| (!s.is_idle()).then(|| s.lender()));
    // SAFETY: a thread of this CPU, not idle.
    lender.map(|thread| unsafe { body_here(thread) })
}

/// What the kernel keeps about a thread of this CPU.
///
/// # Safety
/// It is one, and not the idle thread.
unsafe fn body_here(thread: ThreadRef) -> &'static Body {
    // SAFETY: on its own CPU.
    let word = unsafe { thread.ext() };
    // SAFETY: every thread but idle has a `&'static Body` there.
    unsafe { &*core::ptr::with_exposed_provenance::<Body>(word) }
}

/// A thread's memory: what the scheduler knows, and its tokens. Idle threads, which take none, have the first part alone.
#[repr(C)]
pub(crate) struct Whole {
    thread: Thread,
    pub(crate) held: Held,
}

impl Whole {
    /// Where a thread's tokens are, from its beginning.
    pub(crate) const HELD: usize = core::mem::offset_of!(Whole, held);
}

/// No memory for a thread or its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// The right to join a thread, once.
#[must_use = "a joinable thread that is never joined keeps its stack"]
#[derive(Debug)]
pub struct Handle(ThreadRef);

/// Whether a thread may be taken to another CPU.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stay {
    Free,
    Bound,
}

/// Starts a thread on this CPU.
pub fn spawn(
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<Handle, OutOfMemory> {
    let boxed = boxed(f)?;
    critical(|crit| start(crit, name, priority, (Life::Joinable, Stay::Free), boxed)).map(Handle)
}

/// Starts a thread on a CPU; on another one, if that is taken away.
pub fn spawn_on(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<Handle, OutOfMemory> {
    start_on(cpu, name, priority, (Life::Joinable, Stay::Free), f).map(Handle)
}

/// Starts a thread that stays on its CPU for good, also when that is taken away.
pub fn spawn_bound(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<Handle, OutOfMemory> {
    start_on(cpu, name, priority, (Life::Joinable, Stay::Bound), f).map(Handle)
}

/// Starts a thread that nobody joins and that stays on its CPU for good, also when that is taken away.
pub fn spawn_bound_detached(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<ThreadRef, OutOfMemory> {
    start_on(cpu, name, priority, (Life::Detached, Stay::Bound), f)
}

/// Starts a thread that nobody joins, on a CPU; on another one, if that is taken away.
pub fn spawn_detached(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<ThreadRef, OutOfMemory> {
    start_on(cpu, name, priority, (Life::Detached, Stay::Free), f)
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
        let join = |crit: &Crit| {
            let found = here().scheduler.with(crit, |s| s.join(crit, thread, me));
            match found {
                Join::Over(memory) => {
                    keep(crit, memory);
                    Some(true)
                }
                Join::Waiting => Some(false),
                Join::Remote(_) => None,
            }
        };
        // Moved in that moment: after it.
        let over = ipi::call(thread.home(), join)
            .or_else(|| migrate::at_home(thread, join))
            .unwrap_or(false);
        if !over {
            wait_until(cx, Why::on(Reason::Join, &*thread), |crit| {
                here().scheduler.with(crit, |s| s.take_joined(crit))
            });
        }
    }
}

/// Ends the running thread.
pub(crate) fn exit() -> ! {
    arch::crit_enter();
    // SAFETY: entered above; this thread never leaves it, the next one leaves its own.
    let crit = unsafe { Crit::assume() };
    let (from, next) = here().scheduler.with(&crit, |s| (s.current(), s.exit(&crit)));
    probe::ended(probe::low(from.into_word()));
    switch(from, next);
    unreachable!("a thread that is over was run")
}

/// Tells a joiner that its thread is over.
pub(super) fn tell(crit: &Crit, joiner: ThreadRef) {
    let told = here().scheduler.with(crit, |s| s.joined(crit, joiner));
    if let Wake::Remote(cpu) = told {
        ipi::send(crit, cpu, tell_here, [joiner.into_word(), 0, Chase::NONE.into_word()]);
    }
}

fn tell_here(crit: &Crit, joiner: usize, _: usize, chase: usize) {
    // SAFETY: `tell` made the word from a thread.
    let joiner = unsafe { ThreadRef::from_word(joiner) };
    let chase = Chase::from_word(chase);
    match here().scheduler.with(crit, |s| s.joined(crit, joiner)) {
        Wake::Remote(_) => migrate::chase(crit, joiner, chase, tell_here, 0),
        Wake::Local | Wake::Already => chase.caught(joiner),
    }
}

/// Keeps the memory and stack of a thread that is over for the next.
pub(super) fn keep(crit: &Crit, memory: Unstarted) {
    let cpu = here();
    if let Err(memory) = cpu.spares.with(crit, |spares| spares.put(memory, cpu.id())) {
        send_home(crit, memory);
    }
}

/// Sends a thread that is over to the CPU that mapped its stack, which keeps any number of its own.
#[cold]
fn send_home(crit: &Crit, memory: Unstarted) {
    ipi::send(crit, body_of(&memory).stack_home, keep_here, [memory.into_word(), 0, 0]);
}

fn keep_here(crit: &Crit, memory: usize, _: usize, _: usize) {
    // SAFETY: `send_home` made the word, for this once.
    keep(crit, unsafe { Unstarted::from_word(memory) });
}

/// Whether this CPU stands on the stack of `thread`, which is of this CPU and not its idle thread.
pub(super) fn stands_on(thread: ThreadRef) -> bool {
    let mark = 0u8;
    // SAFETY: the thread's home is this CPU (caller: nothing but this CPU's scheduler says so).
    let body = core::ptr::with_exposed_provenance::<Body>(unsafe { thread.ext() });
    // SAFETY: every thread but idle has a `&'static Body` there.
    let top = unsafe { (*body).stack_top };
    (top - stack::BYTES..top).contains(&core::ptr::from_ref(&mark).addr())
}

/// A value in a box, or an error; `Box::new` would abort without memory.
fn boxed<T>(value: T) -> Result<Box<T>, OutOfMemory> {
    fallible::boxed(value).map_err(|_| OutOfMemory)
}

/// Starts a thread on a CPU; if it may leave, on another one when that is taken away.
#[inline(always)]
fn start_on(
    cpu: CpuId,
    name: Name,
    priority: Priority,
    (life, stay): (Life, Stay),
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<ThreadRef, OutOfMemory> {
    let boxed = boxed(f)?;
    ipi::call(cpu, |crit| start(crit, name, priority, (life, stay), boxed))
}

/// Starts a thread on this CPU that runs the closure in a box.
#[inline(always)]
fn start<F: FnOnce(&mut MayBlock) + Send + 'static>(
    crit: &Crit,
    name: Name,
    priority: Priority,
    kind: (Life, Stay),
    f: Box<F>,
) -> Result<ThreadRef, OutOfMemory> {
    let memory = made(crit, name, priority, kind, f)?;
    let thread = here().scheduler.with(crit, |s| s.spawn(crit, memory));
    timeline::started(thread, name);
    // Asked here, where nobody parks this CPU before the thread is seen.
    if matches!(kind.1, Stay::Free) && park::is_parked(here().id()) {
        migrate::pass_on(crit, thread);
    }
    Ok(thread)
}

/// A thread for this CPU that nobody joins and that stays here, to be started by its scheduler.
pub(crate) fn prepare(
    crit: &Crit,
    name: Name,
    priority: Priority,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Result<Unstarted, OutOfMemory> {
    made(crit, name, priority, (Life::Detached, Stay::Bound), boxed(f)?)
}

/// Memory and a stack for a thread that runs the closure in a box.
#[inline(always)]
fn made<F: FnOnce(&mut MayBlock) + Send + 'static>(
    crit: &Crit,
    name: Name,
    priority: Priority,
    (life, stay): (Life, Stay),
    f: Box<F>,
) -> Result<Unstarted, OutOfMemory> {
    let cpu = here();
    let spare = cpu.spares.with(crit, Spares::take);
    let mut memory = match spare {
        Some(memory) => memory,
        None => fresh(crit, cpu)?,
    };
    let argument = Box::into_raw(f).expose_provenance();
    let top = body_of(&memory).stack_top;
    // SAFETY: the stack is mapped, this thread's for ever, and nobody runs on it while the thread is not started.
    let context = unsafe { arch::Context::new(top, begin::<F>, argument) };
    memory.prepare(name, priority, life, Context { sp: context.stack_pointer(), ip: 0 });
    if stay == Stay::Bound {
        memory.bind();
    }
    Ok(memory)
}

/// What the kernel keeps about a thread that does not run.
pub(super) fn body_of(memory: &Unstarted) -> &'static Body {
    // SAFETY: `fresh` put a `&'static Body` there.
    unsafe { &*core::ptr::with_exposed_provenance::<Body>(memory.ext()) }
}

/// Memory and a stack for a thread, which are kept for good; so are tables that a stack has which was refused.
#[cold]
fn fresh(crit: &Crit, cpu: &Cpu) -> Result<Unstarted, OutOfMemory> {
    let counters = &cpu.counters;
    // Pages of small objects are the heap's.
    let taken = || (counters.heap.get(), counters.frames.get().wrapping_sub(counters.slabs.get()));
    let (bytes, frames) = taken();
    let made = allocate(crit, cpu);
    let (bytes_now, frames_now) = taken();
    let kept =
        Kept { bytes: bytes_now.wrapping_sub(bytes), frames: frames_now.wrapping_sub(frames) };
    cpu.spares.with(crit, |spares| spares.kept = spares.kept + kept);
    made
}

/// Memory and a stack. The stack comes last: it is the only one of them that could not be given back.
fn allocate(crit: &Crit, cpu: &Cpu) -> Result<Unstarted, OutOfMemory> {
    let slot = cpu.spares.with(crit, |spares| spares.next_slot);
    let whole = boxed(Whole { thread: Thread::new(), held: Held::new::<Threads>() })?;
    let mut body = boxed(Body {
        stack_top: 0,
        stack_home: cpu.id(),
        carrier: Cell::new(core::ptr::null()),
        next: Cell::new(None),
    })?;
    // SAFETY: each slot is mapped once, by its own CPU: `next_slot` moves on below, and what failed has mapped nothing.
    let stack = unsafe { stack::map(cpu.id().index() as u32, slot, &mut memory::Tables(crit)) };
    body.stack_top = stack.map_err(|_| OutOfMemory)?;
    cpu.spares.with(crit, |spares| spares.next_slot += 1);
    let whole = Box::into_raw(whole);
    // The tokens are found from the thread's address (`token`).
    let _ = whole.expose_provenance();
    // SAFETY: out of its box for ever; only the thread's part is lent.
    let mut memory = Unstarted::new(unsafe { &mut (*whole).thread });
    memory.set_ext(core::ptr::from_mut(Box::leak(body)).expose_provenance());
    Ok(memory)
}

/// Where a thread begins: in the critical section of the switch that brought it here.
extern "C" fn begin<F: FnOnce(&mut MayBlock) + Send + 'static>(
    argument: usize,
    left: *mut arch::Context,
) -> ! {
    // SAFETY: a switch is made in a critical section, and the new thread comes out of one (module head).
    arrived(&unsafe { Crit::assume() }, left.addr());
    cpu::leave();
    let f = core::ptr::with_exposed_provenance_mut::<F>(argument);
    // SAFETY: `start` made the word from a box for this thread, which begins once.
    // Out of its box at once: some threads never come back from it (`process::start`).
    let f = *unsafe { Box::from_raw(f) };
    // SAFETY: this is the thread's entry, outside critical sections.
    f(&mut unsafe { MayBlock::assume() });
    exit()
}
