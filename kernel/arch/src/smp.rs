//! Starting the other CPUs, one at a time.
//!
//! ```text
//! first CPU                          the CPU that starts
//! mailbox, INIT, start-up message -> trampoline: long mode on the boot tables
//! waits                              ap_entry: kernel tables, own stack     state: Alive
//!                                    loads its tables, enables its APIC     state: Ready or Unfit
//! goes on                            core_cpu_main
//! ```
//! One that does not get ready within the limit gets another INIT: so it cannot wake up later in somebody else's mailbox, and what was
//! prepared for it may serve the next ([`Prepared::again`]).

use core::sync::atomic::{AtomicU32, Ordering};

use crate::boot::entry::{Mailbox, TRAMPOLINE, trampoline};
use crate::layout::{PAGE, Phys};
use crate::tables::{CpuTables, Prepared, adopt};
use crate::{features, irq, paging, time, trap::vector, upcall};

/// Why a CPU does not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// Its number is beyond what the memory-mapped APIC can address.
    OutOfReach,
    /// It gave no sign of life within the limit.
    Silent,
    /// It came to life but did not get as far as `core_cpu_main` within the limit.
    Stuck,
    /// It lacks something that the first CPU has.
    Unfit,
}

/// What becomes of the start-up messages to a CPU: on purpose not all of them may leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Startup {
    /// They are sent.
    Sent,
    /// The first one is lost: the CPU comes late, by the second.
    FirstLost,
    /// All are lost: the CPU stays silent.
    Lost,
}

const NONE: u32 = 0;
const ALIVE: u32 = 1;
const READY: u32 = 2;
const UNFIT: u32 = 3;

/// How far the CPU that is being started got.
static STATE: AtomicU32 = AtomicU32::new(NONE);
/// CPUs that run, the first included.
static RUNNING: AtomicU32 = AtomicU32::new(1);

/// Looks before the waiter goes to sleep between looks.
const QUICK_LOOKS: u32 = 2_000;
/// Sleeps of a millisecond each before a CPU is given up: generous, a loaded host may need seconds.
const SLEEPS: u32 = 3_000;
/// Sleeps after which the start-up message is repeated, as the manuals advise.
const REPEAT_AFTER: u32 = 10;

/// Returns how many CPUs run.
pub fn running() -> u32 {
    RUNNING.load(Ordering::Relaxed)
}

/// Starts one CPU and waits, bounded, until it is about to enter `core_cpu_main`. After an error it is off.
///
/// # Safety
/// Called on the first CPU after its [`crate::tables::adopt`], at most once for each prepared CPU, one
/// at a time. Takes interrupts while it waits, and its local timer.
pub unsafe fn start(prepared: &Prepared, startup: Startup) -> Result<(), StartError> {
    let to = prepared.head().apic_id();
    if apic::mode() == apic::Mode::XApic && to >= 0xff {
        return Err(StartError::OutOfReach);
    }
    STATE.store(NONE, Ordering::Relaxed);
    place_trampoline(prepared);
    // SAFETY: the caller's word: nothing runs there.
    unsafe { apic::send_init(to) };
    if startup == Startup::Sent {
        // SAFETY: placed above; INIT was sent.
        unsafe { apic::send_startup(to, (TRAMPOLINE as usize / PAGE) as u8) };
    }
    match wait(to, startup) {
        READY => {
            RUNNING.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        state => {
            // SAFETY: it does not run, or not as it should.
            unsafe { apic::send_init(to) };
            Err(match state {
                NONE => StartError::Silent,
                UNFIT => StartError::Unfit,
                _ => StartError::Stuck,
            })
        }
    }
}

fn place_trampoline(prepared: &Prepared) {
    let (code, mailbox) = trampoline();
    let place: *mut u8 = Phys(TRAMPOLINE).as_ptr();
    // SAFETY: the first MiB is boot's; nobody executes there now (the caller starts one at a time).
    unsafe { place.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    let filled = Mailbox {
        root: paging::kernel_root().0,
        stack_top: prepared.stack_top() as u64,
        argument: core::ptr::from_ref(prepared.tables) as u64,
    };
    // SAFETY: the mailbox is part of the trampoline, 8-aligned in it.
    unsafe { place.wrapping_add(mailbox).cast::<Mailbox>().write(filled) };
}

/// Waits for a final state: first by looking, then asleep between looks.
fn wait(to: u32, startup: Startup) -> u32 {
    // Pairs with the releases in `ap_start`.
    let state = || STATE.load(Ordering::Acquire);
    for _ in 0..QUICK_LOOKS {
        if state() >= READY {
            return state();
        }
        irq::pause();
    }
    let millisecond = (time::rates().timer / 1_000).max(1) as u32;
    apic::set_timer_vector(vector::WAKE);
    for sleep in 0..SLEEPS {
        if state() >= READY {
            break;
        }
        if sleep == REPEAT_AFTER && state() == NONE && startup != Startup::Lost {
            // SAFETY: it had INIT and no sign of life: it still waits for this.
            unsafe { apic::send_startup(to, (TRAMPOLINE as usize / PAGE) as u8) };
        }
        apic::arm_timer(millisecond);
        // SAFETY: the caller of `start` is ready for interrupts.
        unsafe { irq::idle(|| state() >= READY) };
        irq::disable();
    }
    apic::disarm_timer();
    apic::set_timer_vector(vector::TIMER);
    state()
}

/// A started CPU's first Rust: on its own stack and the kernel's tables, interrupts off.
pub(crate) extern "C" fn ap_start(tables: &'static CpuTables) -> ! {
    // Pairs with the acquire in `wait`, as do the two below.
    STATE.store(ALIVE, Ordering::Release);
    if features::missing().next().is_some() || features::detect() != crate::boot::features() {
        STATE.store(UNFIT, Ordering::Release);
        irq::halt();
    }
    let prepared = Prepared { tables };
    // SAFETY: this is the CPU it was prepared for, once, interrupts off since the trampoline.
    if unsafe { adopt(&prepared) }.is_err() {
        STATE.store(UNFIT, Ordering::Release);
        irq::halt();
    }
    STATE.store(READY, Ordering::Release);
    upcall::core_cpu_main(prepared.head())
}
