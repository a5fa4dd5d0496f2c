//! Mutex, condition variable, semaphore, create and join over all CPUs of the machine, with a pipe between; counts everything.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::sync::{Condition, Mutex, Semaphore};
use program::thread::{self, JoinHandle};
use program::{Handle, io, println, process};

program::main!(torture);

const THREADS: usize = 24;
const ROUNDS: u64 = 200;

static SUM: Mutex<u64> = Mutex::new(0);
static LIMIT: Semaphore = Semaphore::new(3);
static INSIDE: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);
static TURN: Mutex<u64> = Mutex::new(0);
static TURNED: Condition = Condition::new();

fn torture() -> i64 {
    let mut carriers = 1;
    for cpu in 1..process::cpus() {
        match process::rfork(cpu) {
            Ok(_) => carriers += 1,
            Err(why) => println!("rfork on {cpu}: {why:?}"),
        }
    }
    // Their layers have begun when they can take a thread.
    for index in 1..carriers {
        while thread::builder().on(index).spawn(|| ()).map(JoinHandle::join).is_err() {
            thread::sleep(100_000);
        }
    }
    let mut failed = 0;
    let mut check = |name: &str, good: bool| {
        println!("{name} on {carriers} CPU processes: {}", if good { "ok" } else { "FAILED" });
        failed += i64::from(!good);
    };
    run(carriers, |_| {
        for _ in 0..ROUNDS {
            let mut sum = SUM.lock();
            let before = *sum;
            if before.is_multiple_of(7) {
                thread::yield_now();
            }
            *sum = before + 1;
        }
    });
    check("mutex", *SUM.lock() == THREADS as u64 * ROUNDS);
    run(carriers, |_| {
        for _ in 0..ROUNDS / 4 {
            LIMIT.wait();
            MOST.fetch_max(INSIDE.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            thread::yield_now();
            INSIDE.fetch_sub(1, Ordering::Relaxed);
            LIMIT.post();
        }
    });
    check("semaphore", (1..=3).contains(&MOST.load(Ordering::Relaxed)) && INSIDE.load(Ordering::Relaxed) == 0);
    run(carriers, |number| {
        for round in 0..ROUNDS / 10 {
            let mut turn = TURN.lock();
            while *turn != round * THREADS as u64 + number as u64 {
                turn = TURNED.wait(turn);
            }
            *turn += 1;
            TURNED.notify_all();
        }
    });
    check("condition", *TURN.lock() == THREADS as u64 * (ROUNDS / 10));
    check("pipe", pipe(carriers));
    failed
}

/// Runs `body` in [`THREADS`] threads, spread over the CPU processes, and joins them.
fn run(carriers: u8, body: fn(usize)) {
    let mut handles: [Option<JoinHandle<()>>; THREADS] = [const { None }; THREADS];
    for (number, handle) in handles.iter_mut().enumerate() {
        *handle = thread::builder().on(number as u8 % carriers).spawn(move || body(number)).ok();
    }
    handles.into_iter().flatten().for_each(JoinHandle::join);
}

fn pipe(carriers: u8) -> bool {
    const BYTES: u64 = 20_000;
    let Ok((reader, writer)) = io::pipe() else { return false };
    let produce = move || {
        for first in (0..BYTES).step_by(100) {
            let chunk: [u8; 100] = core::array::from_fn(|index| (first + index as u64) as u8);
            if io::write_all(writer, &chunk).is_err() {
                return false;
            }
            if first.is_multiple_of(1000) {
                thread::sleep(50_000);
            }
        }
        io::close(writer).is_ok()
    };
    let Ok(producer) = thread::builder().on(carriers - 1).spawn(produce) else { return false };
    let good = consume(reader, BYTES);
    producer.join() && good
}

fn consume(reader: Handle, bytes: u64) -> bool {
    let mut next = 0u64;
    loop {
        let mut chunk = [0; 64];
        match io::read(reader, &mut chunk) {
            Ok(0) => return next == bytes,
            Ok(count) => {
                if chunk[..count].iter().any(|&byte| {
                    next += 1;
                    byte != (next - 1) as u8
                }) {
                    return false;
                }
            }
            Err(why) => {
                println!("read: {why:?}");
                return false;
            }
        }
    }
}
