//! From the machine's hand-over to threads on every CPU.
//!
//! ```text
//!   core_main: memory ─▶ CPU 0's block ─▶ the other CPUs, one by one ─▶ thread "main" ─▶ idle
//!   core_cpu_main: this CPU's block is ready ─▶ its counter ─▶ log, rings, greeting ─▶ idle
//! ```

use crate::cpu::{self, Cpu, critical};
use crate::{
    callout, clocks, fallible, faults, idle, ipi, memory, process, records, thread, timer,
};
use alloc::boxed::Box;
use arch::boot::{BootInfo, CpuEntry};
use arch::power::Exit;
use arch::{CpuHead, smp, tables, textln};
use core::sync::atomic::{AtomicUsize, Ordering};
use lwkt_sched::{MayBlock, Name, Priority, Thread};
use percpu::{CpuId, Crit};
use servers::options::Options;
use spin::Once;

/// Rings that a CPU has in reserve when it comes up: what [`ipi::reserve_for`] says for as many CPUs as there may be.
fn rings() -> usize {
    ipi::reserve_for(expected().min(percpu::MAX_CPUS))
}

/// What the image adds to the kernel.
pub struct Image {
    /// The packed programs.
    pub programs: &'static [u8],
    /// What to do once everything runs, and how it went.
    pub main: fn(&mut MayBlock, &'static Options<'static>) -> Exit,
}

/// CPUs that have greeted.
static READY: AtomicUsize = AtomicUsize::new(0);
static OPTIONS: Once<Options<'static>> = Once::new();
static MODULE: Once<&'static [u8]> = Once::new();
/// CPUs that the firmware named.
static EXPECTED: AtomicUsize = AtomicUsize::new(0);

/// CPUs that the firmware named, whether they came up or not.
pub fn expected() -> usize {
    EXPECTED.load(Ordering::Relaxed)
}

/// The command line, understood.
pub(crate) fn options() -> Option<&'static Options<'static>> {
    OPTIONS.get()
}

/// The file that the loader put beside the kernel, if it did.
pub fn module() -> Option<&'static [u8]> {
    MODULE.get().copied()
}

unsafe extern "Rust" {
    /// Defined by the image.
    #[link_name = "damselfly_image"]
    safe fn image() -> &'static Image;
}

#[unsafe(no_mangle)]
fn core_main(info: &'static BootInfo) -> ! {
    match Options::parse(info.command_line) {
        Ok(options) => {
            trace::set_mode(if options.frames { trace::Mode::Frames } else { trace::Mode::Text });
            OPTIONS.call_once(|| options)
        }
        Err(word) => {
            refuse(format_args!("the command line has a word that means nothing: {}", word.0))
        }
    };
    if !crate::plant::choose(OPTIONS.get().and_then(|options| options.plant)) {
        refuse(format_args!(
            "a bug is in images that were built with feature plants only, a misuse is seen with --set checks=on only"
        ));
    }
    if OPTIONS.get().is_some_and(|options| options.faults.is_some()) && !faults::ARE_BUILT_IN {
        refuse(format_args!("faults are in kernels that were built with --set faults=on only"));
    }
    // The heap's first use needs a block behind `gs`, the block needs memory: the first block is static.
    let first = first_block();
    if memory::init(info).is_err() {
        refuse(format_args!("{} MiB of RAM are too little", info.ram_bytes >> 20));
    }
    timer::init();
    if let Some(module) = info.module {
        MODULE.call_once(|| module);
    }
    EXPECTED.store(info.cpus.len() + info.cpus_left_out, Ordering::Relaxed);
    start_first(first, &info.cpus[0]);
    let mut left = None;
    for (number, entry) in info.cpus.iter().enumerate().skip(1) {
        start(entry, &mut left, crate::plant::startup(number == info.cpus.len() / 2));
    }
    if info.cpus_left_out > 0 {
        textln!("{} CPUs are more than this kernel has room for and stay off", info.cpus_left_out);
    }
    greet();
    // Pairs with: `greet`, release.
    while READY.load(Ordering::Acquire) < cpu::count() {
        arch::irq::pause();
    }
    let started = critical(|crit| process::init_layer(crit, image().programs));
    if let Err(error) = started {
        textln!("no programs: {error:?}");
    }
    if callout::prepare().is_err() {
        refuse(format_args!("no memory for the callout threads"));
    }
    // Where the clock of benchmarks is, and whoever looks for deadlocks: it stays.
    let main = thread::spawn_bound_detached(CpuId::BOOT, Name::new("main"), Priority::SERVER, main);
    if main.is_err() {
        refuse(format_args!("no memory for the first thread"));
    }
    idle::choose(OPTIONS.get().map_or(cpu::Idle::Hlt, |options| options.idle), info.features);
    idle::watch(true);
    open();
    thread::idle_forever()
}

/// Thread "main": what the image wants done, and the end.
fn main(cx: &mut MayBlock) {
    let options = OPTIONS.get().expect("core_main has parsed them");
    crate::plant::be_silent(options);
    let exit = (image().main)(cx, options);
    idle::watch(false);
    trace::drain();
    arch::power::exit(exit)
}

#[unsafe(no_mangle)]
fn core_cpu_main(_: &'static CpuHead) -> ! {
    clocks::answer(cpu::here().id());
    greet();
    open();
    thread::idle_forever()
}

/// What each CPU does first: its log and rings.
fn greet() {
    records::attach();
    // SAFETY: the head's depth is 1 from the start (`CpuHead::new`): no handler touches per-CPU data.
    ipi::stock(&unsafe { Crit::assume() }, rings());
    // Pairs with: `core_main`, acquire.
    READY.fetch_add(1, Ordering::Release);
}

/// Takes interrupts and leaves the critical section that every CPU begins in.
fn open() {
    // SAFETY: everything that a handler wants is there.
    unsafe { arch::irq::enable() };
    cpu::leave();
}

fn refuse(why: core::fmt::Arguments<'_>) -> ! {
    textln!("damselfly cannot run: {why}");
    arch::power::exit(Exit::Boot)
}

fn first_block() -> &'static Cpu {
    static mut THREAD: Thread = Thread::new();
    static BLOCK: Once<Cpu> = Once::new();
    let id = CpuId::at(0);
    BLOCK.call_once(|| {
        let memory: *mut Thread = &raw mut THREAD;
        // SAFETY: this closure runs once, and nothing else names the static.
        let memory = unsafe { &mut *memory };
        // SAFETY: once for CPU 0, and it is CPU 0 that runs this.
        let scheduler = unsafe { thread::first_scheduler(id, memory) };
        // SAFETY: as above.
        unsafe { Cpu::new(id, scheduler) }
    })
}

fn start_first(block: &'static Cpu, entry: &CpuEntry) {
    cpu::register(block);
    cpu::set_count(1);
    let prepared = tables::prepare(&block.head, 0, entry.apic_id, &mut memory::PoolTables);
    let Ok(prepared) = prepared else { refuse(format_args!("no memory for the first CPU")) };
    // SAFETY: the first CPU, once, interrupts off.
    if unsafe { tables::adopt(&prepared) }.is_err() {
        refuse(format_args!("the first CPU lacks what it had a moment ago"));
    }
}

/// What a CPU needs to start under a number. That of one which did not is the next one's: numbers have no gaps.
struct Place {
    id: CpuId,
    prepared: tables::Prepared,
}

impl Place {
    /// Memory for the CPU that becomes number `index`, if there is any.
    fn make(index: usize, entry: &CpuEntry) -> Option<Self> {
        let id = CpuId::at(index);
        let memory = fallible::boxed(Thread::new()).ok()?;
        // SAFETY: a fresh thread and a number that no CPU has.
        let scheduler = unsafe { thread::first_scheduler(id, Box::leak(memory)) };
        // SAFETY: as above; only the CPU that is started here will use it.
        let block = fallible::boxed(unsafe { Cpu::new(id, scheduler) }).ok()?;
        let block: &'static Cpu = Box::leak(block);
        // SAFETY: the head's depth is 1 since it was made.
        let crit = unsafe { Crit::assume() };
        let tables = &mut memory::Tables(&crit);
        let prepared = tables::prepare(&block.head, index as u32, entry.apic_id, tables).ok()?;
        cpu::register(block);
        Some(Self { id, prepared })
    }

    /// The same for another CPU.
    fn again(self, entry: &CpuEntry) -> Self {
        // SAFETY: the one that it was made for did not start, so it is off (`smp::start`).
        Self { prepared: unsafe { self.prepared.again(entry.apic_id) }, ..self }
    }
}

/// Brings up a CPU under the next number, which has a place already if another did not start under it; says why not.
fn start(entry: &CpuEntry, left: &mut Option<Place>, startup: smp::Startup) {
    let failed = |why: core::fmt::Arguments<'_>| {
        textln!("the CPU with APIC id {} stays off: {why}", entry.apic_id);
    };
    let index = cpu::count();
    let place = match left.take() {
        Some(place) => Some(place.again(entry)),
        None => Place::make(index, entry),
    };
    let Some(place) = place else { return failed(format_args!("no memory")) };
    cpu::set_count(index + 1);
    // SAFETY: the first CPU, after its own `adopt`, interrupts off, once for each.
    match unsafe { smp::start(&place.prepared, startup) } {
        Ok(()) => clocks::ask(place.id),
        Err(error) => {
            cpu::set_count(index);
            *left = Some(place);
            failed(format_args!("{error:?}"));
        }
    }
}
