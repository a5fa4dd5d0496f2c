//! `./x bench NAME --why`: where the instructions of one iteration go.
//!
//! The kernel has the runner write down the instructions of an empty loop and of a few more samples, and says what the clock
//! measured meanwhile. A sample's instructions are those between its two readings of the clock, on all CPUs; less the empty
//! loop's they are the figure. [`table`] counts them by function and line.

mod locked;
mod masked;
pub mod table;

use std::path::Path;

use anyhow::{Context, Result};
use bench_report::BenchResult;
use runner::Step;
use runner::symbols::{Place, Symbols};

use crate::place;

use masked::{Effect, Stretch};
use table::draw;

/// What is known of the paths of a run, in the order in which it came.
#[derive(Debug, Default)]
pub struct Paths {
    /// What was executed.
    steps: Vec<Vec<Step>>,
    /// What that was. The records come by another way than the steps, and may come before them.
    ends: Vec<End>,
}

#[derive(Debug)]
struct End {
    bench: String,
    /// The CPU that measured.
    cpu: u32,
    /// Whether it was the empty loop.
    empty: bool,
    /// What the clock said.
    ticks: Vec<u64>,
}

/// One sample of a benchmark and the empty loop beside it.
#[derive(Debug)]
pub struct Followed {
    /// The CPU that measured.
    cpu: u32,
    /// Between the sample's two readings of the clock.
    sample: Vec<Step>,
    /// What is taken off: what lies between those of the empty loop, and what the sample takes off by itself.
    less: Vec<Step>,
    /// What the clock said of the two: the difference is the sample's figure.
    ticks: (u64, u64),
}

impl Paths {
    /// What was executed between two marks.
    pub fn executed(&mut self, steps: &[Step]) {
        self.steps.push(steps.to_vec());
    }

    /// What that was: of which benchmark, by which CPU, the empty loop or samples, and the clock's word on each.
    pub fn explained(&mut self, bench: &str, cpu: u32, empty: bool, ticks: Vec<u64>) {
        self.ends.push(End { bench: bench.to_owned(), cpu, empty, ticks });
    }

    /// The sample of a benchmark whose figure is `figure`, else the nearest.
    pub fn followed(
        &self,
        bench: &str,
        figure: u64,
        reads_clock: &dyn Fn(u64) -> bool,
    ) -> Option<Followed> {
        let of = |wanted: bool| {
            let mut both = self.ends.iter().zip(&self.steps);
            both.find(|(end, _)| end.bench == bench && end.empty == wanted)
        };
        let (empty, empty_steps) = of(true)?;
        let (end, steps) = of(false)?;
        let overhead = *empty.ticks.first()?;
        let distance =
            |sample: &usize| end.ticks[*sample].saturating_sub(overhead).abs_diff(figure);
        let nearest = (0..end.ticks.len()).min_by_key(distance)?;
        let clock = |step: &Step| reads_clock(step.address);
        let empty = windows(empty_steps, &empty.ticks, end.cpu, &clock).first()?.shown;
        let sample = *windows(steps, &end.ticks, end.cpu, &clock).get(nearest)?;
        Some(Followed {
            cpu: end.cpu,
            sample: sample.shown.to_vec(),
            less: [empty, sample.less].concat(),
            ticks: (end.ticks[nearest], overhead),
        })
    }
}

impl Followed {
    /// The same, of its instructions only those of which `chosen` holds.
    fn only(&self, chosen: &dyn Fn(u64) -> bool) -> Followed {
        let of = |steps: &[Step]| -> Vec<Step> {
            steps.iter().filter(|step| chosen(step.address)).copied().collect()
        };
        Followed { sample: of(&self.sample), less: of(&self.less), ..*self }
    }
}

/// What was executed in one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Window<'s> {
    /// What the sample counts.
    shown: &'s [Step],
    /// What it takes off by itself, when its figure is the difference of two.
    less: &'s [Step],
}

/// The steps of each sample: from behind one reading of the clock by `cpu` up to and with another, as many as the clock says.
/// The other may be another CPU's. Failing that, a sample is the difference of two such stretches; failing that (the clock
/// jumps when all CPUs sleep), it is what lies between two readings in turn.
fn windows<'s>(
    steps: &'s [Step],
    ticks: &[u64],
    cpu: u32,
    reads_clock: &dyn Fn(&Step) -> bool,
) -> Vec<Window<'s>> {
    let all: Vec<usize> = (0..steps.len()).filter(|at| reads_clock(&steps[*at])).collect();
    let mine: Vec<usize> = all.iter().copied().filter(|at| steps[*at].cpu == cpu).collect();
    let stretch = |first: usize, last: usize| &steps[first + 1..=last];
    let mut windows = Vec::new();
    let (mut from, mut after) = (0, 0);
    for ticks in ticks {
        let left = &mine[from..];
        let mine_or_not = apart(left, left, *ticks).or_else(|| apart(left, &all, *ticks));
        // Both readings another CPU's: the steps of a thread there.
        let elsewhere = || apart(&all[all.partition_point(|read| *read < after)..], &all, *ticks);
        let (window, last) = if let Some((first, last)) = mine_or_not {
            (Window { shown: stretch(first, last), less: &[] }, last)
        } else if let Some([a, b, c, d]) =
            left.array_windows().find(|[a, b, c, d]| d - c == *ticks as usize + b - a)
        {
            (Window { shown: stretch(*c, *d), less: stretch(*a, *b) }, *d)
        } else if let [first, last, ..] = left {
            (Window { shown: stretch(*first, *last), less: &[] }, *last)
        } else if let Some((first, last)) = elsewhere() {
            (Window { shown: stretch(first, last), less: &[] }, last)
        } else {
            break;
        };
        after = last + 1;
        windows.push(window);
        from = mine.partition_point(|read| *read <= last);
    }
    windows
}

/// The earliest of `firsts` that has one of `lasts` so many steps behind it, and that one. Both are in order.
fn apart(firsts: &[usize], lasts: &[usize], ticks: u64) -> Option<(usize, usize)> {
    firsts.iter().find_map(|first| {
        let last = first + usize::try_from(ticks).ok()?;
        (last > *first && lasts.binary_search(&last).is_ok()).then_some((*first, last))
    })
}

/// The code of a run: the kernel's, the layer's, and that of the program that measures.
pub struct Code {
    kernel: Symbols,
    programs: Vec<Symbols>,
}

impl Code {
    /// Reads the kernel that ran, and the ring-3 programs that lie beside it with their symbols.
    pub fn of(kernel: &Path) -> Result<Self> {
        let read = |path: &Path| -> Result<Symbols> {
            let elf = std::fs::read(path).with_context(|| path.display().to_string())?;
            Symbols::read(&elf).with_context(|| path.display().to_string())
        };
        let programs =
            ["layer", "bench-user"].map(|name| place::made().join("programs").join(name));
        Ok(Self {
            kernel: read(kernel)?,
            programs: programs.iter().filter_map(|path| read(path).ok()).collect(),
        })
    }

    fn all(&self) -> impl Iterator<Item = &Symbols> {
        std::iter::once(&self.kernel).chain(&self.programs)
    }

    /// The functions at an address, innermost first.
    pub fn places(&self, address: u64) -> Vec<Place> {
        self.all()
            .map(|symbols| symbols.places(address))
            .find(|places| !places.is_empty())
            .unwrap_or_default()
    }

    /// The innermost function of the project's at an address, if its line is known.
    fn line(&self, address: u64) -> Option<String> {
        self.places(address).iter().find(|place| table::is_own(place)).map(Place::to_string)
    }

    /// The bytes from an address on, as many as the longest instruction has, or as there are.
    fn bytes(&self, address: u64) -> &[u8] {
        let bytes = |length| self.all().find_map(|symbols| symbols.code(address, length));
        (1..=locked::LONGEST).rev().find_map(bytes).unwrap_or_default()
    }

    /// Whether the instruction at an address is locked.
    fn is_locked(&self, address: u64) -> bool {
        locked::is_locked(self.bytes(address))
    }

    /// What the instruction at an address does to interrupts.
    fn masks(&self, address: u64) -> Effect {
        let is_entry = |name: &str| name.ends_with("_entry") || name.contains("_entry17h");
        let stub = self.kernel.function(address) == Some("trap_stubs");
        if stub || self.kernel.begins(address).is_some_and(is_entry) {
            return Effect::Off;
        }
        masked::effect(self.bytes(address))
    }

    /// Whether the instruction at an address is RDTSC.
    fn reads_clock(&self, address: u64) -> bool {
        self.all().any(|symbols| symbols.code(address, 2) == Some(&[0x0f, 0x31]))
    }
}

/// What the instructions that were written down say.
pub struct Explained {
    /// Of each result: where its instructions go.
    pub text: String,
    /// For how many instructions any CPU had its interrupts off, and where, as a record; `None` if none had.
    pub masked: Option<BenchResult>,
}

/// The explanation of each result.
pub fn explain(
    paths: &Paths,
    results: &[BenchResult],
    kernel: &Path,
    columns: usize,
) -> Result<Explained> {
    let code = Code::of(kernel)?;
    let explain = |result: &BenchResult| {
        let reads_clock = |address| code.reads_clock(address);
        match paths.followed(&result.name, result.summary.min, &reads_clock) {
            Some(followed) => {
                let locked = followed.only(&|address| code.is_locked(address));
                let places = |address| code.places(address);
                draw(result, &followed, &places, columns)
                    + &table::locked(result, &locked, &places, columns)
            }
            None if result.unit == "insns" => {
                format!("why {}: its instructions were not written down\n", result.name)
            }
            None => counted(result),
        }
    };
    let text = results.iter().map(explain).collect();
    Ok(Explained { text, masked: interrupts_off(paths, &code) })
}

/// What the longest stretch with interrupts off is called among benchmarks: of all that ran, it is none itself.
pub const MASKED: &str = "kernel/interrupts_off";

/// Where any CPU had its interrupts off for longest, in all that was written down.
fn interrupts_off(paths: &Paths, code: &Code) -> Option<BenchResult> {
    let masks = |address| code.masks(address);
    let all = paths.ends.iter().zip(&paths.steps);
    let stretches =
        all.filter_map(|(end, steps)| Some((masked::longest(steps, &masks)?, end, steps)));
    let (Stretch { length, from, to }, end, steps) =
        stretches.max_by_key(|(stretch, ..)| stretch.length)?;
    // Assembly has no lines: the nearest that has one says where.
    let own: Vec<_> = steps[from..=to].iter().filter(|step| step.cpu == steps[from].cpu).collect();
    let first = own.iter().find_map(|step| code.line(step.address));
    let last = own.iter().rev().find_map(|step| code.line(step.address));
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let message = format!("in {}, from {first} to {last}", end.bench);
    Some(BenchResult { message, ..BenchResult::once(MASKED, "insns", length) })
}

/// What there is to say where samples are no instructions: what else happened meanwhile.
fn counted(result: &BenchResult) -> String {
    let counters = result.counters.nonzero().map(|(name, value)| format!("{name} {value}"));
    let counters: Vec<String> = counters.collect();
    let BenchResult { name, unit, samples, .. } = result;
    let title = format!("why {name}: it counts {unit}; in all {} samples:\n", samples.len());
    title + &format!("  {}\n", counters.join(", "))
}

#[cfg(test)]
mod tests;
