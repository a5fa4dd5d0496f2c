//! Owns a named port and answers each request with its bytes, until an empty one comes.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicBool, Ordering};
use program::thread::JoinHandle;
use program::{Handle, io, port, process};
use programs::{ensure, spawn, spread};

program::main!(echo_server);

// Set with release before the port is closed, read with acquire by who finds it closed.
static DONE: AtomicBool = AtomicBool::new(false);

fn echo_server() -> i64 {
    let carriers = spread(process::argument(2));
    let port = port::create("echo");
    ensure!(port.is_ok(), "port: {port:?}");
    let port = port.unwrap_or(Handle(0));
    let threads: [_; 64] = core::array::from_fn(|index| {
        (index < carriers.into()).then(|| spawn(index as u8, move || serve(port)))
    });
    threads.into_iter().flatten().for_each(JoinHandle::join);
    0
}

fn serve(port: Handle) {
    let mut bytes = [0; 4096];
    loop {
        let request = match port::receive(port, &mut bytes) {
            Ok(request) => request,
            // The one that got the empty request has closed the port.
            Err(why) => {
                return ensure!(DONE.load(Ordering::Acquire), "receive from {port:?}: {why:?}");
            }
        };
        let length = request.length();
        let replied = request.reply(&bytes[..length]);
        ensure!(replied.is_ok(), "reply to {length} bytes: {replied:?}");
        if length == 0 {
            DONE.store(true, Ordering::Release);
            let closed = io::close(port);
            return ensure!(closed.is_ok(), "close: {closed:?}");
        }
    }
}
