//! The command line, which `./x sim` writes.

use std::path::PathBuf;

use ipiq::knocking;
use lwkt_sched::queue;

use crate::Policies;

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// A workload's file, or the name of one that ships; none to list them.
    pub workload: Option<PathBuf>,
    /// The run queues, in the order of the columns.
    pub runqs: Vec<String>,
    /// The doorbells, each of which is tried with each run queue.
    pub ipis: Vec<String>,
    /// Virtual CPUs.
    pub cpus: usize,
    /// The seed.
    pub seed: u64,
    /// A baseline, or a folder of them, that the costs come of.
    pub costs: PathBuf,
    /// The folder of the workloads that ship.
    pub workloads: PathBuf,
    /// Jobs of each thread that gets no requests, instead of what the file says.
    pub jobs: Option<u64>,
    /// By how much all times of the workload are longer than the file says.
    pub stretch: u64,
    /// Where the compact form goes that a kernel plays.
    pub form: Option<PathBuf>,
    /// The records of a kernel that has played it.
    pub played: Option<PathBuf>,
    /// Where JSON lines go; `-` is the standard output.
    pub json: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong, in a line.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            workload: None,
            runqs: owned(queue::NAMES),
            ipis: owned(&knocking::NAMES[..1]),
            cpus: 4,
            seed: 1,
            costs: "bench/baselines".into(),
            workloads: "bench/sim/workloads".into(),
            jobs: None,
            stretch: 1,
            form: None,
            played: None,
            json: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--runq" => options.runqs = owned(&value()?.split(',').collect::<Vec<_>>()),
                "--ipi" => options.ipis = owned(&value()?.split(',').collect::<Vec<_>>()),
                "--cpus" => options.cpus = cpus(&value()?)?,
                "--seed" => options.seed = number("--seed", &value()?, 0)?,
                "--jobs" => options.jobs = Some(number("--jobs", &value()?, 1)?),
                "--stretch" => options.stretch = number("--stretch", &value()?, 1)?,
                "--form" => options.form = Some(value()?.into()),
                "--played" => options.played = Some(value()?.into()),
                "--costs" => options.costs = value()?.into(),
                "--workloads" => options.workloads = value()?.into(),
                "--json" => options.json = Some(value()?.into()),
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
                _ if options.workload.is_some() => return Err("one workload at a time".into()),
                _ => options.workload = Some(argument.into()),
            }
        }
        Ok(options)
    }

    /// Each combination; doorbells change fastest.
    pub fn policies(&self) -> Vec<Policies<'_>> {
        let each = |runq| self.ipis.iter().map(move |ipi| Policies { runq, ipi });
        self.runqs.iter().flat_map(|runq| each(runq)).collect()
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn number(flag: &str, text: &str, least: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number >= least);
    number.ok_or(format!("{flag} {text}?"))
}

fn cpus(text: &str) -> Result<usize, String> {
    let most = percpu::MAX_CPUS;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or(format!("--cpus {text}: 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read() {
        let options = parse("web --runq list,fair --ipi eager,elide --cpus 16 --seed 3 --json -")
            .expect("right");
        let policies = options.policies();
        assert_eq!(
            policies[1..3],
            [("list", "elide"), ("fair", "eager")].map(|(runq, ipi)| Policies { runq, ipi })
        );
        assert_eq!((options.workload.as_deref(), policies.len()), (Some("web".as_ref()), 4));
        assert_eq!((options.cpus, options.seed, options.json), (16, 3, Some("-".into())));
        let options = parse("").expect("right");
        let all: Vec<_> = queue::NAMES.iter().map(|name| Policies::of(name)).collect();
        assert_eq!(options.policies(), all);
        assert_eq!(options.workload, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(parse("--cpus 0"), Err(format!("--cpus 0: 1 to {}", percpu::MAX_CPUS)));
        assert_eq!(
            parse("--cpus 100000"),
            Err(format!("--cpus 100000: 1 to {}", percpu::MAX_CPUS))
        );
        assert_eq!(parse("--seed x"), Err("--seed x?".into()));
        assert_eq!(parse("--json"), Err("--json needs a value".into()));
        assert_eq!(parse("--frob"), Err("unknown flag --frob".into()));
        assert_eq!(parse("web mixed"), Err("one workload at a time".into()));
    }
}
