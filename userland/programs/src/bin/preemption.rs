//! Threads that never yield starve nobody: the tick's upcall takes the CPU process from them, and gives all their registers back.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use program::process;
use program::thread::{self, JoinHandle};
use programs::{Dice, ensure, mix, order, seed, spawn, spread, steps};

program::main!(preemption);

/// Nanoseconds between upcalls.
const TICK: u64 = 100_000;
/// Threads of each CPU process that compute and never yield.
const THREADS: usize = 3;

// Set with release by the main thread, read with acquire by the others.
static STOP: AtomicBool = AtomicBool::new(false);
static TURNS: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

fn preemption() -> i64 {
    ticks_go_on();
    let carriers = spread(process::argument(2));
    let each = steps() / (u64::from(carriers) * THREADS as u64);
    let of = |number: usize| number / THREADS;
    let threads: [_; 64 * THREADS] = core::array::from_fn(|number| {
        (of(number) < carriers.into()).then(|| {
            spawn(of(number) as u8, move || {
                let set = process::set_tick(TICK);
                ensure!(set.is_ok(), "set_tick: {set:?}");
                compute(number as u64, each)
            })
        })
    });
    let spinners: [_; 64] = core::array::from_fn(|index| {
        (index < carriers.into()).then(|| spawn(index as u8, move || spin(index)))
    });
    for (number, handle) in threads.into_iter().enumerate() {
        let Some(handle) = handle else { continue };
        let (have, want) = (JoinHandle::join(handle), reference(number as u64, each));
        ensure!(have == want, "thread {number} lost a register: {have:#x}, not {want:#x}");
    }
    // While the spinners spin, everybody else gets turns.
    for round in 0..4 {
        for index in 0..carriers {
            let answer = spawn(index, move || round).join();
            ensure!(answer == round, "a thread beside one that spins returned {answer}");
        }
        thread::sleep(2 * TICK);
    }
    STOP.store(true, Ordering::Release);
    let turns: u64 = spinners.into_iter().flatten().map(JoinHandle::join).sum();
    ensure!(turns > 0, "nobody has spun");
    order::tell();
    0
}

/// The tick may come while the CPU process is in the kernel to wait, and need not wait after all: the next comes even so.
fn ticks_go_on() {
    /// The shortest that the kernel grants.
    const SHORT: u64 = 20_000;
    static TURN: AtomicU64 = AtomicU64::new(0);
    let set = process::set_tick(SHORT);
    ensure!(set.is_ok(), "set_tick: {set:?}");
    let mut dice = Dice::new(0);
    let mut last = process::clock();
    for round in 1..=steps() / 1_000 {
        // About when the next tick comes, asks for a sleep that is over when the kernel looks, but not when the layer does.
        let almost = last + SHORT - dice.below(2_000);
        while process::clock() < almost {}
        thread::sleep(dice.below(600));
        let other = spawn(0, move || {
            TURN.store(round, Ordering::Release);
            round
        });
        let end = process::clock() + 500_000_000;
        while TURN.load(Ordering::Acquire) < round {
            last = process::clock();
            ensure!(last < end, "no tick any more in round {round}");
        }
        ensure!(other.join() == round, "another thread ended in round {round}");
    }
}

fn spin(index: usize) -> u64 {
    while !STOP.load(Ordering::Acquire) {
        spin_loop();
        order::note(index as u64, TURNS[index].fetch_add(1, Ordering::Relaxed));
    }
    TURNS[index].load(Ordering::Relaxed)
}

/// Keeps as many registers busy as there are, and never calls the layer.
#[inline(never)]
fn compute(salt: u64, steps: u64) -> u64 {
    let mut words = start(salt);
    for step in 0..steps / 12 {
        turn(&mut words, step);
    }
    words.into_iter().fold(0, |sum, word| mix(sum ^ word))
}

/// The same, with its words in memory.
#[inline(never)]
fn reference(salt: u64, steps: u64) -> u64 {
    let mut words = start(salt);
    for step in 0..steps / 12 {
        turn(black_box(&mut words), step);
    }
    words.into_iter().fold(0, |sum, word| mix(sum ^ word))
}

fn start(salt: u64) -> [u64; 10] {
    core::array::from_fn(|word| mix(seed() ^ salt << 8 ^ word as u64))
}

#[inline(always)]
fn turn(words: &mut [u64; 10], step: u64) {
    for at in 0..10 {
        words[at] = words[at].rotate_left(7).wrapping_add(words[(at + 3) % 10] ^ step);
    }
}
