//! A server and its clients in two processes, over a named port.

use crate::program::{self, Program};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::format;
use kernel_core::cpu;
use kernel_core::process::How;
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "user/echo",
    doc: "A server in ring 3 answers the calls of another process over a named port, each with its own bytes.",
    kind: Stress,
    run: echo,
}

/// Calls of a full run.
const CALLS: u64 = 6_000;

fn echo(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let calls = run.steps(CALLS);
    let mut server = Program::new("echo_server", 0);
    server.arguments[1] = 2.min(program::carriers());
    let client = Program { cpu: CpuId::at(cpu::count() - 1), ..Program::new("echo_client", calls) };
    let (callers, servers) = program::all_comes_back(run, cx, |run, cx| {
        let (serving, calling) = (server.start(run)?, client.start(run));
        let called = calling.and_then(|calling| program::wait(run, cx, client.name, calling));
        let served = program::wait(run, cx, server.name, serving)?;
        let called = called?;
        ensure!(called.how == How::Exited(0), "the client ended: {:?}", called.how);
        ensure!(served.how == How::Exited(0), "the server ended: {:?}", served.how);
        Ok((called.carriers, served.carriers))
    })?;
    Ok(format!("{calls} calls from {callers} CPU processes to {servers}"))
}
