//! Uses each call that takes memory of the kernel, and goes on without what is refused: no refusal leaves a thread waiting.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::thread::{self, JoinHandle};
use program::{Failure, Handle, io, memory, port, process};

program::main!(scarce);

fn scarce() -> i64 {
    let carriers = process::argument(2);
    let forked: [_; 8] = core::array::from_fn(|number| {
        let wanted = (1..carriers).contains(&(number as u64));
        wanted.then(|| process::rfork(number as u64 % process::cpus()).ok()).flatten()
    });
    stream();
    question();
    mapping();
    forked.into_iter().flatten().for_each(elsewhere);
    program::println!("as far as memory went");
    let _ = process::record(&[0; 64]);
    // Some end with calls pending.
    if let Ok((reader, _)) = io::pipe() {
        for _ in 0..3 {
            drop(thread::spawn(move || io::read(reader, &mut [0; 16]).is_ok()));
            thread::yield_now();
        }
    }
    0
}

/// A thread reads what another writes, more than a pipe holds.
fn stream() {
    let Ok((reader, writer)) = io::pipe() else { return };
    let read = thread::spawn(move || {
        let mut bytes = [0; 3000];
        while io::read(reader, &mut bytes).is_ok_and(|count| count > 0) {}
        // Also when it was refused: then the writer is told.
        let _ = io::close(reader);
    });
    if read.is_ok() {
        let bytes = [7; 4096];
        for _ in 0..8 {
            if io::write(writer, &bytes).is_err() {
                break;
            }
        }
    }
    let _ = io::close(writer);
    match read {
        Ok(read) => read.join(),
        Err(_) => drop(io::close(reader)),
    }
}

/// A thread asks another by a port.
fn question() {
    let Ok(server) = port::create("scarce") else { return };
    let client = thread::spawn(move || {
        let asked = port::open("scarce").and_then(ask);
        // Who would have answered waits for a question that does not come.
        if asked.is_err() {
            let _ = io::close(server);
        }
    });
    let mut bytes = [0; 512];
    if client.is_ok()
        && let Ok(request) = port::receive(server, &mut bytes)
    {
        let length = request.length();
        let _ = request.reply(&bytes[..length]);
    }
    // A question that was not answered is from now on.
    let _ = io::close(server);
    client.into_iter().for_each(JoinHandle::join);
}

fn ask(port: Handle) -> Result<usize, Failure> {
    let answered = port::call(port, &[9; 300], &mut [0; 512]);
    let _ = io::close(port);
    answered
}

fn mapping() {
    const LENGTH: u64 = 16 * 4096;
    let Ok(address) = memory::map(LENGTH) else { return };
    for page in [0, 5, 15] {
        // SAFETY: fresh memory of this program.
        unsafe { ((address + page * 4096) as *mut u64).write_volatile(page) };
    }
    // SAFETY: nobody uses it any more.
    let _ = unsafe { memory::unmap(address, LENGTH) };
}

/// Has a thread run on a CPU process, which may not have begun yet.
fn elsewhere(index: u8) {
    for _ in 0..200 {
        if let Ok(made) = thread::builder().on(index).spawn(stream) {
            return made.join();
        }
        thread::sleep(10_000);
    }
}
