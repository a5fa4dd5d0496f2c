//! The kernel image: greets from every CPU.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use arch::boot::BootInfo;
use arch::layout::{PAGE, Phys};
use arch::paging::FrameSource;
use arch::power::Exit;
use arch::upcall::Answer;
use arch::{CpuHead, Frame, irq, panic, power, smp, tables, textln, time};

static HEADS: [CpuHead; arch::boot::MAX_CPUS] = [const { CpuHead::new() }; arch::boot::MAX_CPUS];
static GREETED: AtomicU32 = AtomicU32::new(0);

/// Frames from the largest range of free memory, never given back.
struct Bump {
    next: u64,
    end: u64,
}

impl FrameSource for Bump {
    fn take(&mut self) -> Option<Phys> {
        if self.next == self.end {
            return None;
        }
        let frame = Phys(self.next);
        self.next += PAGE as u64;
        // SAFETY: free memory, which the direct map shows.
        unsafe { frame.as_ptr::<u8>().write_bytes(0, PAGE) };
        Some(frame)
    }

    fn give(&mut self, _: Phys) {}
}

#[unsafe(no_mangle)]
fn core_main(info: &'static BootInfo) -> ! {
    let rates = time::rates();
    textln!(
        "damselfly {}: {} MiB, {:?}, tsc {} kHz, timer {} kHz, command line \"{}\"",
        env!("CARGO_PKG_VERSION"),
        info.ram_bytes >> 20,
        apic::mode(),
        rates.tsc / 1000,
        rates.timer / 1000,
        info.command_line
    );
    let largest = info.memory.iter().max_by_key(|r| r.bytes()).expect("boot needs memory itself");
    let mut frames = Bump { next: largest.start.0, end: largest.end.0 };
    let mut started = 0;
    for (id, cpu) in info.cpus.iter().enumerate() {
        let prepared = tables::prepare(&HEADS[id], id as u32, cpu.apic_id, &mut frames).expect("memory for a CPU");
        let result = if id == 0 {
            // SAFETY: the first CPU, once, interrupts off.
            unsafe { tables::adopt(&prepared) }.map_err(|_| smp::StartError::Unfit)
        } else {
            // SAFETY: one at a time, after the first adopted its own.
            unsafe { smp::start(&prepared) }
        };
        match result {
            Ok(()) => started += 1,
            Err(error) => textln!("cpu {id} (apic {}): {error:?}", cpu.apic_id),
        }
    }
    greet();
    while GREETED.load(Ordering::Acquire) < started {
        irq::pause();
    }
    textln!("{started} of {} CPUs", info.cpus.len());
    power::exit(Exit::Success)
}

fn greet() {
    textln!("cpu {} (apic {}) greets", arch::cpu_id(), arch::this_cpu().apic_id());
    GREETED.fetch_add(1, Ordering::Release);
}

#[unsafe(no_mangle)]
fn core_cpu_main(_: &'static CpuHead) -> ! {
    greet();
    irq::halt()
}

#[unsafe(no_mangle)]
fn core_exception(frame: &mut Frame) {
    panic::die(format_args!("exception {} error {:#x} address {:#x}", frame.vector, frame.error, arch::trap::fault_address()), Some(frame))
}

#[unsafe(no_mangle)]
fn core_critical_trap(frame: &mut Frame, _: &CpuHead) {
    panic::die(format_args!("critical trap {}", frame.vector), Some(frame))
}

#[unsafe(no_mangle)]
fn core_doorbell() {}

#[unsafe(no_mangle)]
fn core_timer() {}

#[unsafe(no_mangle)]
fn core_unexpected_interrupt(vector: u8) {
    textln!("unexpected interrupt {vector}");
}

#[unsafe(no_mangle)]
fn core_return_to_user(_: &mut Frame) {}

#[unsafe(no_mangle)]
fn core_foreign_syscall(_: &mut Frame) {}

#[unsafe(no_mangle)]
extern "C" fn core_syscall_send(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64) -> Answer {
    Answer { status: -1, value: 0 }
}

#[unsafe(no_mangle)]
extern "C" fn core_syscall_receive(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64) -> Answer {
    Answer { status: -1, value: 0 }
}

#[unsafe(no_mangle)]
extern "C" fn core_syscall_wait(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64) -> Answer {
    Answer { status: -1, value: 0 }
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    panic::die(format_args!("{info}"), None)
}
