//! A timeline out of what the probes of each CPU recorded, as a file that Perfetto and Chrome's tracing page open.
//!
//! ```text
//!   CPU 0          ▐ main ▌▐ rests ▌▐ waker     ▌          a slice for each time that a thread runs
//!   CPU 0 events   │ rung 1 · woke waker           ╲       what happens meanwhile; calls of other CPUs as slices
//!   CPU 1          ▐ rests      ▌▐ sleeper ▌        ╲
//!   CPU 1 events                 ▐ wake_here ▌◀──────      an arrow from each send to where it ran; so of messages, replies, moves, lines
//!   CPU 1 user threads           ▐ echo 0x4e40 ▌           what a process's thread runs in ring 3
//!   CPU 0 IPIs     ▁▁▂▂▃▃▃▃                                curves: how many it has sent since the file begins, and avoided
//! ```
//! Law: nothing is guessed. What began before the log, or came out of its sight, has no slice and no arrow.

mod arrows;
mod perfetto;
#[cfg(test)]
mod tests;

use std::io;

use probe::{Event, Kind, Record};

use perfetto::Writer;

/// What one CPU recorded.
#[derive(Debug, Default)]
pub struct Cpu {
    /// Its number.
    pub cpu: u64,
    /// Events that its log did not keep, all of them older.
    pub lost: u64,
    /// How often each event came to pass, by its name.
    pub counts: Vec<(String, u64)>,
    events: Vec<Event>,
    unknown: usize,
}

/// What all CPUs recorded.
#[derive(Debug, Default)]
pub struct Timeline {
    /// By CPU, in the order in which they were sent.
    pub cpus: Vec<Cpu>,
    /// Whether they were not sent, but found in the memory of a kernel that had ended early.
    pub is_recovered: bool,
}

/// What a timeline needs to know of the kernel that made it.
pub struct Facts<'a> {
    /// Ticks in a second.
    pub tick_hz: u64,
    /// The function at an address.
    pub function: &'a dyn Fn(u64) -> Option<String>,
}

impl Timeline {
    /// A CPU's part begins.
    pub fn begin(&mut self, cpu: u64, lost: u64, counts: Vec<(String, u64)>) {
        self.cpus.push(Cpu { cpu, lost, counts, ..Cpu::default() });
    }

    /// Takes records of the CPU whose part has begun.
    pub fn take(&mut self, records: &[Record]) {
        let Some(cpu) = self.cpus.last_mut() else { return };
        let events = records.iter().filter_map(Event::decode);
        let before = cpu.events.len();
        cpu.events.extend(events);
        cpu.unknown += records.len() - (cpu.events.len() - before);
    }

    /// Takes what the log of a CPU held when the kernel ended early. Where a record was not written to its end, nothing stands, or what
    /// stood there when the log came round last: that is older than all that was kept.
    pub fn recover(&mut self, cpu: u64, lost: u64, counts: &[u64], records: &[u8]) {
        let named = Kind::ALL.iter().zip(counts);
        self.begin(
            cpu,
            lost,
            named.map(|(kind, count)| (kind.name().to_owned(), *count)).collect(),
        );
        let mut records: Vec<_> = records.as_chunks().0.iter().map(Record::from_bytes).collect();
        let oldest = records.first().map_or(0, |record| record.tick).max(1);
        records.retain(|record| record.tick >= oldest);
        self.take(&records);
        self.is_recovered = true;
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.cpus.iter().all(|cpu| cpu.events.is_empty())
    }

    /// Events that are there.
    pub fn events(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.events.len()).sum()
    }

    /// Events that the logs did not keep, and records of no known kind.
    pub fn lost(&self) -> (u64, usize) {
        let lost = self.cpus.iter().map(|cpu| cpu.lost).sum();
        (lost, self.cpus.iter().map(|cpu| cpu.unknown).sum())
    }

    /// How often each event came to pass, over all CPUs: also those that no log kept.
    pub fn counts(&self) -> Vec<(Kind, u64)> {
        let of = |kind: Kind| {
            let all = self.cpus.iter().flat_map(|cpu| &cpu.counts);
            all.filter(|(name, _)| name == kind.name()).map(|(_, count)| count).sum()
        };
        Kind::ALL.iter().map(|kind| (*kind, of(*kind))).collect()
    }

    /// All events with their CPUs, by time. Those of one tick stay in the order of their CPU.
    fn in_order(&self) -> Vec<(u64, Event)> {
        let of = |cpu: &Cpu| cpu.events.iter().map(|event| (cpu.cpu, *event)).collect::<Vec<_>>();
        let mut all: Vec<_> = self.cpus.iter().flat_map(of).collect();
        all.sort_by_key(|(_, event)| event.tick);
        all
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn io::Write, facts: &Facts<'_>) -> io::Result<()> {
        let cpus: Vec<_> = self.cpus.iter().map(|cpu| cpu.cpu).collect();
        let events = self.in_order();
        let begin = events.first().map_or(0, |(_, event)| event.tick);
        let mut writer = Writer::begin(out, facts, &cpus, begin)?;
        for (cpu, event) in events {
            writer.event(cpu, &event)?;
        }
        writer.end()
    }
}
