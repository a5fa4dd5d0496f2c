//! Takes memory until there is none, and goes on asking. By its sort it takes pages, which ends it, or what the kernel
//! keeps for it; the status says how often it was refused.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::{Error, Failure, Handle, io, memory, port, process, thread};
use programs::{Dice, steps};

program::main!(hostile_memory);

/// Threads that wait in calls at once.
const CALLERS: u64 = 24;

static REFUSED: AtomicU64 = AtomicU64::new(0);
static BYTES: [u8; 4096] = [0x55; 4096];

fn hostile_memory() -> i64 {
    let number = process::argument(3);
    let mut dice = Dice::new(number);
    // Until all have started.
    thread::sleep(2_000_000);
    match number % 3 {
        0 => pages(&mut dice),
        1 => pipes(&mut dice),
        _ => forks_and_ports(&mut dice),
    }
    REFUSED.load(Ordering::Relaxed).min(1 << 30) as i64
}

/// Notes a refusal.
fn tell<T>(outcome: Result<T, Failure>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Failure { error: Error::NoMemory, .. }) => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            None
        }
        Err(_) => None,
    }
}

/// Touches page after page, here and there, and threads with stacks of their own, until one is not to be had.
fn pages(dice: &mut Dice) {
    const LENGTH: u64 = 1 << 40;
    let Some(huge) = tell(memory::map(LENGTH)) else { return };
    loop {
        let at = huge + dice.below(LENGTH / 4096 / 512) * 4096 * 512;
        for page in 0..dice.below(64) {
            // SAFETY: fresh memory of this program.
            unsafe { ((at + page * 4096) as *mut u64).write_volatile(page) };
        }
        if let Ok(sleeper) = thread::builder().small().spawn(|| thread::sleep(100_000)) {
            drop(sleeper);
        }
    }
}

/// Fills pipes, empties some and gives some of them back. No read or write has to wait.
fn pipes(dice: &mut Dice) {
    // Reader, writer, and how often what it holds was written.
    let mut pipes: [Option<(Handle, Handle, u32)>; 60] = [None; 60];
    for _ in 0..steps() {
        let place = &mut pipes[dice.below(60) as usize];
        let Some((reader, writer, held)) = place else {
            *place = tell(io::pipe()).map(|(reader, writer)| (reader, writer, 0));
            continue;
        };
        match dice.below(8) {
            0 => {
                let _ = (io::close(*reader), io::close(*writer));
                *place = None;
            }
            1..4 if *held > 0 => {
                *held -= u32::from(tell(io::read(*reader, &mut [0; 4096])).is_some());
            }
            _ if *held < 4 => *held += u32::from(tell(io::write(*writer, &BYTES)).is_some()),
            _ => {}
        }
    }
}

/// Takes kernel contexts, and has threads wait in calls that nobody answers.
fn forks_and_ports(dice: &mut Dice) {
    let mut ports = [None; 16];
    for _ in 0..CALLERS {
        let mut own = Dice::from_seed(dice.roll());
        drop(thread::spawn(move || call(&mut own)));
    }
    for _ in 0..steps() {
        match dice.below(8) {
            0 => drop(tell(process::rfork(dice.below(process::cpus())))),
            1 => thread::sleep(20_000),
            2 => drop(tell(memory::map(4096))),
            _ => {
                let which = dice.below(16) as usize;
                match ports[which].take() {
                    Some(port) => drop(io::close(port)),
                    None => ports[which] = tell(port::create(name(which as u64))),
                }
            }
        }
    }
}

fn name(which: u64) -> &'static str {
    const NAMES: [&str; 16] =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];
    NAMES[which as usize % 16]
}

/// Calls any port, again and again: the owner never answers, but closes it.
fn call(dice: &mut Dice) {
    let mut reply = [0; 16];
    loop {
        if let Some(port) = tell(port::open(name(dice.below(16)))) {
            tell(port::call(port, &BYTES, &mut reply));
            let _ = io::close(port);
        }
        thread::sleep(10_000);
    }
}
