//! Requests for memory that are refused, one after the other.

use crate::held::Held;
use crate::program;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use alloc::string::String;
use kernel_core::memory::{self, Refusal};
use kernel_core::process::{self, How, StartError};
use kernel_core::{cpu, timer};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "user/scarce",
    doc: "Each request for memory that a process causes is refused, alone and with all that follow: the kernel goes on, and all comes back.",
    kind: Stress,
    run: scarce,
}

/// CPU processes of the program, several on a CPU where there are few.
const CARRIERS: u64 = 3;
/// Runs of a full check, of which each needs two for a request.
const RUNS: u64 = 4_000;

/// How a program got on.
enum End {
    /// It was not even started.
    Refused,
    /// It did without what was refused.
    Exited,
    /// It needed a page that was refused.
    Faulted,
}

fn scarce(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let seed = run.options.seed;
    let [mut refused, mut exited, mut faulted] = [0; 3];
    let requests = program::all_comes_back(run, cx, |run, cx| {
        // The first makes the tables that stay.
        attempt(run, cx, Refusal::Off)?;
        let (_, requests) = attempt(run, cx, Refusal::Count)?;
        let stride = (2 * requests).div_ceil(run.slow_steps(RUNS)).max(1);
        // Turns change how many there are.
        for number in (1 + seed % stride..requests + requests / 8).step_by(stride as usize) {
            for refusal in [Refusal::Nth(number), Refusal::From(number)] {
                let before = Held::now();
                match attempt(run, cx, refusal).map_err(|why| format!("{refusal:?}: {why}"))?.0 {
                    End::Refused => refused += 1,
                    End::Exited => exited += 1,
                    End::Faulted => faulted += 1,
                }
                let after = Held::soon(cx, &before);
                ensure!(
                    after == before,
                    "{refusal:?} of {requests}: in use were {before:?}, and are {after:?}"
                );
            }
        }
        match attempt(run, cx, Refusal::Off)?.0 {
            End::Exited => Ok(requests),
            _ => Err(String::from("with all its memory the program did not come to its end")),
        }
    })?;
    Ok(format!(
        "{requests} requests refused in turn: {refused} programs were not started, {exited} did without, {faulted} ended"
    ))
}

/// Runs the program once; how it ended, and how many requests for memory there were. Takes no memory itself.
fn attempt(run: &Run<'_>, cx: &mut MayBlock, refusal: Refusal) -> Result<(End, u64), String> {
    static TURN: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    let turn = TURN.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    memory::refuse(refusal);
    let started =
        process::start("scarce", CpuId::at(turn % cpu::count()), &[run.options.seed, 0, CARRIERS]);
    let ended = started.map(|launch| {
        let ended = launch.wait_until(cx, timer::now().saturating_add(program::limit(run)));
        (launch, ended)
    });
    let requests = memory::asked();
    memory::refuse(Refusal::Off);
    let end = match ended {
        Err(StartError::NoMemory) => End::Refused,
        Err(why) => return Err(format!("it was not started: {why:?}")),
        Ok((_, Some(ended))) if ended.how == How::Exited(0) => End::Exited,
        Ok((_, Some(ended))) if ended.how == How::Faulted => End::Faulted,
        Ok((_, Some(ended))) => return Err(format!("it ended: {:?}", ended.how)),
        Ok((launch, None)) => {
            launch.kill();
            launch.wait(cx);
            return Err(String::from("it was not over in time, and was killed"));
        }
    };
    Ok((end, requests))
}
