//! Threads as CPUs, all sending to all, calls that answer among them: each call once, in order, and none left behind.
#![cfg(not(feature = "loom"))]

mod common;

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::*;
use ipiq::{Call, Fabric};
use percpu::{CpuId, CpuSet, Crit};

static FABRIC: Fabric<Host, CPUS, 8> = Fabric::new(Host::new());

/// Two streams for each pair, each counted from 0: what threads send, and what calls answer.
type Streams = [[[AtomicUsize; CPUS]; CPUS]; 2];
static SEEN: Streams = [const { [const { [const { AtomicUsize::new(0) }; CPUS] }; CPUS] }; 2];
static ANSWERED: Streams = [const { [const { [const { AtomicUsize::new(0) }; CPUS] }; CPUS] }; 2];
static OUT_OF_ORDER: AtomicBool = AtomicBool::new(false);

thread_local! {
    static NESTED: Cell<usize> = const { Cell::new(0) };
}

fn arrive(stream: usize, from: usize, to: usize, number: usize) {
    assert_eq!(NESTED.replace(1), 0, "a call began inside a call");
    if SEEN[stream][from][to].fetch_add(1, Ordering::Relaxed) != number {
        OUT_OF_ORDER.store(true, Ordering::Relaxed);
    }
}

/// `kind` 1 is answered to its sender, 2 is answered to the next CPU.
fn request(crit: &Crit, way: usize, number: usize, kind: usize) {
    let (from, to) = (way / CPUS, way % CPUS);
    arrive(0, from, to, number);
    if kind != 0 {
        let back = if kind == 1 { from } else { (to + 1) % CPUS };
        let number = ANSWERED[1][to][back].fetch_add(1, Ordering::Relaxed);
        FABRIC.send(crit, CpuId::at(back), Call::new(answer, [to * CPUS + back, number, 0]));
    }
    NESTED.set(0);
}

fn answer(_crit: &Crit, way: usize, number: usize, _: usize) {
    arrive(1, way / CPUS, way % CPUS, number);
    NESTED.set(0);
}

/// A small generator, so that a run is told by its seed.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn count(streams: &Streams, stream: usize) -> usize {
    streams[stream].iter().flatten().map(|count| count.load(Ordering::Relaxed)).sum()
}

fn cpu(me: usize, barrier: &Barrier, each: usize) {
    bring_up(&FABRIC, me, 64);
    barrier.wait();
    let mut seed = 0x9e37_79b9 + me as u64;
    let mut numbers = [0; CPUS];
    let mut to = me;
    for _ in 0..each {
        let dice = random(&mut seed);
        // Bursts, longer than a ring.
        if dice >> 32 & 15 == 0 {
            to = dice as usize % CPUS;
        }
        let call = Call::new(request, [me * CPUS + to, numbers[to], dice as usize / 7 % 3]);
        match dice / 64 % 8 {
            0 => FABRIC.send_passive(&crit(), CpuId::at(to), call),
            1 => {
                if FABRIC.send_nowait(&crit(), CpuId::at(to), call).is_err() {
                    FABRIC.send(&crit(), CpuId::at(to), call);
                }
            }
            _ => FABRIC.send(&crit(), CpuId::at(to), call),
        }
        numbers[to] += 1;
        // A critical section may be long: interrupts are seen now and then.
        if dice >> 40 & 15 == 0 && FABRIC.bell().interrupted() {
            FABRIC.drain(&crit());
        }
        if dice >> 44 & 63 == 0 {
            FABRIC.tick(&crit());
        }
    }
    // The rest comes by interrupts, and what is passive by the tick.
    serve_until(&FABRIC, || {
        FABRIC.tick(&crit());
        count(&SEEN, 0) >= each * CPUS && count(&SEEN, 1) >= count(&ANSWERED, 1)
    });
}

/// DragonFly BSD, 2016, is in here too: calls that sent to full queues made the stack grow without bound. Here a
/// call that begins inside a call fails the test.
#[test]
fn storm_and_recursion_2016() {
    const EACH: usize = 40_000;
    chaos();
    let barrier = Barrier::new(CPUS);
    std::thread::scope(|scope| {
        for me in 0..CPUS {
            let barrier = &barrier;
            scope.spawn(move || cpu(me, barrier, EACH));
        }
    });
    assert!(!OUT_OF_ORDER.load(Ordering::Relaxed), "a call came out of order");
    assert_eq!(count(&SEEN, 0), EACH * CPUS);
    assert_eq!(count(&SEEN, 1), count(&ANSWERED, 1));
    let sum = |pick: fn(&ipiq::Counters) -> u64| -> u64 {
        (0..CPUS).map(|cpu| pick(FABRIC.counters(CpuId::at(cpu)))).sum()
    };
    assert_eq!(sum(|c| c.sent.get()), sum(|c| c.ran.get()));
    assert!(
        sum(|c| c.full.get()) > 0 && sum(|c| c.parked.get()) > 0,
        "the storm was too weak to fill rings"
    );
    assert_eq!(sum(|c| c.held.get()), 0, "64 rings of reserve are enough");
}

static SYNCED: Fabric<Host, CPUS, 4> = Fabric::new(Host::new());
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// All CPUs wait for all others at once.
#[test]
fn everybody_synchronizes_with_everybody() {
    const ROUNDS: usize = 200;
    chaos();
    let barrier = Barrier::new(CPUS);
    std::thread::scope(|scope| {
        for me in 0..CPUS {
            let barrier = &barrier;
            scope.spawn(move || {
                bring_up(&SYNCED, me, 16);
                barrier.wait();
                for round in 0..ROUNDS {
                    let add = |_: &Crit, what| {
                        TOTAL.fetch_add(what, Ordering::Relaxed);
                    };
                    SYNCED.sync(&crit(), &CpuSet::first_n(CPUS), add, 1);
                    let next = CpuId::at((me + 1) % CPUS);
                    assert_eq!(
                        SYNCED.call_wait(&crit(), next, |_, what| what + 1, round),
                        round + 1
                    );
                }
                barrier_by_serving(me);
            });
        }
    });
    assert_eq!(TOTAL.load(Ordering::Relaxed), ROUNDS * CPUS * CPUS);
}

/// Serves the others until all are done, as a CPU does that has nothing else to do.
fn barrier_by_serving(me: usize) {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    DONE.fetch_or(1 << me, Ordering::Relaxed);
    serve_until(&SYNCED, || {
        SYNCED.drain(&crit());
        DONE.load(Ordering::Relaxed) == (1 << CPUS) - 1
    });
}
