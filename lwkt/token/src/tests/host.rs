//! A kernel of host threads, each on a CPU of its own.

use core::cell::Cell;
use std::boxed::Box;

use lwkt_sched::MayBlock;
use percpu::{CpuId, Crit};

use crate::{Exec, Held};

/// Host threads.
pub(super) enum Host {}

std::thread_local! {
    static ME: &'static Held = Box::leak(Box::new(Held::new::<Host>()));
    static WORD: Cell<usize> = const { Cell::new(0) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static CPU: Cell<usize> = const { Cell::new(0) };
    static RANKS: Cell<u32> = const { Cell::new(0) };
    static ASIDE: Cell<u32> = const { Cell::new(0) };
}

/// Makes this thread that of another CPU.
pub(super) fn become_cpu(number: usize) {
    CPU.set(number);
}

/// Sets something rare beside the number of tokens, or not.
pub(super) fn set_rare(rare: usize) {
    WORD.set(WORD.get() & 0xff | rare);
}

/// How often this thread has stepped aside.
pub(super) fn aside() -> u32 {
    ASIDE.get()
}

pub(super) fn may_block() -> MayBlock {
    // SAFETY: a thread, and each test makes one.
    #[allow(unsafe_code)]
    unsafe {
        MayBlock::assume()
    }
}

/// As a thread that waits: between its being left and its coming back, `f` happens.
pub(super) fn wait(_: &mut MayBlock, f: impl FnOnce()) {
    Host::crit(|crit| {
        let (me, count) = (Host::me(), Host::word() & 0xff);
        me.park(count);
        Host::let_go(crit);
        f();
        crate::take_again::<Host>(crit, me, me.parked());
    });
}

// SAFETY: each host thread has its own list, word and depth, and is the only one of its CPU.
#[allow(unsafe_code)]
unsafe impl Exec for Host {
    fn me() -> &'static Held {
        ME.with(|me| *me)
    }

    fn word() -> usize {
        WORD.get()
    }

    fn took() {
        WORD.set(WORD.get() + 1);
    }

    fn gave() {
        WORD.set(WORD.get() - 1);
    }

    fn let_go(crit: &Crit) {
        Self::taken_again(crit, 0);
    }

    fn taken_again(_: &Crit, held: usize) {
        WORD.set(WORD.get() & !0xff | held);
    }

    fn relax(_: &Crit) {
        core::hint::spin_loop();
    }

    fn step_aside(_: &Crit) {
        assert_eq!(DEPTH.get(), 1);
        assert_eq!(WORD.get() & 0xff, 0, "who steps aside holds nothing");
        ASIDE.set(ASIDE.get() + 1);
        assert!(ASIDE.get() < 1 << 18, "a wait for a token does not end");
        std::thread::yield_now();
    }

    unsafe fn enter() -> Crit {
        DEPTH.set(DEPTH.get() + 1);
        // SAFETY: the caller ends it.
        unsafe { Crit::assume() }
    }

    unsafe fn leave() {
        DEPTH.set(DEPTH.get() - 1);
    }

    fn here(_: &Crit) -> CpuId {
        CpuId::at(CPU.get())
    }

    fn ranks(_: &Crit) -> u32 {
        RANKS.get()
    }

    fn set_ranks(_: &Crit, ranks: u32) {
        RANKS.set(ranks);
    }
}
