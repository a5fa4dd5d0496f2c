//! Stress tests that run in ring 3: starts a program of the image, waits for its end, and looks whether all came back.
//!
//! ```text
//!   warm up stacks ─▶ count ─▶ start ─▶ seeded turns ─▶ end, or killed when its time is over ─▶ count again: equal
//! ```
//! Law: a program that hangs is killed and its test fails; the kernel goes on with the next.

use crate::held::{self, Held};
use crate::parking::{self, Parking};
use crate::registry::{Run, ensure};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use kernel_core::faults::{self, Fault, Set};
use kernel_core::process::{self, Ended, How, Launch, StartError};
use kernel_core::{chaos, cpu, timer};
use lwkt_sched::MayBlock;
use percpu::CpuId;
use servers::options::Clock;

/// CPU processes that a program is given at most, unless its test says otherwise.
pub(crate) const CARRIERS: u64 = 4;

/// A program to run, and how it has to end.
pub(crate) struct Program {
    /// Its name in the image.
    pub name: &'static str,
    /// The CPU of its first CPU process.
    pub cpu: CpuId,
    /// What it is to do, after the seed.
    pub arguments: [u64; 3],
    /// Makes its seed differ from the run's.
    pub salt: u64,
}

impl Program {
    /// A program that takes so many steps, on as many CPUs as there are, up to [`CARRIERS`].
    pub fn new(name: &'static str, steps: u64) -> Self {
        Self { name, cpu: CpuId::at(0), arguments: [steps, carriers(), 0], salt: 0 }
    }

    /// Starts it, as often as a fault refuses it the memory.
    pub fn start(&self, run: &Run<'_>) -> Result<Launch, String> {
        let [steps, carriers, more] = self.arguments;
        let arguments = [chaos::mix(run.options.seed ^ self.salt), steps, carriers, more];
        loop {
            match process::start(self.name, self.cpu, &arguments) {
                Ok(launch) => return Ok(launch),
                Err(StartError::NoMemory) if faults::may_strike(Fault::NoMemory) => {}
                Err(why) => return Err(format!("{} was not started: {why:?}", self.name)),
            }
        }
    }
}

/// CPU processes for a program: one for each CPU, up to [`CARRIERS`].
pub(crate) fn carriers() -> u64 {
    CARRIERS.min(cpu::count() as u64)
}

/// Waits for a program's end; kills it when its time is over.
pub(crate) fn wait(
    run: &Run<'_>,
    cx: &mut MayBlock,
    name: &str,
    launch: Launch,
) -> Result<Ended, String> {
    wait_for(cx, name, launch, limit(run))
}

/// As [`wait`], with a time of its own, in nanoseconds.
pub(crate) fn wait_for(
    cx: &mut MayBlock,
    name: &str,
    launch: Launch,
    limit: u64,
) -> Result<Ended, String> {
    let deadline = timer::now().saturating_add(limit);
    let mut parking = Parking::of(Vec::new());
    let mut ended = None;
    while Parking::is_wanted() && ended.is_none() && timer::now() < deadline {
        ended = launch.wait_until(cx, deadline.min(timer::now() + parking::LOOK));
        parking.look();
    }
    match ended.or_else(|| launch.wait_until(cx, deadline)) {
        Some(ended) => Ok(ended),
        None => {
            launch.kill();
            let ended = launch.wait(cx);
            Err(format!(
                "{name} was not over after {} ms, and was killed ({} CPU processes)",
                limit / 1_000_000,
                ended.carriers
            ))
        }
    }
}

/// Nanoseconds that a program may take: in mode `insns` that many instructions. Elsewhere it is the host's time, and how
/// busy the host is only the runner knows, whose limit for a quiet kernel comes before this one on an idle host.
pub(crate) fn limit(run: &Run<'_>) -> u64 {
    if run.options.clock == Clock::Insns { 1_500_000_000 } else { 240_000_000_000 }
}

/// Runs one program, which has to exit with status 0, and checks that everything came back.
pub(crate) fn run(
    run: &mut Run<'_>,
    cx: &mut MayBlock,
    program: &Program,
) -> Result<Ended, String> {
    all_comes_back(run, cx, |run, cx| {
        let launch = program.start(run)?;
        let ended = wait(run, cx, program.name, launch)?;
        ensure!(ended.how == How::Exited(0), "{} ended: {:?}", program.name, ended.how);
        Ok(ended)
    })
}

/// Does something with programs, under seeded turns, and checks that all they held has come back.
pub(crate) fn all_comes_back<T>(
    run: &mut Run<'_>,
    cx: &mut MayBlock,
    work: impl FnOnce(&mut Run<'_>, &mut MayBlock) -> Result<T, String>,
) -> Result<T, String> {
    // A program that is refused memory may end as it likes, and these have to end well.
    under_faults(run, cx, Set::ALL.without(Fault::NoMemory), work)
}

/// The same, under faults of these sorts.
fn under_faults<T>(
    run: &mut Run<'_>,
    cx: &mut MayBlock,
    sorts: Set,
    work: impl FnOnce(&mut Run<'_>, &mut MayBlock) -> Result<T, String>,
) -> Result<T, String> {
    held::warm_up(cx, at_once());
    let before = Held::now();
    chaos::set_seed(run.turns());
    run.begin_faults(sorts);
    let done = work(run, cx);
    faults::end();
    chaos::set_seed(0);
    let done = done?;
    let after = Held::soon(cx, &before);
    after.count(run);
    after.is_as(&before)?;
    Ok(done)
}

/// How programs that may end in any way have ended.
#[derive(Default)]
pub(crate) struct Ends {
    /// By themselves.
    pub exited: u64,
    /// By a fault.
    pub faulted: u64,
    /// Killed when their time was over.
    pub killed: u64,
}

/// Runs so many hostile programs, each with a seed of its own and `time` nanoseconds; whatever becomes of them,
/// everything comes back.
pub(crate) fn hostile(
    run: &mut Run<'_>,
    cx: &mut MayBlock,
    (name, steps): (&'static str, u64),
    processes: u64,
    time: u64,
) -> Result<Ends, String> {
    under_faults(run, cx, Set::ALL, |run, cx| {
        let mut ends = Ends::default();
        for salt in 0..processes {
            let launch = Program { salt, ..Program::new(name, steps) }.start(run)?;
            match wait_for(cx, name, launch, time).map(|ended| ended.how) {
                Ok(How::Exited(_)) => ends.exited += 1,
                Ok(How::Faulted) => ends.faulted += 1,
                Err(_) => ends.killed += 1,
            }
        }
        Ok(ends)
    })
}

/// Threads that live on a CPU at once in the warm-up: more than CPU processes in any test do.
fn at_once() -> usize {
    (64 / cpu::count() + 4).max(20)
}

/// How many deeds the program `hostile_deeds` knows at most; it says when there are no more.
const DEEDS: u64 = 200;

/// Runs the program of deeds once for each; says how many ended it, and how many came back.
pub(crate) fn deeds(run: &mut Run<'_>, cx: &mut MayBlock) -> Result<(u64, u64), String> {
    let (mut fatal, mut harmless) = (0, 0);
    for deed in 0..DEEDS {
        let mut program = Program::new("hostile_deeds", deed);
        program.arguments[1] = 1 + deed % carriers();
        program.cpu = CpuId::at(deed as usize % cpu::count());
        let launch = program.start(run)?;
        match wait(run, cx, "hostile_deeds", launch)?.how {
            How::Exited(99) => break,
            How::Faulted => fatal += 1,
            How::Exited(0) => harmless += 1,
            other => return Err(format!("deed {deed}: {other:?}")),
        }
    }
    Ok((fatal, harmless))
}
