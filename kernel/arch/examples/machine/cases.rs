//! Checks and counts in ring 0.

use core::hint::black_box;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use arch::{crit_enter, crit_exit, irq, stack, textln, time, trap};

use crate::kernel::{Bump, FIRED, Pair, RUNG, apic_of, context_on};

/// Rounds of a counted loop.
const ROUNDS: u64 = 1000;

/// Runs `step` [`ROUNDS`] times and returns ticks for each, overhead of an empty loop taken off.
pub fn count(mut step: impl FnMut()) -> u64 {
    let mut run = |with_step: bool| {
        let start = time::tsc_begin();
        for round in 0..ROUNDS {
            black_box(round);
            if with_step {
                step();
            }
        }
        time::tsc_end() - start
    };
    let (empty, full) = (run(false), run(true));
    (full - empty.min(full)) / ROUNDS
}

/// The critical word: depth, and the mark that shows at the outermost exit only.
pub fn critical_word() {
    assert!(arch::cpu::in_crit(), "a CPU begins inside");
    crit_enter();
    arch::cpu::set_pending();
    assert!(!crit_exit(), "not the outermost");
    assert!(crit_exit(), "outermost, with work");
    arch::cpu::clear_pending();
    hard_sections();
    crit_enter();
    assert_eq!(arch::cpu::crit_depth(), 1);
    crit_enter();
    assert!(!crit_exit());
    assert!(!arch::cpu::is_pending());
    let ticks = count(|| {
        crit_enter();
        black_box(crit_exit());
    });
    textln!("machine: critical section {ticks}");
}

/// Hard sections among critical ones: counted apart, and work shows at the outermost exit whichever it is.
fn hard_sections() {
    arch::cpu::hard_enter();
    assert!(arch::cpu::in_crit() && !arch::cpu::may_switch());
    crit_enter();
    arch::cpu::hard_enter();
    assert_eq!((arch::cpu::crit_depth(), arch::cpu::hard_level()), (3, 2));
    arch::cpu::set_pending();
    assert!(!arch::cpu::hard_exit() && !crit_exit());
    assert_eq!((arch::cpu::crit_depth(), arch::cpu::hard_level()), (1, 1));
    arch::cpu::soften();
    assert_eq!((arch::cpu::crit_depth(), arch::cpu::hard_level()), (1, 0));
    assert!(arch::cpu::may_switch());
    arch::cpu::harden();
    assert!(arch::cpu::hard_exit(), "outermost, with work");
    arch::cpu::clear_pending();
    assert!(!arch::cpu::in_crit());
}

static PAIR: Pair = Pair::new();

extern "C" fn other(argument: usize, left: *mut arch::Context) -> ! {
    assert_eq!(argument, 0x1234);
    PAIR.check_left(left);
    loop {
        PAIR.back();
    }
}

/// Two contexts that switch to each other.
pub fn switching(frames: &mut Bump) {
    let new = context_on(stack::FIRST_SLOT, frames, other, 0x1234);
    PAIR.run(Some(new));
    let ticks = count(|| PAIR.run(None));
    textln!("machine: two switches {ticks}");
    arch::set_current(null_mut());
    assert!(arch::current().is_null());
}

/// The one-shot timer fires once, and wakes a CPU that sleeps.
pub fn timer() {
    let before = FIRED.load(Ordering::Acquire);
    let start = time::tsc();
    apic::arm_timer((time::rates().timer / 1000) as u32);
    while FIRED.load(Ordering::Acquire) == before {
        // SAFETY: this CPU holds nothing.
        unsafe { irq::idle(|| FIRED.load(Ordering::Acquire) != before) };
        irq::disable();
    }
    let passed = (time::tsc() - start) * 1_000_000 / time::rates().tsc;
    assert!(passed >= 900, "a millisecond took {passed} us");
    assert_eq!(apic::timer_left(), 0);
    textln!("machine: timer of 1000 us fired after {passed} us");
}

/// A doorbell reaches the CPU that it is for, asleep, and comes back.
pub fn doorbell() {
    let to = apic_of(1);
    // SAFETY: no handler of this example sends.
    let crit = &unsafe { percpu::Crit::assume() };
    let ring = || {
        let before = RUNG.load(Ordering::Acquire);
        apic::send_ipi(crit, to, trap::vector::DOORBELL);
        while RUNG.load(Ordering::Acquire) == before {
            irq::pause();
        }
    };
    ring();
    let ticks = count(ring);
    let send = count(|| {
        let before = RUNG.load(Ordering::Relaxed);
        let start = time::tsc();
        apic::send_ipi(crit, to, trap::vector::DOORBELL);
        black_box(time::tsc() - start);
        while RUNG.load(Ordering::Acquire) == before {
            irq::pause();
        }
    });
    textln!(
        "machine: doorbell to a CPU asleep, both CPUs' work, the sender spinning {ticks} (with two more counter reads {send})"
    );
}
