//! The kernel as the place where benchmarks run.

use alloc::vec;
use bench_api::wire::Record;
use bench_api::{Counter, Counters, Edge, Env, Settings};
use ipiq::Counters as Messages;
use kernel_core::{cpu, ipi, records, thread};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

/// Samples that a benchmark may take.
const SAMPLES: usize = 100_000;

/// Threads of the kernel, one time-stamp counter, the counters of all CPUs.
pub struct Kernel;

impl Env for Kernel {
    #[inline(always)]
    fn ticks() -> u64 {
        arch::time::tsc()
    }

    fn cpus() -> usize {
        cpu::count()
    }

    fn cpu() -> usize {
        arch::cpu_id() as usize
    }

    fn start(cpu: usize, entry: fn(usize), arg: usize) {
        let started = thread::spawn_detached(
            CpuId::at(cpu),
            Name::new("step"),
            Priority::SERVER,
            move |_| entry(arg),
        );
        started.expect("memory for a benchmark's thread");
    }

    fn relax() {
        arch::irq::pause();
        // SAFETY: benchmarks run on threads; the other proof of this one is lent to `run` or to the thread's closure,
        // neither of which uses it meanwhile.
        thread::yield_now(&mut unsafe { MayBlock::assume() });
    }

    /// What can be read is read; what a CPU has to be asked for by a message is asked for outside the window.
    fn counters(edge: Edge) -> Counters {
        let asked_before = (edge == Edge::Opens).then(thread::counted);
        let mut counters = Counters::ZERO;
        for cpu in cpu::all() {
            let messages: &Messages = ipi::fabric().counters(cpu.id());
            for (counter, value) in [
                (Counter::IpisSent, messages.rung.get()),
                (Counter::IpisAvoided, messages.avoided.get()),
                (Counter::IpisPassive, messages.passive.get()),
                (Counter::RingFull, messages.full.get()),
                (Counter::RingMessages, messages.ran.get()),
                (Counter::Syncs, messages.synced.get()),
                (Counter::KernelEntries, cpu.counters.entries.get()),
                (Counter::TimerIrqs, cpu.counters.timers.get()),
                (Counter::PageFaults, cpu.counters.page_faults.get()),
                (Counter::SpuriousIrqs, cpu.counters.unexpected.get()),
            ] {
                counters.add(counter, value);
            }
        }
        counters.set(Counter::Idles, cpu::rests());
        let asked = asked_before.unwrap_or_else(thread::counted);
        counters.set(Counter::Switches, asked.switches);
        counters.set(Counter::Waits, asked.waits);
        counters
    }

    fn settle() {
        for cpu in cpu::all() {
            ipi::call(cpu.id(), |_| ());
        }
    }

    fn path(record: &Record<'_>) {
        records::emit(record);
    }
}

/// Runs the benchmarks that match, or lists them; says whether all passed.
pub fn run(_: &mut MayBlock, settings: &Settings<'_>, list: bool) -> bool {
    let mut sink = |record: &Record<'_>| records::emit(record);
    if list {
        bench_api::list(settings, &mut sink);
        return true;
    }
    let mut samples = vec![0; SAMPLES];
    bench_api::run::run::<Kernel>(settings, &mut samples, &mut sink).failed == 0
}

/// A proof that may wait, for the steps of a benchmark.
pub(crate) fn may_block() -> MayBlock {
    // SAFETY: as in `relax`.
    unsafe { MayBlock::assume() }
}
