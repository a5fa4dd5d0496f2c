//! Calls the echo server's port from many threads and compares what comes back, then asks the server to end.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::thread::{self, JoinHandle};
use program::{Handle, port, process};
use programs::{Dice, ensure, order, spawn, spread, steps};

program::main!(echo_client);

/// Threads of each CPU process.
const THREADS: usize = 2;

fn echo_client() -> i64 {
    let carriers = spread(process::argument(2));
    let port = open();
    let all = usize::from(carriers) * THREADS;
    let each = steps() / all as u64;
    let threads: [_; 128] = core::array::from_fn(|number| {
        (number < all)
            .then(|| spawn((number / THREADS) as u8, move || call(number as u64, each, port)))
    });
    threads.into_iter().flatten().for_each(JoinHandle::join);
    let ended = port::call(port, &[], &mut []);
    ensure!(ended == Ok(0), "the last call: {ended:?}");
    order::tell();
    0
}

/// The port, once its owner has made it.
fn open() -> Handle {
    let end = process::clock() + 5_000_000_000;
    loop {
        match port::open("echo") {
            Ok(port) => return port,
            Err(why) => ensure!(process::clock() < end, "open: {why:?}"),
        }
        thread::sleep(50_000);
    }
}

fn call(me: u64, each: u64, port: Handle) {
    let mut dice = Dice::new(me);
    let (mut request, mut reply) = ([0; 4096], [0; 4096]);
    for number in 0..each {
        let longest = if dice.below(8) == 0 { 4096 } else { 64 };
        let length = 1 + dice.below(longest) as usize;
        request[..length].fill_with(|| dice.roll() as u8);
        reply.fill(0);
        let called = port::call(port, &request[..length], &mut reply);
        order::note(me, number);
        ensure!(called == Ok(length), "call {number} of thread {me}, {length} bytes: {called:?}");
        ensure!(
            reply[..length] == request[..length],
            "call {number} of thread {me} came back changed"
        );
    }
}
