//! The smallest kernel: frames, CPUs that wait, and what interrupts do.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

use arch::boot::BootInfo;
use arch::context::Context;
use arch::layout::{PAGE, Phys};
use arch::paging::FrameSource;
use arch::{CpuHead, Frame, context, crit_exit, irq, panic, smp, stack, tables, textln, trap};
use percpu::MAX_CPUS;

static HEADS: [CpuHead; MAX_CPUS] = [const { CpuHead::new() }; MAX_CPUS];

/// Doorbells that rang, on any CPU.
pub static RUNG: AtomicU32 = AtomicU32::new(0);
/// Timers that fired, on any CPU.
pub static FIRED: AtomicU32 = AtomicU32::new(0);

/// A word that the first CPU alone uses.
pub struct Own<T>(UnsafeCell<T>);

// SAFETY: the first CPU alone uses it, with interrupts off.
unsafe impl<T> Sync for Own<T> {}

impl<T: Copy> Own<T> {
    /// Returns a word with a first value.
    pub const fn new(value: T) -> Self {
        Own(UnsafeCell::new(value))
    }

    /// Returns its value.
    pub fn get(&self) -> T {
        // SAFETY: one user, the type's law.
        unsafe { *self.0.get() }
    }

    /// Changes its value.
    pub fn set(&self, value: T) {
        // SAFETY: one user, the type's law.
        unsafe { *self.0.get() = value };
    }
}

/// Two contexts that take turns: the caller's and another.
pub struct Pair {
    main: UnsafeCell<Context>,
    other: UnsafeCell<Context>,
}

// SAFETY: as `Own`.
unsafe impl Sync for Pair {}

impl Pair {
    /// Returns a pair that has no other context yet.
    pub const fn new() -> Self {
        Pair { main: UnsafeCell::new(Context::empty()), other: UnsafeCell::new(Context::empty()) }
    }

    /// Runs the other context until it comes back; `new` replaces what it was.
    pub fn run(&self, new: Option<Context>) {
        if let Some(new) = new {
            // SAFETY: it does not run: the caller does.
            unsafe { self.other.get().write(new) };
        }
        // SAFETY: both are this CPU's, interrupts are off.
        let left = unsafe { context::switch(self.main.get(), self.other.get()) };
        assert_eq!(left, self.other.get());
    }

    /// Whether `left` is the main context, which the other is switched to from.
    pub fn check_left(&self, left: *mut Context) {
        assert_eq!(left, self.main.get());
    }

    /// Goes back to the main context, from the other.
    pub fn back(&self) {
        // SAFETY: both are this CPU's, interrupts are off.
        let left = unsafe { context::switch(self.other.get(), self.main.get()) };
        self.check_left(left);
    }
}

/// Frames from the largest range of free memory, never given back.
pub struct Bump {
    next: u64,
    end: u64,
}

impl Bump {
    /// Takes over the free memory.
    pub fn of(info: &BootInfo) -> Bump {
        let largest =
            info.memory.iter().max_by_key(|r| r.bytes()).expect("boot needs memory itself");
        Bump { next: largest.start.0, end: largest.end.0 }
    }
}

impl FrameSource for Bump {
    fn take(&mut self) -> Option<Phys> {
        let frame = Phys(self.next);
        (self.next < self.end).then(|| {
            self.next += PAGE as u64;
            // SAFETY: free memory, which the direct map shows.
            unsafe { frame.as_ptr::<u8>().write_bytes(0, PAGE) };
            frame
        })
    }

    fn give(&mut self, _: Phys) {}
}

/// Starts what can be started; the rest is said.
pub fn start_cpus(info: &BootInfo, frames: &mut Bump) -> usize {
    let mut started = 0;
    for (id, cpu) in info.cpus.iter().enumerate() {
        let prepared =
            tables::prepare(&HEADS[id], id as u32, cpu.apic_id, frames).expect("memory for a CPU");
        let result = match id {
            // SAFETY: the first CPU, once, interrupts off.
            0 => unsafe { tables::adopt(&prepared) }.map_err(|_| smp::StartError::Unfit),
            // SAFETY: one at a time, after the first adopted its own.
            _ => unsafe { smp::start(&prepared, smp::Startup::Sent) },
        };
        match result {
            Ok(()) => started += 1,
            Err(error) => textln!("cpu {id} (apic {}): {error:?}", cpu.apic_id),
        }
    }
    started
}

/// Starts a CPU that does not exist: reported within a bound, and the others go on.
pub fn start_nobody(frames: &mut Bump) {
    let id = MAX_CPUS - 1;
    let prepared = tables::prepare(&HEADS[id], id as u32, 0xf0, frames).expect("memory for a CPU");
    // SAFETY: one at a time, on the first CPU.
    let result = unsafe { smp::start(&prepared, smp::Startup::Sent) };
    assert_eq!(result, Err(smp::StartError::Silent));
    textln!("machine: cpu {id}: {result:?}");
}

/// Returns the APIC number of a CPU by its own.
pub fn apic_of(cpu: usize) -> u32 {
    HEADS[cpu].apic_id()
}

/// Runs `entry` on a new stack of this CPU, which it will have for ever.
pub fn context_on(
    slot: usize,
    frames: &mut Bump,
    entry: context::Entry,
    argument: usize,
) -> Context {
    // SAFETY: this CPU's own region.
    let top = unsafe { stack::map(arch::cpu_id(), slot, frames) }.expect("memory for a stack");
    // SAFETY: mapped above, used for nothing else.
    unsafe { Context::new(top, entry, argument) }
}

/// Uses a stack up; its guard page turns that into a double fault.
pub fn overflow(frames: &mut Bump) -> ! {
    extern "C" fn begin(depth: usize, _: *mut Context) -> ! {
        recurse(depth)
    }
    #[expect(unconditional_recursion, reason = "that is the test")]
    fn recurse(depth: usize) -> ! {
        let block = core::hint::black_box([depth; 64]);
        recurse(block[63] + 1)
    }
    Pair::new().run(Some(context_on(stack::FIRST_SLOT, frames, begin, 0)));
    unreachable!("nobody switches back")
}

#[unsafe(no_mangle)]
fn core_cpu_main(_: &'static CpuHead) -> ! {
    // A CPU begins inside a critical section, in which the doorbell would only leave its mark.
    let _ = crit_exit();
    loop {
        // SAFETY: this CPU holds nothing.
        unsafe { irq::idle(|| false) };
    }
}

#[unsafe(no_mangle)]
fn core_critical_trap(frame: &mut Frame, head: &CpuHead) {
    let guard = stack::guard(trap::fault_address());
    panic::die(
        format_args!("critical trap {} on cpu {}, guard page {guard:?}", frame.vector, head.id()),
        Some(frame),
    )
}

#[unsafe(no_mangle)]
fn core_doorbell() {
    RUNG.fetch_add(1, Ordering::Release);
}

#[unsafe(no_mangle)]
fn core_timer() {
    FIRED.fetch_add(1, Ordering::Release);
}

#[unsafe(no_mangle)]
fn core_line(line: u8) {
    panic!("nobody asked for an interrupt of line {line}");
}

#[unsafe(no_mangle)]
fn core_unexpected_interrupt(vector: u8) {
    panic!("nobody asked for interrupt {vector}");
}
