//! Thousands of random entries into the kernel, by seed, with registers that are sometimes sensible: what becomes of the program is
//! its own affair, what becomes of the kernel is not.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::{io, memory, port, process, thread};
use programs::{Dice, spawn, spread, steps};
use uarch::hostile::{address, enter_at};

program::main!(hostile_random);

/// Threads of each CPU process, since some wait for ever.
const THREADS: u64 = 6;

// Counted with release by each thread; the main thread waits for all with acquire.
static DONE: AtomicU64 = AtomicU64::new(0);

fn hostile_random() -> i64 {
    let carriers = spread(process::argument(2));
    let (pipe, port) = (io::pipe(), port::create("random"));
    let (Ok((reader, writer)), Ok(port)) = (pipe, port) else { return 1 };
    let Ok(scratch) = memory::map(64 * 4096) else { return 1 };
    let known = [reader.0, writer.0, port.0, scratch];
    let each = steps() / (u64::from(carriers) * THREADS);
    for index in 0..carriers {
        for number in 0..THREADS {
            let salt = u64::from(index) * THREADS + number;
            drop(spawn(index, move || enter(salt, each, known)));
        }
    }
    let end = process::clock() + 20_000_000;
    while DONE.load(Ordering::Acquire) < u64::from(carriers) * THREADS && process::clock() < end {
        thread::sleep(100_000);
    }
    0
}

/// The `syscall` instructions of the layer.
fn sites() -> ([u64; 32], usize) {
    let mut sites = [0; 32];
    let mut count = 0;
    let mut at = abi::map::LAYER;
    // The image's code is a few pages from its start on.
    while at < abi::map::LAYER + 0x3000 && count < sites.len() {
        // SAFETY: the layer is readable.
        if unsafe { (at as *const [u8; 2]).read_unaligned() } == [0x0f, 0x05] {
            sites[count] = at;
            count += 1;
        }
        at += 1;
    }
    (sites, count)
}

fn enter(salt: u64, each: u64, known: [u64; 4]) {
    let mut dice = Dice::new(salt);
    let (sites, count) = sites();
    for _ in 0..each {
        let mut words: [u64; 8] = core::array::from_fn(|_| word(&mut dice, known));
        // Most are sends of messages that exist, in either form; few exit.
        if dice.below(8) != 0 {
            words[0] = dice.below(3) * dice.below(2);
            let number = dice.below(22);
            let number = if number == 3 && dice.below(64) != 0 { 8 } else { number };
            let flags = if dice.below(16) == 0 { dice.below(1 << 16) } else { dice.below(4) };
            let length = if flags & 1 == 1 && dice.below(16) != 0 { 0 } else { 8 * dice.below(10) };
            words[1] = number | flags << 16 | length << 32;
        }
        fill(&mut dice, known);
        // SAFETY: this program has nothing to lose.
        unsafe {
            enter_at(
                sites[dice.below(count as u64) as usize],
                words[0],
                words[1],
                words[2],
                [words[3], words[4], words[5], words[6]],
            )
        };
    }
    DONE.fetch_add(1, Ordering::AcqRel);
}

/// A word that is sometimes sensible.
fn word(dice: &mut Dice, known: [u64; 4]) -> u64 {
    let near = dice.below(3).wrapping_sub(1);
    match dice.below(12) {
        0 => dice.roll(),
        1 => 1 << dice.below(64),
        2 => 0_u64.wrapping_sub(1 << dice.below(64)),
        3 => address::ALL[dice.below(6) as usize].wrapping_add(near),
        4 => [
            abi::map::LAYER,
            abi::map::SHARED,
            abi::map::carrier(0),
            abi::map::completions(0),
            abi::map::PROGRAM,
        ][dice.below(5) as usize]
            .wrapping_add(near),
        5 | 6 => known[3] + dice.below(64 * 4096),
        7..10 => known[dice.below(4) as usize],
        10 => dice.below(64),
        _ => dice.below(8192),
    }
}

/// Puts something like a list into the scratch pages.
fn fill(dice: &mut Dice, known: [u64; 4]) {
    let count = dice.below(4);
    let at = known[3] as *mut u64;
    let first = count | (1 + dice.below(3)) << 32 | (8 * dice.below(4)) << 48;
    // SAFETY: the first words of the scratch pages; nothing is lost if they are gone by now but this program.
    unsafe { at.write_volatile(first) };
    for index in 1..8 {
        let next = if dice.below(2) == 0 {
            word(dice, known)
        } else {
            dice.below(4) | (8 * dice.below(4)) << 16
        };
        // SAFETY: as above.
        unsafe { at.wrapping_add(index).write_volatile(next) };
    }
}
