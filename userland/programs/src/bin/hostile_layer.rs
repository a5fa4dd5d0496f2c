//! Breaks the layer from below, by seed: overwrites what it keeps about this CPU process and its threads, or jumps into the midst
//! of its code with any registers, while other CPU processes are at work.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::{Handle, io, memory, process, thread};
use programs::{Dice, spawn, spread};
use uarch::hostile::{address, go_to};

program::main!(hostile_layer);

/// Threads of each CPU process that work meanwhile.
const WORKERS: u8 = 3;

/// Turns of the workers: how far they got is of no importance.
static TURNS: AtomicU64 = AtomicU64::new(0);

fn hostile_layer() -> i64 {
    let carriers = spread(process::argument(2));
    let (Ok((reader, writer)), Ok(scratch)) = (io::pipe(), memory::map(16 * 4096)) else {
        return 1;
    };
    for index in 0..carriers {
        for _ in 0..WORKERS {
            drop(spawn(index, move || work(reader, writer)));
        }
    }
    let mut dice = Dice::new(1);
    thread::sleep(dice.below(200_000));
    let target = dice.below(carriers.into());
    if dice.below(2) == 0 {
        scribble(&mut dice, target, scratch);
        // Into the layer by its doors, as if nothing had happened.
        for _ in 0..64 {
            thread::yield_now();
            if let Ok(handle) = thread::spawn(|| TURNS.fetch_add(1, Ordering::Relaxed)) {
                let _ = handle.join();
            }
            thread::sleep(dice.below(20_000));
        }
        0
    } else {
        let registers = core::array::from_fn(|_| word(&mut dice, scratch));
        let stack = match dice.below(4) {
            0 => word(&mut dice, scratch),
            1 => abi::map::carrier_stack_top(target) - 8 * dice.below(64),
            _ => scratch + 8 * dice.below(16 * 512),
        };
        let at = abi::map::LAYER + dice.below(0x3000);
        // SAFETY: this program has nothing to lose.
        unsafe { go_to(at, stack, registers) }
    }
}

fn work(reader: Handle, writer: Handle) {
    let mut byte = [0; 16];
    loop {
        TURNS.fetch_add(1, Ordering::Relaxed);
        if io::write(writer, &byte).is_err() || io::read(reader, &mut byte).is_err() {
            thread::sleep(1_000);
        }
        thread::yield_now();
    }
}

/// Puts any words over a part of what a CPU process shares with the kernel and the layer keeps there.
fn scribble(dice: &mut Dice, target: u64, scratch: u64) {
    let area = abi::map::carrier(target);
    // The first words are the closest to the kernel: they are met more often.
    let span = [128, 4096, abi::map::CARRIER_LENGTH][dice.below(3) as usize];
    for _ in 0..1 + dice.below(64) {
        let at = (area + 8 * dice.below(span / 8)) as *mut u64;
        // SAFETY: this program has nothing to lose; where nothing is mapped it ends.
        unsafe { at.write_volatile(word(dice, scratch)) };
    }
}

/// A word that is sometimes an address of something.
fn word(dice: &mut Dice, scratch: u64) -> u64 {
    match dice.below(8) {
        0 => dice.roll(),
        1 => 1 << dice.below(64),
        2 => address::ALL[dice.below(6) as usize],
        3 => abi::map::carrier(dice.below(4)) + 8 * dice.below(512),
        4 => abi::map::LAYER + dice.below(0x4000),
        5 => abi::map::completions(dice.below(4)) + 8 * dice.below(512),
        6 => dice.below(64),
        _ => scratch + 8 * dice.below(16 * 512),
    }
}
