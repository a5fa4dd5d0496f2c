//! What waiting at many ports costs.

use crate::environment::may_block;
use crate::steps::Ask;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bench_api::Bencher;
use kernel_core::exec::Threads;
use lwkt_port::{Port, PortSet, Server, ThreadPort};

static SET: PortSet<Threads> = PortSet::new();

fn set(b: &mut Bencher<'_>, members: usize) {
    let mut cx = may_block();
    let ports =
        Box::leak(Vec::from_iter((0..members).map(|_| ThreadPort::new())).into_boxed_slice());
    let memory: *mut [ThreadPort<Ask>] = ports;
    let ports: &'static [ThreadPort<Ask>] = ports;
    let mut servers: Vec<Server<Ask>> =
        ports.iter().map(|port| port.claim(&mut cx).expect("a port of its own")).collect();
    let mut watcher = SET.claim(&mut cx).expect("benchmarks use it one after the other");
    servers.iter().enumerate().for_each(|(key, server)| watcher.add(server, key));
    let (mut message, mut turn, mut right) = (Some(Ask::owned(0)), 0, 0);
    b.iter(|| {
        let sent = message.take().map(|message| ports[turn].send(message));
        let key = watcher.wait(&mut cx).unwrap_or(0);
        if let Some(request) = servers[key].get() {
            right += u64::from(key == turn);
            request.reply(1);
        }
        message = sent.and_then(|sent| sent.poll().ok()).map(|replied| replied.take().1);
        turn = if turn + 1 == members { 0 } else { turn + 1 };
    });
    b.check(right > 2, "the set knew which port had the message");
    drop((watcher, servers));
    message.into_iter().for_each(Ask::free);
    // SAFETY: leaked out of a box above; no handle to a port is left, and nothing is under way.
    drop(unsafe { Box::from_raw(memory) });
}

bench_api::bench! {
    name: "port/set",
    doc: "A message to one of 64 ports of a set, found by `wait`, received, replied to and taken back, by one thread.",
    lies: "Nobody waits or is woken: the set is asked when the message is there.",
    shape: "flat in members: port/set_2 is the same with two",
    run: |b| set(b, 64),
}

bench_api::bench! {
    name: "port/set_2",
    doc: "As port/set, with two ports.",
    lies: "As for port/set.",
    shape: "flat in members",
    run: |b| set(b, 2),
}
