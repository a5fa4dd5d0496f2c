//! The timeline: what probes record on each CPU, in a kernel that was built to be traced.
//!
//! ```text
//!   probe::switched(t) ─▶ _damselfly_probe_switched ─▶ this CPU's log ─▶ end: out, as records for the runner
//!                         (one instruction takes the place, the others fill and count it)
//! ```
//! Law: a log is its CPU's; it keeps the last [`RECORDS`] events (fewer on many CPUs) since [`begin`], and counts all of them.
//! Before [`begin`] and after [`end`] probes write to a record that nobody reads. Of a kernel that ends before [`end`] the runner
//! reads the logs out of memory ([`Directory`]).

use crate::cpu::{self, Cpu};
use crate::{fallible, ipi, records};
use alloc::vec::Vec;
use bench_api::wire::{Named, Record as Out};
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use lwkt_sched::{Name, ThreadRef};
use percpu::{Counter, Crit, MAX_CPUS};
use probe::{Kind, Record};

/// Events that each CPU keeps, if it has as much memory.
const RECORDS: usize = 1 << 15;
/// Events that it keeps at least.
const FEWEST: usize = 1 << 9;
/// Memory for the logs of all CPUs.
const MOST_BYTES: usize = 64 << 20;

/// Whether this kernel was built to be traced.
pub const IS_TRACED: bool = !probe::IS_USUAL;

/// The log of a CPU; none in a kernel that is not traced.
pub(crate) type Logs = [Log; IS_TRACED as usize];

/// Where probes of one CPU write. Its own CPU alone.
#[repr(C)]
pub(crate) struct Log {
    /// Bytes written so far.
    at: AtomicU64,
    mask: AtomicU64,
    base: AtomicPtr<Record>,
    counts: [Counter; Kind::ALL.len()],
}

/// Written by whoever has no log, read by nobody.
static NOWHERE: Nowhere = Nowhere(UnsafeCell::new(Record::ZERO));

struct Nowhere(UnsafeCell<Record>);

// SAFETY: all CPUs write it, and nobody reads it.
unsafe impl Sync for Nowhere {}

impl Log {
    pub(crate) const fn new() -> Self {
        Self {
            at: AtomicU64::new(0),
            mask: AtomicU64::new(0),
            base: AtomicPtr::new(NOWHERE.0.get()),
            counts: [const { Counter::new() }; Kind::ALL.len()],
        }
    }

    /// Writes go to so many records at `base` from now on. An interrupt's probes come between two stores, of which each leaves a
    /// place that may be written.
    fn set(&self, base: *mut Record, records: usize) {
        self.mask.store(0, Relaxed);
        self.base.store(base, Relaxed);
        self.at.store(0, Relaxed);
        self.mask.store((records * Record::BYTES - Record::BYTES) as u64, Relaxed);
    }
}

impl Log {
    /// As a probe does, but for a time that was.
    fn append(&self, crit: &Crit, record: Record) {
        let at = self.at.fetch_add(Record::BYTES as u64, Relaxed) & self.mask.load(Relaxed);
        let place = self.base.load(Relaxed).wrapping_byte_add(at as usize);
        // SAFETY: `new` and `set` keep a record at each place that the mask lets through; interrupts write others.
        unsafe { place.write(record) };
        self.counts[record.kind as usize].add(crit, 1);
    }
}

/// Binds the probes of the table.
macro_rules! bind {
    ($($(#[doc = $doc:literal])+ $name:ident($($word:ident),*);)+) => {
        const _: () = {
            $(#[unsafe(export_name = concat!("_damselfly_probe_", stringify!($name)))]
            fn $name(first: u32, second: u64, third: u64) {
                record::<{ Kind::$name as u32 }, { COUNTS + 8 * Kind::$name as usize }>(first, second, third);
            })+
        };
    };
}

/// Where the logs are, for who reads them out of the memory of a kernel that ended before it could send them.
#[repr(C)]
struct Directory {
    kinds: usize,
    cpus: [AtomicPtr<Log>; MAX_CPUS],
}

/// Its name is the runner's (`qemu/runner/src/logs.rs`).
#[unsafe(export_name = "damselfly_logs")]
static DIRECTORY: [Directory; IS_TRACED as usize] = [const {
    let cpus = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
    Directory { kinds: Kind::ALL.len(), cpus }
}; IS_TRACED as usize];

// The runner knows it so.
const _: () = assert!(
    offset_of!(Log, at) == 0
        && offset_of!(Log, mask) == 8
        && offset_of!(Log, base) == 16
        && offset_of!(Log, counts) == 24
);

const LOG: usize = offset_of!(Cpu, logs);
const COUNTS: usize = LOG + offset_of!(Log, counts);

/// At most twelve instructions: what the event does not say is left as it is.
#[inline(always)]
fn record<const KIND: u32, const COUNT: usize>(first: u32, second: u64, third: u64) {
    const AT: usize = LOG + offset_of!(Log, at);
    const MASK: usize = LOG + offset_of!(Log, mask);
    const BASE: usize = LOG + offset_of!(Log, base);
    if !IS_TRACED {
        return;
    }
    // SAFETY: 1. the offsets are those of a log, which a traced kernel's block has; 2. `Log::new` and `Log::set` keep a record at
    // each place that the mask lets through.
    let words = unsafe { arch::cpu::record::<AT, MASK, BASE, COUNT, KIND>(first) };
    let count = const { Kind::ALL[KIND as usize].words().len() };
    if count > 1 {
        // SAFETY: the record is this probe's.
        unsafe { words.write(second) };
    }
    if count > 2 {
        // SAFETY: as above.
        unsafe { words.wrapping_add(1).write(third) };
    }
}

probe::each!(bind);

/// Says that there is a thread.
#[inline(always)]
pub(crate) fn started(thread: ThreadRef, name: Name) {
    if IS_TRACED {
        let [letters, more] = probe::letters(name.as_str());
        probe::started(probe::low(thread.into_word()), letters, more);
    }
}

/// Says that a user thread went on at `tick`: what ring 3 wrote, so it may be anything. The carrier's own loop is none.
pub(crate) fn user(tick: u64, thread: u64, process: Name) {
    let is_loop = (abi::map::CARRIERS..abi::map::COMPLETIONS).contains(&thread);
    let first = if is_loop { 0 } else { probe::low(thread as usize) };
    let [second, _] = probe::letters(process.as_str());
    cpu::critical(|crit| {
        for log in &cpu::here().logs {
            log.append(crit, Record { tick, kind: Kind::user as u32, first, second, third: 0 });
        }
    });
}

/// Says that a part of the run begins.
pub fn begun(part: &str) {
    static BEFORE: AtomicU32 = AtomicU32::new(0);
    if IS_TRACED {
        let [letters, more] = probe::letters(part);
        probe::begun(BEFORE.fetch_add(1, Relaxed), letters, more);
    }
}

/// No memory for a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// Each CPU keeps what happens from now on.
///
/// # Errors
/// A CPU has no memory for it.
pub fn begin() -> Result<(), NoMemory> {
    let most = MOST_BYTES / Record::BYTES / cpu::count().next_power_of_two();
    let records = RECORDS.min(most).max(FEWEST);
    for cpu in cpu::all() {
        let pages = records * Record::BYTES / arch::layout::PAGE;
        let base = fallible::zeroed_pages(pages).cast::<Record>();
        if base.is_null() {
            return Err(NoMemory);
        }
        let base = base.expose_provenance();
        ipi::call(cpu.id(), |crit| {
            let cpu = cpu::here();
            for (log, all) in cpu.logs.iter().zip(&DIRECTORY) {
                arch::irq::without(|| {
                    log.set(core::ptr::with_exposed_provenance_mut(base), records);
                    log.counts.iter().for_each(|one| one.add(crit, one.get().wrapping_neg()));
                });
                all.cpus[cpu.id().index()].store(core::ptr::from_ref(log).cast_mut(), Relaxed);
            }
            cpu.scheduler.with(crit, |s| s.threads().for_each(|one| started(one.thread, one.name)));
        });
    }
    Ok(())
}

/// Nobody keeps any more; sends out what was kept.
pub fn end() {
    let kept: Vec<_> = cpu::all()
        .flat_map(|cpu| ipi::call(cpu.id(), |_| cpu::here().logs.first().map(Kept::stop)))
        .zip(cpu::all())
        .collect();
    for (kept, cpu) in &kept {
        kept.send(cpu);
    }
}

/// A log that nobody writes to any more.
struct Kept {
    base: usize,
    records: usize,
    /// Bytes written to it.
    written: u64,
    counts: [u64; Kind::ALL.len()],
}

impl Kept {
    fn stop(log: &Log) -> Self {
        let (base, mask) = (log.base.load(Relaxed), log.mask.load(Relaxed));
        let (written, counts) = arch::irq::without(|| {
            let written = log.at.load(Relaxed);
            log.set(NOWHERE.0.get(), 1);
            (written, log.counts.each_ref().map(Counter::get))
        });
        for all in &DIRECTORY {
            all.cpus[cpu::here().id().index()].store(core::ptr::null_mut(), Relaxed);
        }
        let records = mask as usize / Record::BYTES + 1;
        Self { base: base.expose_provenance(), records, written, counts }
    }

    fn send(&self, cpu: &Cpu) {
        let events = self.written as usize / Record::BYTES;
        let first = events.saturating_sub(self.records);
        let counts: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).zip(self.counts).collect();
        records::emit(&Out::Timeline {
            cpu: cpu.id().index() as u64,
            lost: first as u64,
            counts: Named::Plain(&counts),
        });
        let mut bytes = [0; Record::BYTES * EACH];
        let mut at = first;
        while at < events {
            let count = EACH.min(events - at);
            for (bytes, number) in bytes.chunks_exact_mut(Record::BYTES).zip(at..at + count) {
                bytes.copy_from_slice(&self.record(number).to_bytes());
            }
            records::emit(&Out::Happened { records: &bytes[..count * Record::BYTES] });
            at += count;
        }
    }

    fn record(&self, number: usize) -> Record {
        let base = core::ptr::with_exposed_provenance::<Record>(self.base);
        // SAFETY: the log has so many records.
        let record = unsafe { base.add(number % self.records) };
        // SAFETY: it was zeroed, and is written no more.
        unsafe { record.read_volatile() }
    }
}

/// Records that go out at a time.
const EACH: usize = 23;

const _: () = assert!(RECORDS.is_power_of_two() && FEWEST.is_power_of_two());
