//! Threads of the kernel's scheduler on a host thread that plays a CPU: two that yield to each other.
//!
//! What a yield does here is what the kernel does (`kernel_core::thread::yield_now`): a critical section, both queue
//! operations, the switch of stacks, and the look whether anything about it is rare.

use crate::clock::ticks;
use lwkt_sched::{Context, Life, Name, Next, Priority, Scheduler, Thread, ThreadRef, Unstarted};
use percpu::{CpuId, Crit};
use std::cell::{Cell, UnsafeCell};
use std::hint::black_box;
use uarch::switch::{Context as Saved, prepare, switch};

/// Yields per measurement, of both.
const YIELDS: u64 = 40_000;
/// Words of a thread's stack.
const STACK: usize = 4096;

/// A CPU with two threads, and the flow of control that made it as its idle thread. It lives as long as this program.
pub struct Lwkt(&'static Cpu);

struct Cpu {
    depth: Cell<u32>,
    pending: Cell<bool>,
    scheduler: UnsafeCell<Scheduler>,
    /// What the first thread measured last.
    ticks: Cell<f64>,
    host: Cell<Saved>,
}

impl Lwkt {
    /// A CPU that stands still until something is measured.
    pub fn new() -> Self {
        let idle = Unstarted::new(Box::leak(Box::new(Thread::new())));
        // SAFETY: this is the only scheduler of this kernel's CPU, and one host thread uses it.
        let scheduler = unsafe { Scheduler::new(CpuId::BOOT, idle, || 0) };
        let cpu: &Cpu = Box::leak(Box::new(Cpu {
            depth: Cell::new(0),
            pending: Cell::new(false),
            scheduler: UnsafeCell::new(scheduler),
            ticks: Cell::new(0.0),
            host: Cell::new(Saved::default()),
        }));
        cpu.critical(|crit| {
            for name in ["first", "second"] {
                let stack = Box::leak(vec![0_u64; STACK].into_boxed_slice());
                let address = core::ptr::from_ref(cpu).expose_provenance() as u64;
                // SAFETY: the stack is leaked, and this thread's alone.
                let saved = unsafe { prepare(stack, yielder, address) };
                let mut thread = Unstarted::new(Box::leak(Box::new(Thread::new())));
                let begin = Context { sp: saved.0, ip: 0 };
                thread.prepare(Name::new(name), Priority::USER, Life::Detached, begin);
                cpu.with(|scheduler| scheduler.spawn(crit, thread));
            }
            // Whom `yields` goes on with.
            let _first = cpu.with(|scheduler| scheduler.pick(crit));
        });
        Self(cpu)
    }

    /// Ticks per yield.
    pub fn yields(&self) -> f64 {
        let first = self.0.with(|scheduler| scheduler.current());
        // SAFETY: a thread begins with its context, which begins with its stack pointer (`Context`).
        let to = unsafe { *context(first) };
        // SAFETY: nobody reads it before it is saved: the first thread does, which does not run.
        let host = unsafe { &mut *self.0.host.as_ptr() };
        // SAFETY: the first thread was prepared, or left itself in `yielder`; it goes on to what is saved here.
        unsafe { switch(host, to, 0) };
        self.0.ticks.get()
    }
}

impl Cpu {
    #[inline(always)]
    fn critical<R>(&self, f: impl FnOnce(&Crit) -> R) -> R {
        self.depth.set(self.depth.get() + 1);
        // SAFETY: one host thread plays this CPU, without interrupts.
        let result = f(&unsafe { Crit::assume() });
        self.depth.set(self.depth.get() - 1);
        if self.depth.get() == 0 && self.pending.get() {
            self.pending.set(false);
        }
        result
    }

    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut Scheduler) -> R) -> R {
        // SAFETY: one host thread, and no call of `with` is inside another.
        f(unsafe { &mut *self.scheduler.get() })
    }

    #[inline(always)]
    fn yield_now(&self) {
        self.critical(|crit| {
            let (from, next) = self.with(|s| (s.current(), s.yield_now(crit)));
            let Next::Switch(to) = next else { unreachable!("the other one is ready") };
            // SAFETY: `to` does not run: it was prepared, or left itself here.
            let to = unsafe { *context(to) };
            // SAFETY: `from` is the running thread: nobody else touches its context.
            let from = unsafe { &mut *context(from) };
            // SAFETY: as above.
            unsafe { switch(from, to, 0) };
            if self.with(|s| s.is_rare(crit)) {
                unreachable!("nothing is rare about these threads");
            }
        });
    }
}

/// Where a thread goes on: its context begins with the stack pointer, which is all that the switch saves.
#[inline(always)]
fn context(thread: ThreadRef) -> *mut Saved {
    thread.context().cast()
}

fn cpu_of(argument: u64) -> &'static Cpu {
    // SAFETY: `Lwkt::new` made it of a `&'static Cpu`.
    unsafe { &*core::ptr::with_exposed_provenance(argument as usize) }
}

/// Both threads: they yield at one place of the code, as those of the layer and the peer's do, so that the jump of the switch
/// is predicted (CAVEATS.md says what it costs where it is not).
extern "C" fn yielder(cpu: u64, _: u64) -> ! {
    let cpu = cpu_of(cpu);
    let me = cpu.with(|scheduler| scheduler.current());
    // The section in which the other may have switched here is his.
    let measures = cpu.depth.replace(0) == 0;
    loop {
        let start = ticks();
        for _ in 0..YIELDS / 2 {
            cpu.yield_now();
        }
        // Hidden, or the compiler makes a loop for each: two places.
        if black_box(measures) {
            cpu.ticks.set((ticks() - start) as f64 / YIELDS as f64);
            // SAFETY: this thread is the running one: nobody else touches its context.
            let me = unsafe { &mut *context(me) };
            // SAFETY: the host waits in `yields`, and goes on once.
            unsafe { switch(me, cpu.host.get(), 0) };
        }
    }
}
