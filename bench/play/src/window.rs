//! The counters of the kernel at the beginning and at the end of a play.

use kernel_core::{cpu, ipi, thread};

/// By name, as the simulator calls them.
pub(crate) type Counts = [(&'static str, u64); 7];

/// What was counted up to its beginning.
pub(crate) struct Window(Counts);

/// What the player adds between its two looks: it waits once, and then has its CPU back.
const OWN_WAITS: u64 = 1;
const OWN_SWITCHES: u64 = OWN_WAITS + 1;

impl Window {
    /// Opens it: what is asked for by messages first.
    pub fn open() -> Self {
        let asked = thread::counted();
        Self(counts(asked))
    }

    /// Closes it: what is asked for by messages last.
    pub fn close(self) -> Counts {
        let mut now = counts(thread::Counted::default());
        let asked = thread::counted();
        for (name, value) in &mut now {
            match *name {
                "switches" => *value = asked.switches - OWN_SWITCHES,
                "waits" => *value = asked.waits - OWN_WAITS,
                _ => {}
            }
        }
        for ((_, now), (_, before)) in now.iter_mut().zip(self.0) {
            *now -= before;
        }
        now
    }
}

fn counts(asked: thread::Counted) -> Counts {
    let mut counts = [
        ("switches", asked.switches),
        ("waits", asked.waits),
        ("migrations", 0),
        ("ring_messages", 0),
        ("ipi_sent", 0),
        ("ipi_avoided", 0),
        ("ring_full", 0),
    ];
    for cpu in cpu::all() {
        let messages: &ipiq::Counters = ipi::fabric().counters(cpu.id());
        let migrations = &cpu.counters.migrations;
        let of = [migrations, &messages.sent, &messages.rung, &messages.avoided, &messages.full];
        for ((_, sum), counter) in counts[2..].iter_mut().zip(of) {
            *sum += counter.get();
        }
    }
    counts
}
