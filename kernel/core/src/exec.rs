//! The kernel under ports, wait queues and callouts: threads, critical sections and messages between CPUs as they are here.

use crate::cpu::{self, Machine, here};
use crate::{callout, ipi, plant, thread, timer};
use ipiq::Call;
use lwkt_events::{Callouts, Events, Grace, Key, Sections, Waiters};
use lwkt_sched::{CallFn, Exec, MayBlock, ThreadRef, Why};
use percpu::{CpuId, Crit, Here};

/// The threads of this kernel: messages name it as where they travel (`type Exec = Threads`).
#[derive(Debug)]
pub enum Threads {}

// SAFETY:
// 1. `critical` ends what it begins, and the number is the head's own (`Machine`).
// 2. A message between CPUs runs once, in a critical section, in the order of the sends, and its ring publishes what was
//    done before it (`ipiq`).
// 3. `block` and `block_until` check that the section is the only one; `thread::wake` reaches a thread on any CPU.
unsafe impl Exec for Threads {
    #[inline(always)]
    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        cpu::critical(f)
    }

    #[inline(always)]
    fn here(crit: &Crit) -> CpuId {
        Machine::here(crit)
    }

    #[inline(always)]
    fn current(crit: &Crit) -> ThreadRef {
        here().scheduler.with(crit, |s| s.current())
    }

    #[inline]
    fn call(crit: &Crit, to: CpuId, func: CallFn, args: [usize; 3]) {
        ipi::send(crit, to, func, args);
    }

    fn call_burst(
        crit: &Crit,
        to: CpuId,
        func: CallFn,
        args: impl IntoIterator<Item = [usize; 3]>,
    ) {
        ipi::send_burst(crit, to, args.into_iter().map(|args| Call::new(func, args)));
    }

    #[inline]
    fn wake(crit: &Crit, thread: ThreadRef) {
        thread::wake(crit, thread);
    }

    #[inline(always)]
    fn block(crit: &Crit, cx: &mut MayBlock, why: Why) {
        assert!(arch::cpu::may_switch(), "a thread waits in its outermost critical section only");
        thread::block(crit, cx, why);
    }

    fn block_until(crit: &Crit, cx: &mut MayBlock, why: Why, deadline: u64) {
        assert!(
            arch::cpu::crit_depth() == 1,
            "a thread waits in its outermost critical section only"
        );
        thread::sleep_until(crit, cx, why, deadline);
    }

    fn now() -> u64 {
        timer::now()
    }

    fn relax(crit: &Crit) {
        ipi::fabric().drain(crit);
        arch::irq::pause();
    }
}

// SAFETY: what is lent stands in the block of the CPU that asks, one for each.
unsafe impl Grace for Threads {
    #[inline(always)]
    fn sections<R>(crit: &Crit, _: Key, f: impl FnOnce(&mut Sections) -> R) -> R {
        here().sections.with(crit, f)
    }

    #[inline(always)]
    fn goes_early() -> bool {
        plant::goes_early()
    }
}

// SAFETY: 1. what is lent stands in the block of the CPU that asks, one for each. 2. A thread that is on a list of waiters is
// neither given away nor departs (`thread/migrate.rs`), and leaves it before it goes by itself.
unsafe impl Events for Threads {
    #[inline(always)]
    fn waiters<R>(crit: &Crit, _: Key, f: impl FnOnce(&mut Waiters) -> R) -> R {
        here().waiters.with(crit, f)
    }

    #[inline(always)]
    fn callouts<R>(crit: &Crit, _: Key, f: impl FnOnce(&mut Callouts) -> R) -> R {
        here().callouts.with(crit, f)
    }

    #[inline]
    fn set_deadline(crit: &Crit, deadline: Option<u64>) {
        timer::set_callout(crit, deadline);
    }

    fn start_thread(crit: &Crit) {
        callout::start(crit);
    }

    #[inline(always)]
    fn drains_early() -> bool {
        plant::drains_early()
    }
}
