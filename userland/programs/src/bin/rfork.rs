//! CPU processes come, several on one CPU too, work together, and go with their process; what cannot be is refused.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::process;
use program::thread::{self, JoinHandle};
use program::{Error, Failure};
use programs::{Dice, ensure, order, spawn, spread, stats};

program::main!(rfork);

// Each counts itself with release and waits for the others with acquire.
static MET: AtomicU64 = AtomicU64::new(0);

fn rfork() -> i64 {
    let carriers = spread(process::argument(2));
    let refused = process::rfork(process::cpus());
    ensure!(
        matches!(refused, Err(Failure { error: Error::BadElement, .. })),
        "rfork on a CPU that is not there: {refused:?}"
    );
    let far = process::rfork(u64::MAX);
    ensure!(
        matches!(far, Err(Failure { error: Error::BadElement, .. })),
        "rfork on CPU -1: {far:?}"
    );
    let threads: [_; 64] = core::array::from_fn(|index| {
        (index < carriers.into()).then(|| spawn(index as u8, move || meet(index as u64, carriers)))
    });
    for (index, handle) in threads.into_iter().enumerate() {
        let Some(at) = handle.map(JoinHandle::join) else { continue };
        ensure!(at == index as u64, "a thread of CPU process {index} says it is {at}");
    }
    let there = stats().cpu_processes;
    ensure!(there == carriers.into(), "{there} CPU processes of {carriers}");
    order::tell();
    // The end may come from any of them.
    let last = Dice::new(0).below(carriers.into()) as u8;
    spawn(last, || process::exit(0)).join()
}

/// Returns when a thread of each CPU process is here.
fn meet(index: u64, carriers: u8) -> u64 {
    let mut dice = Dice::new(index);
    order::note(index, 0);
    MET.fetch_add(1, Ordering::AcqRel);
    while MET.load(Ordering::Acquire) < carriers.into() {
        if dice.below(2) == 0 { thread::yield_now() } else { thread::sleep(dice.below(10_000)) }
    }
    order::note(index, 1);
    process::index()
}
