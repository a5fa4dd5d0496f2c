//! Tests of the machine: an image of its own, on the bare machine, with the smallest kernel that can be.
//!
//! `./x test machine` runs it. It ends with status 33 when every check held, 37 (a panic) otherwise. Words of the command
//! line have it die in some way, `panic`, `overflow` or `nmi`, or start a CPU that is not there, `ghost`. Counts that it
//! prints are instructions only in `insns` mode.
#![no_std]
#![no_main]

#[path = "machine/cases.rs"]
mod cases;
#[path = "machine/kernel.rs"]
mod kernel;
#[path = "machine/ring3.rs"]
mod ring3;

use core::panic::PanicInfo;

use arch::boot::BootInfo;
use arch::power::{Exit, exit};
use arch::{panic, textln, time};

#[unsafe(no_mangle)]
fn core_main(info: &'static BootInfo) -> ! {
    let rates = time::rates();
    textln!(
        "machine: {} MiB, {:?}, tsc {} kHz, timer {} kHz, {:?}",
        info.ram_bytes >> 20,
        apic::mode(),
        rates.tsc / 1000,
        rates.timer / 1000,
        info.features
    );
    let mut frames = kernel::Bump::of(info);
    let started = kernel::start_cpus(info, &mut frames);
    for word in info.command_line.split(' ') {
        match word {
            "panic" => panic!("asked to"),
            "overflow" => kernel::overflow(&mut frames),
            "ghost" => kernel::start_nobody(&mut frames),
            "nmi" => {
                // SAFETY: no handler of this example sends.
                apic::send_nmi(&unsafe { percpu::Crit::assume() }, arch::this_cpu().apic_id());
            }
            _ => {}
        }
    }
    cases::critical_word();
    cases::switching(&mut frames);
    cases::timer();
    if started > 1 {
        cases::doorbell();
    }
    ring3::run(&mut frames);
    textln!("machine: {started} of {} CPUs, all checks held", info.cpus.len());
    exit(Exit::Success)
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    panic::die(format_args!("{info}"), None)
}
