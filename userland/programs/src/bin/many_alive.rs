//! Very many threads alive at once, each blocked on its own semaphore: they cost the kernel no byte, no stack and no
//! mapping, and each finds its stack as it left it when it is woken.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};
use program::memory;
use program::sync::Semaphore;
use program::thread::{self, JoinHandle};
use programs::{ensure, mix, order, seed, spawn, spread, stats, steps};

program::main!(many_alive);

// Counted with release by each thread; the main thread waits for all with acquire.
static BLOCKED: AtomicU64 = AtomicU64::new(0);

fn many_alive() -> i64 {
    let carriers = u64::from(spread(program::process::argument(2)));
    let (each, stacks) = (steps() / carriers, program::process::argument(3));
    let all = each * carriers;
    let own = memory::array(all as usize, |_| Semaphore::new(0)).ok();
    ensure!(own.is_some(), "no memory for {all} semaphores");
    let own: &'static [Semaphore] = own.unwrap_or_default();
    let before = stats();
    let makers: [_; 64] = core::array::from_fn(|index| {
        ((index as u64) < carriers)
            .then(|| spawn(index as u8, move || make(index as u64 * each, each, own)))
    });
    while BLOCKED.load(Ordering::Acquire) < all {
        thread::sleep(100_000);
    }
    let during = stats();
    ensure!(
        during.kernel_bytes == before.kernel_bytes,
        "kernel bytes: {} before, {} with all alive",
        before.kernel_bytes,
        during.kernel_bytes
    );
    ensure!(
        during.kernel_stacks == before.kernel_stacks,
        "kernel stacks: {} before, {} with all alive",
        before.kernel_stacks,
        during.kernel_stacks
    );
    ensure!(
        during.kernel_stacks == stacks + carriers,
        "{} kernel stacks for {carriers} CPU processes, and {stacks} before",
        during.kernel_stacks
    );
    ensure!(
        during.cpu_processes == carriers,
        "{} CPU processes of {carriers}",
        during.cpu_processes
    );
    // Each maker maps one list of handles; the stacks are in the slabs that were there.
    let mappings = before.mappings + carriers;
    ensure!(
        during.mappings == mappings,
        "{} mappings with all alive, not {mappings}",
        during.mappings
    );
    own.iter().for_each(Semaphore::post);
    let woken: u64 = makers.into_iter().flatten().map(JoinHandle::join).sum();
    ensure!(woken == all, "{woken} threads of {all} found their stacks as they were");
    order::tell();
    0
}

/// Makes threads `first..first + count` on this CPU process, joins them, and says how many had their stacks unharmed.
fn make(first: u64, count: u64, own: &'static [Semaphore]) -> u64 {
    let handles = memory::array(count as usize, |number| {
        let number = first + number as u64;
        let made = thread::builder().small().spawn(move || wait(number, &own[number as usize]));
        ensure!(made.is_ok(), "thread {number}: {:?}", made.err());
        made.ok()
    });
    let Ok(handles) = handles else { return 0 };
    handles
        .iter_mut()
        .filter_map(|handle| handle.take())
        .map(|handle| u64::from(handle.join()))
        .sum()
}

fn wait(number: u64, own: &Semaphore) -> bool {
    let value = |word: u64| mix(seed() ^ number << 8 ^ word);
    let kept: [u64; 16] = core::array::from_fn(|word| value(word as u64));
    let kept = black_box(&kept);
    BLOCKED.fetch_add(1, Ordering::AcqRel);
    own.wait();
    order::note(number, 0);
    (0..16).all(|word| kept[word] == value(word as u64))
}
