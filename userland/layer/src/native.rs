//! The kernel below the thread library, and the first steps of a CPU process.

use abi::{EntryNumber, FLAG_REGISTERS, Head, Number, Shared, map};
use core::mem::offset_of;
use core::ptr::NonNull;
use uarch::message::{Begin, enter, time_stamp};
use uthread::{Carrier, Class, Kernel, Options, Process};

/// Nanoseconds between upcalls, unless the program asks for others.
const TICK: u64 = 5_000_000;

/// Damselfly's kernel.
#[derive(Clone, Copy, Default)]
pub struct Native;

/// Sends a message in registers that is answered at once; returns its status and first value.
fn send(number: Number, scalars: [u64; 4]) -> (i64, u64) {
    let head = Head::new(number as u16, FLAG_REGISTERS, 0);
    // SAFETY: the layer's own messages describe no memory but what they map or print.
    let raw = unsafe { enter(EntryNumber::Send, head.0, 0, scalars) };
    (raw.status, raw.value)
}

impl Kernel for Native {
    fn now(self, carrier: &Carrier) -> u64 {
        carrier.completions().header.nanoseconds(time_stamp())
    }

    fn wait(self, _: &Carrier, seen: u64, deadline: u64) {
        // SAFETY: a wait describes no memory.
        unsafe { enter(EntryNumber::Wait, seen, deadline, [0; 4]) };
    }

    fn wake(self, index: u32) {
        send(Number::Wake, [u64::from(index), 0, 0, 0]);
    }
}

impl Begin for Native {
    fn begin(index: u64) {
        let shared = map::SHARED as *const Shared;
        // SAFETY: the kernel mapped and filled the shared page before the first entry to ring 3.
        let entry = unsafe { (*shared).program_entry };
        let process = (map::SHARED as usize + offset_of!(Shared, layer)) as *const Process;
        // SAFETY: the layer's words of the shared page, zero at first, which is a process without anything; only atomics.
        let process = unsafe { &*process };
        if index == 0 {
            map_slabs(process);
        }
        // SAFETY: the kernel maps the completion pages for ever.
        let completions = unsafe { &*(map::completions(index) as *const abi::Completions) };
        let area = NonNull::new(map::carrier(index) as *mut Carrier).expect("not null");
        let (top, landing) = (map::carrier_stack_top(index) as usize, uarch::landing::<Native>());
        // SAFETY: the area of this CPU process, which nobody else uses; the addresses are those of the stubs.
        let carrier = unsafe {
            Carrier::make(
                area,
                index,
                top,
                completions,
                process,
                landing,
                uarch::loop_entry::<Native>(),
            )
        };
        send(Number::SetTick, [TICK, 0, 0, 0]);
        if index == 0 {
            let options = Options {
                class: Class::Large,
                priority: Some(uthread::DEFAULT_PRIORITY),
                ..Options::USUAL
            };
            if carrier.create(entry as usize, 0, options.word(), Native).is_none() {
                fail("damselfly layer: no memory for the first thread\n");
            }
        }
    }
}

fn map_slabs(process: &Process) {
    for class in Class::ALL {
        match send(Number::Map, [class.slab(), map::stacks(class.stride(), class.size()), 0, 0]) {
            // SAFETY: fresh memory of this process; the layer never unmaps it.
            (0, base) => unsafe { process.give_slab(class, base, class.stacks()) },
            _ => fail("damselfly layer: no address range for thread stacks\n"),
        }
    }
}

/// Ends the process with a line.
pub fn fail(line: &str) -> ! {
    send(Number::ConsoleWrite, [line.as_ptr() as u64, line.len() as u64, 0, 0]);
    loop {
        send(Number::Exit, [101, 0, 0, 0]);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail("damselfly layer: panic\n")
}
