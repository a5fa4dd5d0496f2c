//! Tries to keep the CPU from its equals by means of its own tick, or from its rest: it can only be ended from outside.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::sync::Semaphore;
use program::{process, thread};
use programs::ensure;

program::main!(greedy);

/// A tick that never comes.
const NEVER: u64 = 1 << 60;
/// Nanoseconds of the turn of a CPU process that has equals.
const TURN: u64 = 1_000_000;
/// Nanoseconds between two entries, at whose multiples they are.
const PERIOD: u64 = 4_000_000;

fn greedy() -> i64 {
    let set = process::set_tick(NEVER);
    ensure!(set.is_ok(), "set_tick: {set:?}");
    match process::argument(3) {
        0 => uarch::hostile::spin(),
        1 => loop {
            let _ = process::set_tick(NEVER);
        },
        2 => loop {
            thread::sleep(NEVER);
        },
        // Enters now and then for a moment, and has no tick: at moments that somebody else can foresee.
        4 => loop {
            let next = (process::clock() / PERIOD + 1) * PERIOD;
            while process::clock() < next {}
            let _ = process::set_tick(0);
        },
        // Waits for what never comes, without a time.
        5 => loop {
            Semaphore::new(0).wait();
        },
        // Is away for a moment, shortly before its turn is over: its tick comes in the turn of another.
        _ => loop {
            let _ = process::set_tick(0);
            let over = process::clock() + TURN - TURN / 20;
            while process::clock() < over {}
            thread::sleep(10_000);
        },
    }
}
