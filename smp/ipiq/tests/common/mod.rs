//! A host thread that plays a CPU.
#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ipiq::knocking::{Chosen, Elide, Knocking};
use ipiq::{Bell, Fabric, Ring};
use percpu::{CpuId, Crit, Here};

/// The most CPUs of a test with a thread for each.
pub const CPUS: usize = 4;
/// The most CPUs of a test in which one thread plays all.
pub const MOST: usize = 256;

thread_local! {
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// An interrupt line for each CPU: a flag that the thread that plays it looks at.
pub struct Host<K = Elide> {
    lines: [AtomicBool; MOST],
    pub rung: AtomicU64,
    knocking: PhantomData<K>,
}

/// With the policy that this build has chosen.
pub type ChosenHost = Host<Chosen>;

// SAFETY: in a test each number is played by one thread at a time.
unsafe impl<K: Knocking> Here for Host<K> {
    fn here(_crit: &Crit) -> CpuId {
        CpuId::at(HERE.get())
    }
}

impl<K: Knocking> Bell for Host<K> {
    type Knocking = K;

    fn ring(&self, _: &Crit, to: CpuId) {
        self.rung.fetch_add(1, Ordering::Relaxed);
        self.lines[to.index()].store(true, Ordering::Release);
    }
}

impl<K: Knocking> Host<K> {
    pub const fn new() -> Host<K> {
        Host {
            lines: [const { AtomicBool::new(false) }; MOST],
            rung: AtomicU64::new(0),
            knocking: PhantomData,
        }
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

pub fn rings<const DEPTH: usize>(count: usize) -> &'static mut [Ring<DEPTH>] {
    (0..count).map(|_| Ring::new()).collect::<Vec<_>>().leak()
}

/// This thread plays `cpu` from now on, which comes up with `rings` rings.
pub fn bring_up<K: Knocking, const N: usize, const DEPTH: usize>(
    fabric: &Fabric<Host<K>, N, DEPTH>,
    cpu: usize,
    rings: usize,
) {
    play(cpu);
    fabric.stock(&crit(), self::rings(rings));
    fabric.listen(&crit());
}

thread_local! {
    /// What other CPUs do at each point at which this one waits.
    static MEANWHILE: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Has this thread do what other CPUs would, whenever it waits in `f`.
pub fn meanwhile(others: impl Fn() + 'static, f: impl FnOnce()) {
    chaos();
    let others = move || {
        let me = HERE.get();
        others();
        play(me);
    };
    MEANWHILE.set(Some(Box::new(others)));
    f();
    MEANWHILE.set(None);
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
        if let Some(others) = MEANWHILE.take() {
            others();
            MEANWHILE.set(Some(others));
        }
        if TIMES.get().is_multiple_of(5) {
            assert!(BEGIN.get().is_none_or(|begin| begin.elapsed() < LIMIT), "a wait without end");
            std::thread::yield_now();
        }
    });
}

/// Takes this CPU's interrupts until `done`.
pub fn serve_until<K: Knocking, const N: usize, const DEPTH: usize>(
    fabric: &Fabric<Host<K>, N, DEPTH>,
    done: impl Fn() -> bool,
) {
    while !done() {
        if fabric.bell().interrupted() {
            fabric.drain(&crit());
        }
        percpu::sync::hint::spin_loop();
    }
}
