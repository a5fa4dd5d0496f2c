//! The records that leave the guest, defined once: the same table makes enum, encoder and decoder.
//!
//! A record is a tag byte and its fields in order: numbers as LEB128, texts and lists with their length in front
//! (lists: bytes). A decoder ignores nothing: unknown tags and rests are errors, so a mismatch shows. [`VERSION`] is in
//! [`Record::RunBegin`]. In a defmt stream a record is the only argument of the frame `record {=[u8]}`.

mod codec;

pub use codec::{Error, MAX_TEXT, Named, Values};
use codec::{Field, Reader, Writer};

/// Changes whenever a record does.
pub const VERSION: u64 = 7;
/// No encoded record is longer.
pub const MAX_BYTES: usize = 768;
/// The text in front of the bytes in a decoded defmt frame.
pub const FRAME_PREFIX: &str = "record ";

/// In a constant, stops the compiler where a record would cut what is said of a benchmark or test.
///
/// # Panics
/// The text is longer than [`MAX_TEXT`].
pub const fn fits(text: &str) {
    assert!(text.len() <= MAX_TEXT, "lists would cut this text: 160 bytes at most");
}

macro_rules! records {
    ($($(#[doc = $doc:literal])* $tag:literal $variant:ident {
        $($(#[doc = $field_doc:literal])* $field:ident: $kind:ty,)*
    })*) => {
        /// What a guest tells its runner.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Record<'a> {
            $($(#[doc = $doc])* $variant { $($(#[doc = $field_doc])* $field: $kind,)* },)*
        }

        impl<'a> Record<'a> {
            /// Encodes into `buffer` and returns the bytes used. Texts longer than [`MAX_TEXT`] are cut.
            ///
            /// # Errors
            /// [`Error::Full`] if the buffer is too small; [`MAX_BYTES`] is enough for what this crate sends.
            pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Error> {
                let mut to = Writer::new(buffer);
                match self {
                    $(Record::$variant { $($field,)* } => {
                        to.byte($tag)?;
                        $($field.put(&mut to)?;)*
                    })*
                }
                Ok(to.done())
            }

            /// Decodes a whole record.
            ///
            /// # Errors
            /// Unknown tag, missing or leftover bytes, or a text that is not UTF-8.
            pub fn decode(bytes: &'a [u8]) -> Result<Record<'a>, Error> {
                let mut from = Reader::new(bytes);
                let record = match from.byte()? {
                    $($tag => Record::$variant { $($field: Field::get(&mut from)?,)* },)*
                    tag => return Err(Error::Tag(tag)),
                };
                from.done()?;
                Ok(record)
            }
        }
    };
}

records! {
    /// First record of a kernel: what runs, and on what.
    1 RunBegin {
        /// [`VERSION`].
        version: u64,
        /// Version of the kernel.
        kernel: &'a str,
        /// `insns`, `tcg`, `kvm`.
        mode: &'a str,
        /// `xAPIC` or `x2APIC`.
        apic: &'a str,
        /// CPUs that came up.
        cpus: u64,
        /// CPUs that the firmware named.
        cpus_expected: u64,
        /// The seed of the run.
        seed: u64,
        /// Whether this is a quick run.
        quick: bool,
        /// Ticks per second, as calibrated.
        tick_hz: u64,
        /// Ticks that the counter of any CPU can differ from the first one's, as measured in boot.
        clock_within: u64,
        /// Ticks that some CPU's counter surely differs from the first one's; 0 when all may be equal.
        clock_apart: u64,
        /// The CPU of which that is said.
        clock_cpu: u64,
        /// CPU model.
        cpu_model: &'a str,
        /// What the kernel was built with where there is a choice and this is not the usual one: `runq=list`.
        variants: &'a str,
    }
    /// A benchmark starts; what hangs now is this.
    2 BenchBegin {
        /// Name of the benchmark.
        name: &'a str,
    }
    /// Samples in the order taken, overhead already subtracted.
    3 Samples {
        /// Name of the benchmark.
        name: &'a str,
        /// Pairs of value and count of equal neighbours.
        runs: Values<'a>,
    }
    /// Counted while the samples were taken.
    4 Counters {
        /// Name of the benchmark.
        name: &'a str,
        /// In the order of [`Counter::ALL`](crate::Counter::ALL).
        values: Values<'a>,
    }
    /// A benchmark has ended.
    5 BenchEnd {
        /// Name of the benchmark.
        name: &'a str,
        /// Goal it answers, or empty.
        goal: &'a str,
        /// Whether all checks held.
        ok: bool,
        /// `insns`, `cycles`, or what was counted.
        unit: &'a str,
        /// Samples.
        n: u64,
        /// Warm-up samples, dropped.
        warmup: u64,
        /// Calls per sample.
        batch: u64,
        /// Operations per sample: figures are values divided by this.
        ops: u64,
        /// Ticks subtracted from each sample.
        overhead: u64,
        /// Largest overhead seen.
        overhead_max: u64,
        /// min, q1, median, q3, p99, p99.9, max per sample.
        summary: Values<'a>,
        /// The check that failed, or empty.
        message: &'a str,
    }
    /// A benchmark cannot run here.
    6 BenchSkip {
        /// Name of the benchmark.
        name: &'a str,
        /// Why.
        reason: &'a str,
    }
    /// A benchmark that could be run.
    7 BenchInfo {
        /// Name of the benchmark.
        name: &'a str,
        /// What it measures.
        doc: &'a str,
        /// Goal it answers, or empty.
        goal: &'a str,
        /// What would make it lie.
        lies: &'a str,
        /// Expected shape.
        shape: &'a str,
        /// CPUs it needs.
        cpus: u64,
    }
    /// A stress test starts.
    8 StressBegin {
        /// Name of the test.
        name: &'a str,
        /// Its seed.
        seed: u64,
    }
    /// A stress test has ended.
    9 StressEnd {
        /// Name of the test.
        name: &'a str,
        /// Its seed.
        seed: u64,
        /// Whether everything was conserved.
        ok: bool,
        /// Hash of the order of events: the same for the same seed.
        trace: u64,
        /// What was counted, by name.
        counts: Named<'a>,
        /// One line for the reader: what was shown, or what failed.
        message: &'a str,
    }
    /// A stress test that could be run.
    10 StressInfo {
        /// Name of the test.
        name: &'a str,
        /// What it shows.
        doc: &'a str,
    }
    /// A test starts.
    11 TestBegin {
        /// Name of the test.
        name: &'a str,
    }
    /// A test has ended.
    12 TestEnd {
        /// Name of the test.
        name: &'a str,
        /// Whether it passed.
        ok: bool,
        /// What failed, or empty.
        message: &'a str,
    }
    /// A line of text, from the kernel or a program.
    13 Log {
        /// Who says it.
        source: &'a str,
        /// What.
        text: &'a str,
    }
    /// Last record of a kernel.
    14 RunEnd {
        /// Whether nothing failed.
        ok: bool,
        /// Frames that the transport dropped.
        lost: u64,
    }
    /// What a thread is doing: sent for each thread when the kernel is asked or has stopped.
    15 Thread {
        /// Name of the thread.
        name: &'a str,
        /// Its CPU.
        cpu: u64,
        /// `running`, `ready`, or what it waits for.
        state: &'a str,
    }
    /// From here on whoever watches the machine writes down every instruction.
    16 PathBegin {}
    /// Up to here. Belongs to the benchmark that has begun.
    17 PathEnd {
        /// Whether this was the empty loop.
        empty: bool,
        /// The loop's samples on this way, in order, overhead included.
        ticks: Values<'a>,
    }
    /// A program's digest of the order of what its threads did: the kernel adds it to its own, and sends nothing out.
    18 Order {
        /// Equal for equal orders.
        digest: u64,
    }
    /// The timeline of a CPU: how often each event came to pass, and what of it follows.
    19 Timeline {
        /// The CPU.
        cpu: u64,
        /// Events before those that follow.
        lost: u64,
        /// By the event's name.
        counts: Named<'a>,
    }
    /// Events of the timeline that has begun.
    20 Happened {
        /// `probe::Record`s, one after the other.
        records: &'a [u8],
    }
    /// What became of a group of threads of a workload that was played. `bench/sim/README.md` says what is counted.
    21 PlayedGroup {
        /// Name of the workload.
        name: &'a str,
        /// Name of the group.
        group: &'a str,
        /// What was counted, by name.
        counts: Named<'a>,
    }
    /// A workload was played; its groups have been told of.
    22 Played {
        /// Name of the workload.
        name: &'a str,
        /// CPUs.
        cpus: u64,
        /// Whether it came to its end.
        ok: bool,
        /// What was counted, by name.
        counts: Named<'a>,
        /// Why it did not, or empty.
        message: &'a str,
    }
}

#[cfg(test)]
mod tests;
