//! Ends while calls of every sort are pending: reads, full writes, port calls not received, received and not answered, receives,
//! sleeps and waits for each other.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::sync::Semaphore;
use program::{Handle, io, port, process, thread};
use programs::{Dice, ensure, order, spawn, spread, stats};

program::main!(exit_pending);

/// Threads of each CPU process that wait, one of each sort.
const SORTS: u64 = 7;

// Counted with release by each thread; the main thread waits for all with acquire.
static READY: AtomicU64 = AtomicU64::new(0);
static NEVER: Semaphore = Semaphore::new(0);

fn exit_pending() -> i64 {
    let carriers = spread(process::argument(2));
    let made = (io::pipe(), io::pipe(), port::create("mute"), port::create("deaf"));
    let (Ok((empty, _)), Ok((_, full)), Ok(mute), Ok(deaf)) = made else {
        ensure!(false, "{made:?}");
        return 1;
    };
    for index in 0..carriers {
        for sort in 0..SORTS {
            drop(spawn(index, move || wait(sort, [empty, full, mute, deaf])));
        }
    }
    let all = u64::from(carriers) * SORTS;
    while READY.load(Ordering::Acquire) < all {
        thread::sleep(20_000);
    }
    // A moment more, so that they are in the kernel; some ends come before.
    thread::sleep(Dice::new(1).below(300_000));
    let pending = stats().pending_calls;
    ensure!(process::argument(3) == 0 || pending > 0, "nothing is pending");
    order::tell();
    spawn(Dice::new(2).below(carriers.into()) as u8, || process::exit(7)).join()
}

fn wait(sort: u64, [empty, full, mute, deaf]: [Handle; 4]) {
    let mut bytes = [0; 512];
    order::note(process::index(), sort);
    READY.fetch_add(1, Ordering::AcqRel);
    let outcome = match sort {
        0 => io::read(empty, &mut bytes).map(drop),
        1 => loop {
            if let Err(why) = io::write(full, &bytes) {
                break Err(why);
            }
        },
        // Received, below, and never answered; or never even received.
        2 => port::open("mute").and_then(|port| port::call(port, b"answer", &mut bytes)).map(drop),
        3 => port::open("deaf").and_then(|port| port::call(port, b"listen", &mut bytes)).map(drop),
        4 => loop {
            match port::receive(mute, &mut bytes) {
                Ok(_) => {}
                Err(why) => break Err(why),
            }
        },
        5 => {
            thread::sleep(1 << 60);
            Ok(())
        }
        _ => {
            NEVER.wait();
            Ok(())
        }
    };
    ensure!(false, "what never comes has come: {outcome:?}, {deaf:?}");
}
