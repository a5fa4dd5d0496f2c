//! A call that blocks blocks its thread only: while it waits in the kernel, the others of its CPU process go on.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::thread::{self, JoinHandle};
use program::{Handle, io, port, process};
use programs::{ensure, order, spread, steps};

program::main!(blocking);

/// Threads that wait in a read at once.
const READERS: usize = 24;

// Each is counted with release and looked at with acquire: what was done before the count is seen with it.
static TURNS: AtomicU64 = AtomicU64::new(0);
static WAITING: AtomicU64 = AtomicU64::new(0);
static RETURNED: AtomicU64 = AtomicU64::new(0);

fn blocking() -> i64 {
    spread(process::argument(2));
    for round in 0..steps() {
        reads(round);
        calls(round);
    }
    order::tell();
    0
}

/// Many reads of empty pipes, answered in another order.
fn reads(round: u64) {
    RETURNED.store(0, Ordering::Release);
    WAITING.store(0, Ordering::Release);
    let pipes: [(Handle, Handle); READERS] = core::array::from_fn(|number| {
        let pipe = io::pipe();
        ensure!(pipe.is_ok(), "pipe {number}: {pipe:?}");
        pipe.unwrap_or((Handle(0), Handle(0)))
    });
    let readers = pipes.map(|(reader, _)| {
        let made = thread::spawn(move || {
            WAITING.fetch_add(1, Ordering::AcqRel);
            let mut byte = [0; 4];
            let read = io::read(reader, &mut byte);
            order::note(reader.0, round);
            RETURNED.fetch_add(1, Ordering::AcqRel);
            read.map(|count| (count, byte[0]))
        });
        ensure!(made.is_ok(), "no thread");
        made.ok()
    });
    others_go_on(READERS as u64);
    for (number, (_, writer)) in pipes.iter().enumerate().rev() {
        let written = io::write(*writer, &[number as u8 ^ round as u8]);
        ensure!(written == Ok(1), "write {number}: {written:?}");
    }
    for (number, reader) in readers.into_iter().enumerate() {
        let read = reader.map(JoinHandle::join);
        ensure!(read == Some(Ok((1, number as u8 ^ round as u8))), "read {number}: {read:?}");
    }
    pipes.iter().flat_map(|(reader, writer)| [reader, writer]).for_each(|handle| {
        let closed = io::close(*handle);
        ensure!(closed.is_ok(), "close: {closed:?}");
    });
}

/// A call of a port whose owner takes its time.
fn calls(round: u64) {
    RETURNED.store(0, Ordering::Release);
    WAITING.store(0, Ordering::Release);
    let server = port::create("blocking");
    ensure!(server.is_ok(), "port: {server:?}");
    let server = server.unwrap_or(Handle(0));
    let caller = thread::spawn(move || {
        WAITING.fetch_add(1, Ordering::AcqRel);
        let mut reply = [0; 8];
        let called = port::open("blocking")
            .and_then(|port| port::call(port, &round.to_le_bytes(), &mut reply));
        RETURNED.fetch_add(1, Ordering::AcqRel);
        called.map(|count| (count, u64::from_le_bytes(reply)))
    });
    others_go_on(1);
    let mut bytes = [0; 64];
    let request = port::receive(server, &mut bytes);
    ensure!(request.is_ok(), "receive: {request:?}");
    if let Ok(request) = request {
        ensure!(
            request.length() == 8 && bytes[..8] == round.to_le_bytes(),
            "a request came otherwise than it was sent"
        );
        let replied = request.reply(&(!round).to_le_bytes());
        ensure!(replied.is_ok(), "reply: {replied:?}");
    }
    let answer = caller.map(JoinHandle::join);
    ensure!(answer == Ok(Ok((8, !round))), "call: {answer:?}");
    let closed = io::close(server);
    ensure!(closed.is_ok(), "close: {closed:?}");
}

/// The threads that wait have not returned, and the one that does not has its turns.
fn others_go_on(waiting: u64) {
    // Before it is there: a tick may give it a turn at once.
    let before = TURNS.load(Ordering::Acquire);
    let other = thread::spawn(|| {
        for _ in 0..100 {
            TURNS.fetch_add(1, Ordering::AcqRel);
            thread::yield_now();
        }
    });
    while WAITING.load(Ordering::Acquire) < waiting {
        thread::yield_now();
    }
    ensure!(other.map(JoinHandle::join) == Ok(()), "no thread");
    let turns = TURNS.load(Ordering::Acquire) - before;
    ensure!(
        turns == 100 && RETURNED.load(Ordering::Acquire) == 0,
        "{turns} turns while others wait"
    );
}
