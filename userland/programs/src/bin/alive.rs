//! 100,000 threads alive at once, each blocked on its own semaphore and checking a value on its stack when woken.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;
use program::sync::Semaphore;
use program::thread::JoinHandle;
use program::{memory, println, process, thread};

program::main!(alive);

struct Sleeper {
    gate: Semaphore,
    handle: Option<JoinHandle<bool>>,
}

fn alive() -> i64 {
    let count = match process::argument(0) {
        0 => 100_000,
        count => count as usize,
    };
    let Ok(sleepers) = memory::array(count, |_| Sleeper { gate: Semaphore::new(0), handle: None }) else {
        println!("no memory for {count} semaphores");
        return 1;
    };
    for (number, sleeper) in sleepers.iter_mut().enumerate() {
        let gate: *const Semaphore = &raw const sleeper.gate;
        let gate = gate as usize;
        let handle = thread::builder().small().spawn(move || {
            let mark = black_box([number as u64; 8]);
            // SAFETY: the semaphores are there as long as the process.
            let gate = unsafe { &*(gate as *const Semaphore) };
            gate.wait();
            black_box(&mark).iter().all(|&word| word == number as u64)
        });
        match handle {
            Ok(handle) => sleeper.handle = Some(handle),
            Err(why) => {
                println!("thread {number}: {why:?}");
                return 2;
            }
        }
    }
    // All of them run to their gates.
    thread::yield_now();
    println!("{count} threads alive");
    sleepers.iter().for_each(|sleeper| sleeper.gate.post());
    let good = sleepers.iter_mut().filter_map(|sleeper| sleeper.handle.take()).map(JoinHandle::join).filter(|&good| good).count();
    println!("{good} of {count} threads found their values");
    i64::from(good != count)
}
