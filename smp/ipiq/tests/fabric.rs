//! The fabric, step by step: one thread plays all CPUs in turn, so each test is one exact order of events.
#![cfg(not(feature = "loom"))]

mod common;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::*;
use ipiq::{Call, Fabric, Full};
use percpu::{CpuId, CpuSet, Crit};
use proptest::prelude::*;

thread_local! {
    static LOG: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn log(_crit: &Crit, what: usize, _: usize, _: usize) {
    LOG.with_borrow_mut(|log| log.push(what));
}

fn logged() -> Vec<usize> {
    LOG.take()
}

fn note(what: usize) -> Call {
    Call::new(log, [what, 0, 0])
}

fn fabric<const DEPTH: usize>(rings: usize) -> &'static Fabric<Host, CPUS, DEPTH> {
    let fabric = Box::leak(Box::new(Fabric::new(Host::new())));
    (0..CPUS).rev().for_each(|cpu| bring_up(fabric, cpu, rings));
    fabric
}

#[test]
fn only_the_first_of_a_burst_rings() {
    let fabric = fabric::<32>(8);
    let target = CpuId::at(1);
    for burst in 0..32 {
        play(0);
        (0..32).for_each(|number| fabric.send(&crit(), target, note(burst * 32 + number)));
        play(1);
        assert!(fabric.is_marked(target));
        assert!(fabric.bell().interrupted());
        assert_eq!(fabric.drain(&crit()), 32);
        assert!(!fabric.is_marked(target));
    }
    assert!(logged().into_iter().eq(0..32 * 32));
    let counters = fabric.counters(CpuId::at(0));
    assert_eq!((counters.sent.get(), counters.rung.get(), counters.avoided.get()), (1024, 32, 992));
    assert_eq!(fabric.bell().rung.load(Ordering::Relaxed), 32);
}

#[test]
fn a_polling_target_is_not_interrupted() {
    let fabric = fabric::<32>(8);
    play(1);
    fabric.poll_enter(&crit());
    for number in 0..1000 {
        play(0);
        fabric.send(&crit(), CpuId::at(1), note(number));
        play(1);
        assert_eq!(fabric.drain(&crit()), 1);
    }
    assert_eq!(fabric.bell().rung.load(Ordering::Relaxed), 0);
    play(0);
    fabric.send(&crit(), CpuId::at(1), note(1000));
    play(1);
    fabric.poll_exit(&crit());
    assert!(logged().into_iter().eq(0..=1000));
    play(0);
    fabric.send(&crit(), CpuId::at(1), note(1001));
    assert_eq!(fabric.bell().rung.load(Ordering::Relaxed), 1);
}

#[test]
fn who_sends_while_the_target_drains_need_not_ring() {
    static FABRIC: Fabric<Host, CPUS> = Fabric::new(Host::new());
    fn send_from_elsewhere(_crit: &Crit, _: usize, _: usize, _: usize) {
        play(2);
        FABRIC.send(&crit(), CpuId::at(1), note(7));
        play(1);
    }
    (0..3).for_each(|cpu| bring_up(&FABRIC, cpu, 4));
    play(0);
    FABRIC.send(&crit(), CpuId::at(1), Call::new(send_from_elsewhere, [0; 3]));
    play(1);
    assert_eq!(FABRIC.drain(&crit()), 2, "it looks again before it rests");
    assert_eq!(logged(), [7]);
    assert_eq!(FABRIC.bell().rung.load(Ordering::Relaxed), 1);
}

#[test]
fn passive_sends_wait_until_a_quarter_is_full() {
    let fabric = fabric::<32>(8);
    play(0);
    (0..7).for_each(|number| fabric.send_passive(&crit(), CpuId::at(1), note(number)));
    assert_eq!(fabric.bell().rung.load(Ordering::Relaxed), 0);
    play(1);
    assert!(fabric.is_noted(&crit()), "a CPU must not halt on them");
    assert_eq!(fabric.tick(&crit()), 7);
    play(0);
    (7..15).for_each(|number| fabric.send_passive(&crit(), CpuId::at(1), note(number)));
    assert_eq!(fabric.bell().rung.load(Ordering::Relaxed), 1, "the eighth is as a normal send");
    fabric.send(&crit(), CpuId::at(1), note(15));
    play(1);
    assert_eq!(fabric.tick(&crit()), 9);
    assert!(logged().into_iter().eq(0..16));
    assert_eq!(fabric.counters(CpuId::at(0)).passive.get(), 14);
}

#[test]
fn a_tick_does_not_heal_a_lost_doorbell() {
    let fabric = fabric::<32>(8);
    play(0);
    fabric.send(&crit(), CpuId::at(1), note(1));
    play(1);
    assert_eq!(fabric.tick(&crit()), 0);
    assert_eq!(fabric.drain(&crit()), 1);
}

#[test]
fn nowait_gives_the_call_back() {
    let fabric = fabric::<4>(8);
    play(0);
    for number in 0..4 {
        fabric.send_nowait(&crit(), CpuId::at(1), note(number)).expect("there is room");
    }
    let Err(Full(call)) = fabric.send_nowait(&crit(), CpuId::at(1), note(4)) else {
        panic!("there is no room")
    };
    assert_eq!(call.args[0], 4);
}

#[test]
fn a_cpu_may_send_to_itself() {
    let fabric = fabric::<4>(8);
    let me = play(2);
    fabric.send(&crit(), me, note(1));
    assert!(logged().is_empty());
    assert!(fabric.bell().interrupted());
    assert_eq!(fabric.drain(&crit()), 1);
    // More than the ring holds: the sender itself makes room.
    (0..20).for_each(|number| fabric.send(&crit(), me, note(number)));
    fabric.drain(&crit());
    assert!(logged().into_iter().eq([1].into_iter().chain(0..20)));
}

#[test]
fn send_mask_begins_at_its_own_number() {
    let fabric = fabric::<4>(8);
    play(2);
    fabric.send_mask(&crit(), &CpuSet::first_n(CPUS), note(9));
    for cpu in 0..CPUS {
        play(cpu);
        assert_eq!(fabric.drain(&crit()), 1);
    }
    assert_eq!(logged(), [9; CPUS]);
}

#[test]
fn sets_leave_out_who_does_not_listen() {
    let fabric = fabric::<4>(8);
    play(1);
    fabric.stop_listening(&crit());
    play(2);
    fabric.send_mask(&crit(), &CpuSet::first_n(64), note(9));
    for cpu in 0..CPUS {
        play(cpu);
        assert_eq!(fabric.drain(&crit()), usize::from(cpu != 1));
    }
    assert_eq!(logged(), [9; CPUS - 1]);
    play(1);
    fabric.listen(&crit());
    play(0);
    fabric.send_mask(&crit(), &CpuSet::first_n(64), note(8));
    play(1);
    assert_eq!(fabric.drain(&crit()), 1);
    assert_eq!(logged(), [8]);
}

/// Plays all CPUs but `me`, once.
fn all_others_look<const DEPTH: usize>(fabric: &Fabric<Host, MOST, DEPTH>, me: usize, cpus: usize) {
    for cpu in (0..cpus).filter(|cpu| *cpu != me) {
        play(cpu);
        if fabric.bell().interrupted() {
            fabric.drain(&crit());
        }
    }
}

#[test]
fn broadcasts_above_sixteen_go_by_a_tree() {
    static FABRIC: Fabric<Host, MOST, 8> = Fabric::new(Host::new());
    fn count(_: &Crit, arg: usize) {
        LOG.with_borrow_mut(|log| log.push(arg));
    }
    for (others, roots) in [(16, vec![3]), (17, vec![0, 17]), (63, vec![40]), (254, vec![100])] {
        for root in roots {
            let fabric = &FABRIC;
            let relayed = |cpu| fabric.counters(CpuId::at(cpu)).relayed.get();
            (0..=others).for_each(|cpu| bring_up(fabric, cpu, if cpu == root { 20 } else { 8 }));
            let before: Vec<u64> = (0..=others).map(relayed).collect();
            play(root);
            let (all, turns) = (CpuSet::first_n(others + 1), Cell::new(0));
            meanwhile(
                move || {
                    // Seldom: with many CPUs each look is long.
                    turns.set(turns.get() + 1);
                    if turns.get() % 16 == 0 {
                        all_others_look(fabric, root, others + 1);
                    }
                },
                || {
                    fabric.sync(&crit(), &all, count, 7);
                    assert_eq!(logged(), vec![7; others + 1], "each once, and before it returns");
                    // Twice, without a wait in between.
                    fabric.send_mask(&crit(), &all, note(8));
                    fabric.send_mask(&crit(), &all, note(9));
                    fabric.synchronize(&crit(), &all);
                    let mut logged = logged();
                    logged.sort_unstable();
                    let expected = [vec![8; others + 1], vec![9; others + 1]].concat();
                    assert_eq!(logged, expected, "both have arrived");
                },
            );
            let mut all = 0;
            for (cpu, before) in before.into_iter().enumerate() {
                // Three trees; in those of the masks the root is also at a place of its own.
                let most = match others > 16 {
                    true => 4 * if cpu == root { 5 } else { 3 },
                    false => 0,
                };
                let passed_on = relayed(cpu) - before;
                all += passed_on;
                assert!(passed_on <= most, "{others} others: CPU {cpu} passed {passed_on} on");
            }
            let expected = if others > 16 { 3 * others + 2 } else { 0 };
            assert_eq!(all, expected as u64, "{others} others");
        }
    }
}

#[test]
fn a_parked_cpu_serves_and_obeys_until_it_is_let_go() {
    let fabric = fabric::<8>(8);
    // One thread plays all CPUs, so a parked CPU is inside a drain that ends when it was let go: threads play them here.
    let over = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        for cpu in [1, 2] {
            scope.spawn(move || {
                play(cpu);
                while !over.load(Ordering::Relaxed) {
                    if fabric.bell().interrupted() {
                        fabric.drain(&crit());
                    }
                    std::thread::yield_now();
                }
            });
        }
        play(0);
        let crit = crit();
        for round in 0..100 {
            let ran = AtomicUsize::new(0);
            let parked = fabric.park(&crit, &CpuSet::first_n(3));
            assert!(fabric.is_master(&crit) && parked.others() == 2);
            parked.run_on_all(|_| {
                ran.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(ran.load(Ordering::Relaxed), 3, "round {round}: on each, once");
            // Parked CPUs serve messages.
            assert_eq!(fabric.call_wait(&crit, CpuId::at(2), |_, what| what + 1, round), round + 1);
            parked.run_on_all(|_| {
                ran.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(ran.load(Ordering::Relaxed), 6);
            drop(parked);
            assert!(!fabric.is_master(&crit));
        }
        fabric.synchronize(&crit, &CpuSet::first_n(3));
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(fabric.counters(CpuId::at(0)).mastered.get(), 100);
    assert_eq!(fabric.counters(CpuId::at(1)).obeyed.get(), 300, "two orders and a release each");
}

#[test]
#[should_panic(expected = "has parked a set already")]
fn a_master_parks_one_set_at_a_time() {
    let fabric = fabric::<4>(8);
    play(0);
    let crit = crit();
    let first = fabric.park(&crit, &CpuSet::EMPTY);
    let _second = fabric.park(&crit, &CpuSet::EMPTY);
    drop(first);
}

/// A sync call of CPU 0 to CPU 1 is at the front of the look that will find what CPU 2 sent before: `settle` waits for that too.
#[test]
fn settle_waits_for_what_others_sent() {
    let fabric = fabric::<4>(8);
    play(2);
    fabric.send(&crit(), CpuId::at(1), note(5));
    play(0);
    meanwhile(
        || {
            play(1);
            fabric.drain(&crit());
        },
        || fabric.settle(&crit(), &CpuSet::first_n(2)),
    );
    assert_eq!(logged(), [5]);
}

#[test]
fn sources_that_share_a_mark_are_all_served() {
    static FABRIC: Fabric<Host, 256> = Fabric::new(Host::new());
    // Four times as many as there are marks.
    let sources: Vec<usize> = (0..256).rev().filter(|source| *source != 1).collect();
    for &source in &sources {
        bring_up(&FABRIC, source, 1);
        FABRIC.send(&crit(), CpuId::at(1), note(source));
    }
    play(1);
    assert_eq!(FABRIC.drain(&crit()), sources.len());
    let mut logged = logged();
    logged.sort_unstable();
    let mut expected = sources.clone();
    expected.sort_unstable();
    assert_eq!(logged, expected);
    assert_eq!(FABRIC.bell().rung.load(Ordering::Relaxed), 1);
}

#[test]
fn sources_that_join_at_once_are_all_served() {
    static FABRIC: Fabric<Host, 256> = Fabric::new(Host::new());
    static SERVED: AtomicUsize = AtomicUsize::new(0);
    fn serve(_: &Crit, _: usize, _: usize, _: usize) {
        SERVED.fetch_add(1, Ordering::Relaxed);
    }
    const THREADS: usize = 4;
    const ROUNDS: usize = 3;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for source in (2..256).filter(|source| source % THREADS == thread) {
                    bring_up(&FABRIC, source, 1);
                    FABRIC.send(&crit(), CpuId::at(1), Call::new(serve, [0; 3]));
                }
                for source in (2..256).filter(|source| source % THREADS == thread) {
                    play(source);
                    (1..ROUNDS)
                        .for_each(|_| FABRIC.send(&crit(), CpuId::at(1), Call::new(serve, [0; 3])));
                }
            });
        }
        play(1);
        while SERVED.load(Ordering::Relaxed) < 254 * ROUNDS {
            FABRIC.drain(&crit());
            std::thread::yield_now();
        }
    });
    play(1);
    assert_eq!(FABRIC.drain(&crit()), 0);
}

#[test]
fn memory_is_made_on_first_use() {
    let fabric = fabric::<4>(3);
    play(0);
    (0..3).for_each(|_| fabric.send(&crit(), CpuId::at(1), note(0)));
    assert_eq!(fabric.reserve(&crit()), 2, "one ring for the pair, however many sends");
    let tables = size_of::<Fabric<Host, 256>>();
    assert!(tables < 9 << 17, "256 CPUs: the tables alone stay below 1.125 MiB");
}

#[test]
#[should_panic(expected = "was not stocked")]
fn a_cpu_without_rings_is_told() {
    let fabric = fabric::<4>(0);
    play(0);
    fabric.send(&crit(), CpuId::at(1), note(0));
}

#[test]
#[should_panic(expected = "a call cannot wait")]
fn a_call_cannot_wait() {
    static FABRIC: Fabric<Host, CPUS> = Fabric::new(Host::new());
    bring_up(&FABRIC, 0, 4);
    let wait: ipiq::CallFn = |crit, _, _, _| FABRIC.synchronize(crit, &CpuSet::first_n(2));
    FABRIC.send(&crit(), CpuId::at(0), Call::new(wait, [0; 3]));
    FABRIC.drain(&crit());
}

#[test]
fn a_drain_inside_a_call_is_refused() {
    static FABRIC: Fabric<Host, CPUS, 4> = Fabric::new(Host::new());
    let again: ipiq::CallFn = |crit, _, _, _| assert_eq!(FABRIC.drain(crit), 0);
    (0..2).for_each(|cpu| bring_up(&FABRIC, cpu, 8));
    play(0);
    FABRIC.send(&crit(), CpuId::at(1), Call::new(again, [0; 3]));
    FABRIC.send(&crit(), CpuId::at(1), note(1));
    play(1);
    assert_eq!(FABRIC.drain(&crit()), 2);
    assert_eq!(logged(), [1]);
}

/// DragonFly BSD, 2005: an index kept in a local while a call ran; when that call led back to the same queue,
/// messages were executed again.
#[test]
fn stale_index_2005() {
    static FABRIC: Fabric<Host, CPUS, 4> = Fabric::new(Host::new());
    fn again(crit: &Crit, what: usize, _: usize, _: usize) {
        LOG.with_borrow_mut(|log| log.push(what));
        // The source goes on sending while its earlier call runs: the ring wraps meanwhile.
        play(0);
        for number in 0..2 {
            FABRIC
                .send_nowait(crit, CpuId::at(1), note(what * 10 + number))
                .expect("the slot of the running call is free");
        }
        play(1);
        FABRIC.drain(crit);
    }
    (0..2).for_each(|cpu| bring_up(&FABRIC, cpu, 8));
    for what in 1..6 {
        play(0);
        FABRIC.send(&crit(), CpuId::at(1), Call::new(again, [what, 0, 0]));
        FABRIC.send(&crit(), CpuId::at(1), note(what * 100));
        play(1);
        while FABRIC.drain(&crit()) != 0 {}
        let expected = [what, what * 100, what * 10, what * 10 + 1];
        assert_eq!(logged(), expected, "each once, in order");
    }
}

/// DragonFly BSD, 2011: a queue was filled by passive sends, nobody had signalled, and the sender waited for ever.
#[test]
fn passive_freeze_2011() {
    let fabric: &Fabric<Host, CPUS, 8> = fabric(8);
    for way in 0..2 {
        // Fill it while the target polls, so that the quarter mark interrupts nobody, and then let it stop polling.
        play(1);
        fabric.poll_enter(&crit());
        fabric.poll_exit(&crit());
        play(0);
        let before = fabric.bell().rung.load(Ordering::Relaxed);
        (0..8).for_each(|number| fabric.send_passive(&crit(), CpuId::at(1), note(number)));
        if way == 0 {
            assert!(fabric.send_nowait(&crit(), CpuId::at(1), note(8)).is_err());
        }
        assert_eq!(
            fabric.bell().rung.load(Ordering::Relaxed),
            before + 1,
            "the target was told, once"
        );
        play(1);
        assert!(fabric.bell().interrupted());
        assert_eq!(fabric.drain(&crit()), 8);
        assert!(logged().into_iter().eq(0..8));
    }
}

/// DragonFly BSD, 2016: calls that sent to full queues made the stack grow without bound: each waited for room and served
/// meanwhile, so further calls began inside it.
#[test]
fn recursion_2016() {
    static FABRIC: Fabric<Host, CPUS, 4> = Fabric::new(Host::new());
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    /// Executed by CPU 1: tells CPU 0, whose ring is full.
    fn tell(crit: &Crit, what: usize, _: usize, _: usize) {
        assert_eq!(DEPTH.replace(1), 0, "a call began inside a call");
        FABRIC.send(crit, CpuId::at(0), note(what));
        DEPTH.set(0);
    }
    (0..CPUS).for_each(|cpu| bring_up(&FABRIC, cpu, 8));
    play(1);
    (0..4).for_each(|what| FABRIC.send(&crit(), CpuId::at(0), note(what)));
    let tell_from = |from: usize, what| {
        play(from);
        let told = Call::new(tell, [what, 0, 0]);
        FABRIC.send_nowait(&crit(), CpuId::at(1), told).expect("there is room");
    };
    tell_from(2, 4);
    // While CPU 1 cannot get rid of what that call sends, more come, and only then CPU 0 makes room.
    let looks = Cell::new(0);
    let others = move || {
        looks.set(looks.get() + 1);
        match looks.get() {
            look @ 11..14 => tell_from(3, look),
            0..30 => {}
            _ => {
                play(0);
                FABRIC.drain(&crit());
            }
        }
    };
    play(1);
    meanwhile(others, || {
        FABRIC.drain(&crit());
    });
    play(0);
    FABRIC.drain(&crit());
    assert_eq!(logged(), [0, 1, 2, 3, 4, 11, 12, 13]);
}

/// DragonFly BSD, 2016: the flag that says "an interrupt is under way" was cleared inside the loop that
/// processed the queues; a message that came in between was seen by nobody.
#[test]
fn mark_cleared_in_loop_2016() {
    static FABRIC: Fabric<Host, CPUS> = Fabric::new(Host::new());
    /// While the target executes a call, all the others send.
    fn storm(_crit: &Crit, left: usize, _: usize, _: usize) {
        for from in [0, 2, 3] {
            play(from);
            FABRIC.send(&crit(), CpuId::at(1), note(left * 10 + from));
            if left > 0 && from == 3 {
                FABRIC.send(&crit(), CpuId::at(1), Call::new(storm, [left - 1, 0, 0]));
            }
        }
        play(1);
    }
    (0..CPUS).for_each(|cpu| bring_up(&FABRIC, cpu, 8));
    play(0);
    FABRIC.send(&crit(), CpuId::at(1), Call::new(storm, [9, 0, 0]));
    play(1);
    // Only interrupts make it look.
    while FABRIC.bell().interrupted() {
        FABRIC.drain(&crit());
    }
    assert!(!FABRIC.is_marked(CpuId::at(1)));
    assert_eq!(logged().len(), 30);
}

proptest! {
    /// Random sends of all kinds and looks, on one pair: each once, in order, and the doorbell never lost.
    #[test]
    fn order_is_kept_whatever_the_kind(steps in proptest::collection::vec(0..5, 1..300)) {
        let fabric: &Fabric<Host, CPUS, 8> = fabric(4);
        let mut sent = 0;
        for step in steps {
            let has_room = sent - LOG.with_borrow(Vec::len) < 8;
            play(0);
            match step {
                0 if has_room => fabric.send(&crit(), CpuId::at(1), note(sent)),
                1 if has_room => fabric.send_passive(&crit(), CpuId::at(1), note(sent)),
                2 => prop_assert_eq!(fabric.send_nowait(&crit(), CpuId::at(1), note(sent)).is_ok(), has_room),
                3 => {
                    play(1);
                    fabric.tick(&crit());
                }
                _ => {
                    play(1);
                    if fabric.bell().interrupted() {
                        fabric.drain(&crit());
                    }
                }
            }
            sent += usize::from(step < 3 && has_room);
        }
        play(1);
        if fabric.bell().interrupted() {
            fabric.drain(&crit());
        }
        fabric.tick(&crit());
        prop_assert!(logged().into_iter().eq(0..sent));
    }
}
