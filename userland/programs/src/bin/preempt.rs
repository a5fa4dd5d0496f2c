//! A thread that never yields starves nobody: it spins until another thread of the same CPU process tells it to stop.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use program::{println, process, thread};

program::main!(preempt);

static STOP: AtomicBool = AtomicBool::new(false);
static TURNS: AtomicU64 = AtomicU64::new(0);

fn preempt() -> i64 {
    if process::set_tick(1_000_000).is_err() {
        return 1;
    }
    let spin = || {
        // Registers that a switch would lose: all live across the interruption.
        let mut words = [1u64, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        while !STOP.load(Ordering::Relaxed) {
            for word in &mut words {
                *word = word.rotate_left(3) ^ 0x55;
            }
            let undone = words.iter().zip(1u64..).all(|(word, number)| (word ^ 0x55).rotate_right(3) != number);
            if undone {
                words = core::array::from_fn(|index| index as u64 + 1);
            }
            TURNS.fetch_add(1, Ordering::Relaxed);
            spin_loop();
        }
        words.len()
    };
    let (Ok(first), Ok(second)) = (thread::spawn(spin), thread::spawn(spin)) else { return 2 };
    thread::sleep(20_000_000);
    let turns = TURNS.load(Ordering::Relaxed);
    STOP.store(true, Ordering::Relaxed);
    let ended = first.join() + second.join();
    println!("preempted two spinning threads: {}", if turns > 0 && ended == 20 { "ok" } else { "FAILED" });
    i64::from(turns == 0 || ended != 20)
}
