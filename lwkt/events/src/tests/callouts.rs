//! Callouts.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::vec::Vec;

use super::{Sim, explore, leak, serve};
use crate::{Callout, Elsewhere, Firing, OwnHandler, Reset, When};
use lwkt_sched::{Exec, MayBlock, sim};
use percpu::{CpuId, Crit};

/// What the handlers of a callout count.
#[derive(Default)]
struct Counts {
    fired: AtomicUsize,
    running: AtomicUsize,
    /// After a drain nothing may happen.
    closed: AtomicBool,
    /// How often it is to arm itself again.
    again: AtomicUsize,
    cpus: usize,
}

type Timed<const EARLY: bool = false> = Callout<Sim<EARLY>, Counts>;

fn counts(again: usize, cpus: usize) -> Counts {
    Counts { again: AtomicUsize::new(again), cpus, ..Counts::default() }
}

fn fired(counts: &Counts) {
    assert!(!counts.closed.load(SeqCst), "a handler runs after a drain");
    counts.fired.fetch_add(1, SeqCst);
}

/// Takes a while, and wanders.
fn slow<const EARLY: bool>(cx: &mut MayBlock, firing: &Firing<Sim<EARLY>, Counts>) {
    let counts = firing.value();
    fired(counts);
    assert_eq!(counts.running.fetch_add(1, SeqCst), 0, "a handler runs twice at once");
    sim::yield_now(cx);
    if counts.again.load(SeqCst) > 0 {
        counts.again.fetch_sub(1, SeqCst);
        let cpu = (sim::here().index() + 1) % counts.cpus;
        firing.again_on(When::After(1), CpuId::at(cpu));
    }
    sim::yield_now(cx);
    counts.running.fetch_sub(1, SeqCst);
    assert!(!counts.closed.load(SeqCst), "a drain returned while the handler runs");
}

fn quick(_: &Crit, firing: &Firing<Sim, Counts>) {
    fired(firing.value());
    let again = &firing.value().again;
    if again.load(SeqCst) > 0 {
        again.fetch_sub(1, SeqCst);
        // At once: not in this interrupt, all the same.
        firing.again(When::After(0));
    }
}

/// Ends the callout threads: their last callout.
fn stop(cx: &mut MayBlock, cpus: usize, stop: &'static AtomicBool, threads: Vec<sim::Handle>) {
    fn end<const EARLY: bool>(_: &mut MayBlock, firing: &Firing<Sim<EARLY>, &'static AtomicBool>) {
        firing.value().store(true, SeqCst);
    }
    for cpu in 0..cpus {
        let last: &'static Callout<Sim, _> = leak(Callout::threaded(end, stop));
        last.reset(cx, When::At(0), CpuId::at(cpu));
    }
    threads.into_iter().for_each(|thread| thread.join(cx));
}

/// Armed, armed again, cancelled and drained from every CPU, while its handler arms itself on the next CPU.
fn torture<const EARLY: bool>(cpus: usize) -> impl Fn(&mut MayBlock) + Send + Sync + 'static {
    move |cx| {
        let ended: &'static AtomicBool = leak(AtomicBool::new(false));
        let threads: Vec<_> = (0..cpus).map(|cpu| serve::<EARLY>(cpu, ended)).collect();
        let callout: &'static Timed<EARLY> = leak(Callout::threaded(slow, counts(2, cpus)));
        let hands: Vec<_> = (0..cpus)
            .map(|cpu| {
                sim::spawn(cpu, "hand", move |cx| {
                    callout.reset(cx, When::After(cpu as u64), CpuId::at(cpu));
                    sim::yield_now(cx);
                    if cpu == 1 {
                        callout.cancel(cx);
                    }
                    callout.reset(cx, When::After(2), CpuId::at((cpu + 1) % cpus));
                })
            })
            .collect();
        hands.into_iter().for_each(|hand| hand.join(cx));
        let drains: Vec<_> = (1..cpus)
            .map(|cpu| {
                sim::spawn(cpu, "drain", move |cx| {
                    callout.drain(cx).unwrap();
                })
            })
            .collect();
        callout.drain(cx).unwrap();
        assert_eq!(
            callout.value().running.load(SeqCst),
            0,
            "a drain returned while the handler runs"
        );
        callout.value().closed.store(true, SeqCst);
        drains.into_iter().for_each(|drain| drain.join(cx));
        for cpu in 0..cpus {
            sim::spawn(cpu, "passer-by", |cx| {
                sim::sleep(cx, lwkt_sched::Why::SLEEP, sim::now() + 10);
                let laws = |crit: &Crit| sim::own(crit, |own: &mut crate::Callouts| own.check());
                assert_eq!(sim::crit(laws), Some((0, 0)));
            })
            .join(cx);
        }
        stop(cx, cpus, ended, threads);
    }
}

#[test]
fn drain_against_everything() {
    explore(2, 400, torture::<false>(2));
    explore(3, 400, torture::<false>(3));
}

#[test]
#[should_panic = "a drain"]
fn a_drain_that_does_not_wait_is_seen() {
    explore(2, 400, torture::<true>(2));
}

/// Each arming that was not replaced, cancelled or drained fires once.
#[test]
fn each_arming_fires_once() {
    explore(2, 400, |cx| {
        let callout: &'static Timed = leak(Callout::short(quick, counts(0, 2)));
        let fresh: &'static AtomicUsize = leak(AtomicUsize::new(0));
        let arm = move |cx: &mut MayBlock, after, cpu| {
            let reset = callout.reset(cx, When::After(after), CpuId::at(cpu));
            fresh.fetch_add(usize::from(reset == Reset::Armed), SeqCst);
        };
        let other = sim::spawn(1, "other", move |cx| {
            arm(cx, 1, 0);
            sim::yield_now(cx);
            arm(cx, 3, 1);
        });
        arm(cx, 2, 0);
        sim::yield_now(cx);
        let mut stopped = usize::from(callout.cancel(cx));
        arm(cx, 1, 1);
        other.join(cx);
        sim::sleep(cx, lwkt_sched::Why::SLEEP, sim::now() + 5);
        stopped += usize::from(callout.drain(cx).unwrap());
        assert_eq!(callout.value().fired.load(SeqCst) + stopped, fresh.load(SeqCst));
        callout.value().closed.store(true, SeqCst);
    });
}

/// Short ones run in the order of their times, and one that arms itself for at once lets others run.
#[test]
fn short_handlers_in_order() {
    explore(1, 100, |cx| {
        static LOG: AtomicUsize = AtomicUsize::new(0);
        fn log(_: &Crit, firing: &Firing<Sim, usize>) {
            LOG.store(LOG.load(SeqCst) * 10 + firing.value(), SeqCst);
        }
        LOG.store(0, SeqCst);
        let busy: &'static Timed = leak(Callout::short(quick, counts(3, 1)));
        let start = sim::now();
        sim::crit(|crit| {
            assert_eq!(busy.reset_here(crit, When::At(start)), Ok(Reset::Armed));
            for (number, after) in [(1, 7), (2, 3), (3, 5), (4, 3)] {
                let one: &'static Callout<Sim, usize> = leak(Callout::short(log, number));
                assert_eq!(one.reset_here(crit, When::At(start + after)), Ok(Reset::Armed));
            }
        });
        while sim::now() < start + 20 {
            sim::sleep(cx, lwkt_sched::Why::SLEEP, start + 20);
        }
        assert_eq!((LOG.load(SeqCst), busy.value().fired.load(SeqCst)), (2431, 4));
    });
}

/// Its own handler cannot drain it, and is told so; it is told, too, that somebody else drains it.
#[test]
fn a_handler_that_drains_itself_is_told() {
    explore(2, 200, |cx| {
        fn foolish(cx: &mut MayBlock, firing: &Firing<Sim, AtomicUsize>) {
            assert_eq!(firing.callout().drain(cx), Err(OwnHandler));
            firing.value().store(1, SeqCst);
            sim::yield_now(cx);
            let reset = firing.again(When::After(1));
            assert!(matches!(reset, Reset::Armed | Reset::Refused));
        }
        let ended: &'static AtomicBool = leak(AtomicBool::new(false));
        let threads: Vec<_> = (0..2).map(|cpu| serve::<false>(cpu, ended)).collect();
        let callout: &'static Callout<Sim, AtomicUsize> =
            leak(Callout::threaded(foolish, AtomicUsize::new(0)));
        assert_eq!(callout.drain(cx), Ok(false));
        assert!(!callout.cancel(cx));
        callout.reset(cx, When::After(1), CpuId::at(1));
        while callout.value().load(SeqCst) == 0 {
            sim::sleep(cx, lwkt_sched::Why::SLEEP, sim::now() + 1);
        }
        callout.drain(cx).unwrap();
        stop(cx, 2, ended, threads);
    });
}

/// Who cannot wait is told where the callout is.
#[test]
fn without_waiting_only_at_home() {
    explore(2, 100, |cx| {
        let callout: &'static Timed = leak(Callout::short(quick, counts(0, 2)));
        Sim::<false>::crit(|crit| {
            assert_eq!(callout.cancel_here(crit), Err(Elsewhere(None)));
            assert_eq!(callout.reset_here(crit, When::At(1_000)), Ok(Reset::Armed));
            assert_eq!(callout.reset_here(crit, When::At(2_000)), Ok(Reset::Replaced));
        });
        // Time may pass at the end of a critical section, and does on an idle CPU: it may have fired.
        let again = callout.reset(cx, When::At(3_000), CpuId::at(1));
        let home = Elsewhere(Some(CpuId::at(1)));
        Sim::<false>::crit(|crit| {
            assert_eq!(callout.reset_here(crit, When::At(1)), Err(home));
            assert_eq!(callout.cancel_here(crit), Err(home));
        });
        let cancelled = callout.cancel(cx);
        assert!(!callout.cancel(cx));
        assert_eq!(callout.drain(cx), Ok(false));
        let armings = 1 + usize::from(again == Reset::Armed);
        assert_eq!(callout.value().fired.load(SeqCst) + usize::from(cancelled), armings);
    });
}
