//! Programs that take all memory, several at once.

use crate::ballast::Ballast;
use crate::program;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use kernel_core::chaos::mix;
use kernel_core::process::{self, How, StartError};
use kernel_core::{cpu, memory, thread, timer};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "user/hostile_memory",
    doc: "Programs take pages, objects and blocks until none is left, all at once, and go on asking: they are refused, or end; all comes back.",
    kind: Stress,
    run: hostile_memory,
}

/// Times of a full run that memory runs out.
const ROUNDS: u64 = 8;
/// Programs at once: each sort twice.
const PROGRAMS: usize = 6;
/// What each program tries.
const TRIES: u64 = 3_000;
/// What is left to them at first: page frames, and bytes of the general heap.
const FRAMES: u64 = 3_000;
const BYTES: usize = 4 << 20;
/// Nanoseconds until nothing is left to them.
const PLENTY: u64 = 4_000_000;

fn hostile_memory(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let rounds = run.slow_steps(ROUNDS);
    let [mut refusals, mut exited, mut faulted] = [0; 3];
    let before = memory::dry_spells();
    program::all_comes_back(run, cx, |run, cx| {
        let _most = Ballast::but(FRAMES, BYTES);
        for round in 0..rounds {
            for end in one_round(run, cx, round) {
                match end {
                    Ok(Some(How::Exited(status))) => {
                        exited += 1;
                        refusals += i64::from(status);
                    }
                    Ok(Some(How::Faulted)) => faulted += 1,
                    Ok(None) => return Err(format!("a program of round {round} had to be killed")),
                    Err(StartError::NoMemory) => refusals += 1,
                    Err(why) => return Err(format!("a program was not started: {why:?}")),
                }
            }
        }
        Ok(())
    })?;
    let dry = memory::dry_spells();
    let [frames, objects, blocks] =
        [dry.frames - before.frames, dry.objects - before.objects, dry.blocks - before.blocks];
    run.count("no_frame", frames);
    run.count("no_object", objects);
    run.count("no_block", blocks);
    ensure!(
        frames > 0 && objects > 0 && blocks > 0 && refusals > 0 && faulted > 0,
        "memory did not run out: {frames} times no page, {objects} no object, {blocks} no block; {refusals} refusals, {faulted} programs ended"
    );
    Ok(format!(
        "no page {frames} times, no object {objects}, no block {blocks}: {exited} programs were refused {refusals} requests, {faulted} ended"
    ))
}

/// Has the programs run, and takes what is left away from them; how each ended, if it did.
fn one_round(
    run: &Run<'_>,
    cx: &mut MayBlock,
    round: u64,
) -> [Result<Option<How>, StartError>; PROGRAMS] {
    let programs: [_; PROGRAMS] = core::array::from_fn(|number| {
        let seed = mix(run.options.seed ^ round << 32 ^ number as u64);
        let cpu = CpuId::at(number % cpu::count());
        process::start("hostile_memory", cpu, &[seed, TRIES, 1, number as u64])
    });
    thread::sleep(cx, PLENTY);
    let rest = Ballast::all();
    let deadline = timer::now().saturating_add(program::limit(run));
    let ends = programs.map(|started| {
        started.map(|launch| {
            let end = launch.wait_until(cx, deadline);
            if end.is_none() {
                launch.kill();
                launch.wait(cx);
            }
            end.map(|end| end.how)
        })
    });
    drop(rest);
    ends
}
