//! A host thread that plays a CPU.
#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ipiq::{Bell, Fabric, Ring};
use percpu::{CpuId, Crit, Here};

/// The most CPUs of a test.
pub const CPUS: usize = 4;

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// An interrupt line for each CPU: a flag that the thread that plays it looks at.
pub struct Host {
    lines: [AtomicBool; CPUS],
    pub rung: AtomicU64,
}

// SAFETY: in a test each number is played by one thread at a time.
unsafe impl Here for Host {
    fn here(_crit: &Crit) -> CpuId {
        CpuId::at(HERE.get())
    }
}

impl Bell for Host {
    fn ring(&self, _: &Crit, to: CpuId) {
        self.rung.fetch_add(1, Ordering::Relaxed);
        self.lines[to.index()].store(true, Ordering::Release);
    }
}

impl Host {
    pub const fn new() -> Host {
        Host { lines: [const { AtomicBool::new(false) }; CPUS], rung: AtomicU64::new(0) }
    }

    /// Takes the interrupt of this CPU, if there is one.
    pub fn interrupted(&self) -> bool {
        self.lines[HERE.get()].swap(false, Ordering::Acquire)
    }
}

pub fn crit() -> Crit {
    // SAFETY: 1. the thread that plays a CPU is that CPU's only one; 2. there are no interrupts but those that it looks for.
    unsafe { Crit::assume() }
}

/// This thread now plays another CPU.
pub fn play(cpu: usize) -> CpuId {
    HERE.set(cpu);
    CpuId::at(cpu)
}

pub fn ring<const DEPTH: usize>() -> &'static mut Ring<DEPTH> {
    Box::leak(Box::new(Ring::new()))
}

/// This thread plays `cpu` from now on, which comes up with `rings` rings.
pub fn bring_up<const N: usize, const DEPTH: usize>(
    fabric: &Fabric<Host, N, DEPTH>,
    cpu: usize,
    rings: usize,
) {
    play(cpu);
    for _ in 0..rings {
        fabric.stock(&crit(), ring());
    }
}

/// How long a storm may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes waits give way to the other threads, now and then also in the middle of a push or pop,
/// and fail when the test has hung.
pub fn chaos() {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now);
    percpu::set_chaos(|| {
        thread_local! {
            static TIMES: Cell<u32> = const { Cell::new(0) };
        }
        TIMES.set(TIMES.get().wrapping_add(1));
        if TIMES.get().is_multiple_of(5) {
            assert!(BEGIN.get().is_none_or(|begin| begin.elapsed() < LIMIT), "a wait without end");
            std::thread::yield_now();
        }
    });
}

/// Takes this CPU's interrupts until `done`.
pub fn serve_until<const N: usize, const DEPTH: usize>(
    fabric: &Fabric<Host, N, DEPTH>,
    done: impl Fn() -> bool,
) {
    while !done() {
        if fabric.bell().interrupted() {
            fabric.drain(&crit());
        }
        percpu::sync::hint::spin_loop();
    }
}
