//! Threads come and go in storms, on each CPU process and across them; each returns what it was given.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::thread::{self, JoinHandle};
use programs::{Dice, ensure, mix, order, spawn, spread, steps};

program::main!(create_join);

/// Threads that one maker has not joined yet.
const OPEN: usize = 16;

// Counted with release by each thread; the main thread looks with acquire.
static RAN: AtomicU64 = AtomicU64::new(0);

fn create_join() -> i64 {
    let carriers = spread(program::process::argument(2));
    let each = steps() / u64::from(carriers);
    let makers: [Option<JoinHandle<u64>>; 64] = core::array::from_fn(|index| {
        (index < carriers.into())
            .then(|| spawn(index as u8, move || make(index as u64, each, carriers)))
    });
    let made: u64 = makers.into_iter().flatten().map(JoinHandle::join).sum();
    // Detached threads may still be on their way.
    let end = program::process::clock() + 5_000_000_000;
    while RAN.load(Ordering::Acquire) < made && program::process::clock() < end {
        thread::sleep(50_000);
    }
    let ran = RAN.load(Ordering::Acquire);
    ensure!(ran == made, "{ran} threads ran of {made}");
    order::tell();
    0
}

fn make(me: u64, each: u64, carriers: u8) -> u64 {
    let mut dice = Dice::new(me);
    let mut open: [Option<(u64, JoinHandle<u64>)>; OPEN] = [const { None }; OPEN];
    for number in 0..each {
        let value = me << 32 | number;
        let place = dice.below(OPEN as u64) as usize;
        if let Some((value, handle)) = open[place].take() {
            join(value, handle);
        }
        let builder = match dice.below(4) {
            0 => thread::builder().small(),
            1 => thread::builder().on(dice.below(carriers.into()) as u8),
            2 => thread::builder().priority(14 + dice.below(4) as u8),
            _ => thread::builder(),
        };
        let turns = dice.below(3);
        let made = builder.spawn(move || {
            (0..turns).for_each(|_| thread::yield_now());
            order::note(me, number);
            RAN.fetch_add(1, Ordering::AcqRel);
            mix(value)
        });
        match made {
            // Some are let go.
            Ok(handle) if dice.below(8) == 0 => drop(handle),
            Ok(handle) => open[place] = Some((value, handle)),
            Err(why) => ensure!(false, "thread {number} of maker {me}: {why:?}"),
        }
    }
    open.into_iter().flatten().for_each(|(value, handle)| join(value, handle));
    each
}

fn join(value: u64, handle: JoinHandle<u64>) {
    let returned = handle.join();
    ensure!(returned == mix(value), "thread {value:#x} returned {returned:#x}");
}
