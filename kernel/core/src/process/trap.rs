//! Ways into the kernel from ring 3 that nobody asked for, and the way back.

use super::carrier;
use super::space::{SpaceError, Use};
use super::{Attention, Carrier, How, end, layer, tick};
use crate::cpu::{critical, here};
use crate::{report, thread};
use abi::{Error, PENDING_TICK};
use arch::Frame;
use arch::trap::{DIRECTION_FLAG, PageFaultErrorCode as PageFault};
use core::sync::atomic::Ordering;
use lwkt_sched::MayBlock;

/// An exception in ring 0 is a bug of the kernel; in ring 3 it is the program's, unless it wants a page.
#[unsafe(no_mangle)]
extern "C" fn core_exception(frame: &mut Frame) {
    if !frame.from_user() {
        report::kernel_fault(frame);
    }
    let address = arch::trap::fault_address() as u64;
    // SAFETY: ring 3 was interrupted, so this CPU is outside critical sections.
    unsafe { arch::irq::enable() };
    let carrier = critical(carrier::current).expect("only a CPU process is in ring 3");
    let repaired = match frame.lacks_page() {
        true => repair(carrier, address, wanted(frame)),
        false => Err(SpaceError::NotMapped),
    };
    if let Err(why) = repaired {
        report::program_fault(carrier, frame, address, why);
        end::begin(&carrier.process, How::Faulted);
    }
    arch::irq::disable();
}

/// What a page fault of ring 3 wanted.
pub(crate) fn wanted(frame: &Frame) -> Use {
    let fault = frame.page_fault();
    if fault.contains(PageFault::INSTRUCTION_FETCH) {
        Use::Execute
    } else if fault.contains(PageFault::CAUSED_BY_WRITE) {
        Use::Write
    } else {
        Use::Read
    }
}

/// Gives the page its frame. A fault at a page that is there is no lack of a frame: nothing that is mapped ever comes to
/// allow more, so trying again would fault again.
fn repair(carrier: &Carrier, address: u64, wanted: Use) -> Result<(), SpaceError> {
    probe::faulted(wanted as u32, address);
    let repaired = carrier.process.with_space(|crit, space| space.fault_in(crit, address, wanted));
    critical(|crit| here().counters.page_faults.add(crit, 1));
    repaired.unwrap_or(Err(SpaceError::NotMapped))
}

/// A `syscall` from outside the layer, or `int 0x80`: an error to that program, no entry into the kernel.
#[unsafe(no_mangle)]
extern "C" fn core_foreign_syscall(frame: &mut Frame) {
    frame.rax = (-(Error::NotLayer as i64)).cast_unsigned();
}

/// Last step before each `iretq` to ring 3, interrupts off.
#[unsafe(no_mangle)]
extern "C" fn core_return_to_user(frame: &mut Frame) {
    // SAFETY: ring 3 was interrupted or is entered for the first time: outside critical sections.
    unsafe { arch::irq::enable() };
    let carrier = critical(carrier::current).expect("only a CPU process goes to ring 3");
    // SAFETY: the context of a thread that is on its way to ring 3 has no other one (`carrier::run` gave its own up).
    if before_ring3(&mut unsafe { MayBlock::assume() }, carrier) & Attention::TICK != 0 {
        upcall(carrier, frame);
    }
}

/// Lets others run and does what wants attention until nothing does. Comes with interrupts on and returns with
/// interrupts off: what arrives after that interrupts ring 3. Returns what was looked at.
pub(crate) fn before_ring3(cx: &mut MayBlock, carrier: &Carrier) -> u32 {
    let mut looked_at = 0;
    loop {
        let seen = carrier.look(cx);
        if seen & Attention::TICK != 0 {
            thread::next_turn(cx);
            critical(|crit| tick::start(crit, carrier));
        } else {
            thread::give_way(cx);
        }
        looked_at |= seen;
        arch::irq::disable();
        if !carrier.attention.any() {
            // Not before: whoever was woken in between would find no tick, and nothing else that ends this turn.
            critical(|crit| tick::share(crit, carrier));
            return looked_at;
        }
        // SAFETY: as when it came.
        unsafe { arch::irq::enable() };
    }
}

/// Hands the tick to the layer: saves the interrupted context in the carrier area and continues in the layer, unless the
/// layer was interrupted itself or has not taken over the last one; then it finds `pending` when it is left.
fn upcall(carrier: &Carrier, frame: &mut Frame) {
    let interval = critical(|crit| carrier.own.with(crit, |own| own.interval));
    let Some((_, entry)) = layer::entries().filter(|_| interval != 0) else { return };
    let area = carrier.area();
    // SAFETY: the area lives as long as the carrier; the word is an atomic, whatever ring 3 does to it.
    let full = unsafe { &(*area).frame_full };
    let in_layer = (abi::map::LAYER..abi::map::LAYER_END).contains(&frame.rip);
    if in_layer || full.load(Ordering::Relaxed) != 0 {
        return carrier.note(PENDING_TICK);
    }
    // SAFETY: as above; ring 3 of this CPU process is stopped, and what others of its process write there is their affair.
    let place = unsafe { &raw mut (*area).frame };
    // SAFETY: as above; any bytes are a frame.
    unsafe { place.write_volatile(saved(frame)) };
    full.store(1, Ordering::Relaxed);
    frame.rip = entry;
    frame.rsp = abi::map::carrier_stack_top(carrier.index());
    frame.rdi = abi::map::carrier(carrier.index());
    // The layer's code expects it clear.
    frame.rflags &= !DIRECTION_FLAG;
}

fn saved(frame: &Frame) -> abi::Frame {
    abi::Frame {
        r15: frame.r15,
        r14: frame.r14,
        r13: frame.r13,
        r12: frame.r12,
        r11: frame.r11,
        r10: frame.r10,
        r9: frame.r9,
        r8: frame.r8,
        rbp: frame.rbp,
        rdi: frame.rdi,
        rsi: frame.rsi,
        rdx: frame.rdx,
        rcx: frame.rcx,
        rbx: frame.rbx,
        rax: frame.rax,
        rip: frame.rip,
        cs: frame.cs,
        rflags: frame.rflags,
        rsp: frame.rsp,
        ss: frame.ss,
    }
}
