//! Ring 3 as the place where benchmarks run.

use abi::answer::StatsList;
use bench_api::wire::Record;
use bench_api::{Counter, Counters, Edge, Env};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use program::{process, thread};
use uarch::message::time_stamp;

/// User threads, one time-stamp counter, the figures that the kernel tells. CPU process `i` runs on CPU `i`.
pub struct Ring3;

/// CPU processes that there are.
static CARRIERS: AtomicU64 = AtomicU64::new(1);
/// Entries that reading the counters took, and records in between: they are not what is measured.
static READINGS: AtomicU64 = AtomicU64::new(0);

impl Env for Ring3 {
    #[inline(always)]
    fn ticks() -> u64 {
        time_stamp()
    }

    fn cpus() -> usize {
        process::cpus() as usize
    }

    fn cpu() -> usize {
        process::index() as usize
    }

    /// Makes the CPU processes up to that of `cpu`, in order, where they are still missing. Only the first thread starts others.
    fn start(cpu: usize, entry: fn(usize), arg: usize) {
        let mut carriers = CARRIERS.load(Relaxed);
        while carriers <= cpu as u64 {
            let index = process::rfork(carriers).expect("a CPU process on another CPU");
            assert!(
                u64::from(index) == carriers,
                "CPU processes are numbered in the order of their making"
            );
            carriers += 1;
            CARRIERS.store(carriers, Relaxed);
        }
        let started = thread::builder().on(cpu as u8).spawn(move || entry(arg));
        drop(started.expect("a stack for a benchmark's thread"));
    }

    fn relax() {
        core::hint::spin_loop();
        thread::yield_now();
    }

    fn path(record: &Record<'_>) {
        crate::emit(record);
        READINGS.store(READINGS.load(Relaxed) + 1, Relaxed);
    }

    /// What the kernel has to ask its CPUs for by messages is asked for outside the window.
    fn counters(edge: Edge) -> Counters {
        let asked = || stats(ids(&["switches", "waits"]));
        let asked_before = (edge == Edge::Opens).then(asked);
        let read = stats(!ids(&["switches", "waits", "pending_calls", "kernel_stacks"]));
        let entries = read.kernel_entries - READINGS.load(Relaxed);
        let asked = asked_before.unwrap_or_else(asked);
        let mut counters = Counters::ZERO;
        for (counter, value) in [
            (Counter::IpisSent, read.ipis_sent),
            (Counter::IpisAvoided, read.ipis_avoided),
            (Counter::IpisPassive, read.ipis_passive),
            (Counter::RingFull, read.rings_full),
            (Counter::RingMessages, read.calls_run),
            (Counter::Syncs, read.syncs),
            (Counter::Switches, asked.switches),
            (Counter::Waits, asked.waits),
            (Counter::Idles, read.rests),
            (Counter::KernelEntries, entries),
            (Counter::Completions, read.completions),
            (Counter::TimerIrqs, read.timer_interrupts),
            (Counter::PageFaults, read.page_faults),
            (Counter::SpuriousIrqs, read.unasked_interrupts),
        ] {
            counters.set(counter, value);
        }
        counters
    }
}

/// The bits of figures by name.
fn ids(names: &[&str]) -> u64 {
    let elements = StatsList::INFO.elements.iter().filter(|element| names.contains(&element.name));
    elements.fold(0, |bits, element| bits | 1 << element.id)
}

/// The kernel's figures that are wanted: one more entry.
fn stats(wanted: u64) -> StatsList {
    READINGS.store(READINGS.load(Relaxed) + 1, Relaxed);
    let mut bytes = [0; StatsList::MAX_WORDS * 8];
    let used = process::stats(&mut bytes, wanted).expect("room for all figures");
    let words: [u64; StatsList::MAX_WORDS] = core::array::from_fn(|word| {
        u64::from_le_bytes(core::array::from_fn(|byte| bytes[8 * word + byte]))
    });
    StatsList::decode(&words[..used / 8]).expect("a list of the kernel's").value
}
