//! Messages that are wrong in every known way: each is refused with the error that says how.
#![cfg_attr(target_os = "none", no_std, no_main)]

use abi::{Entry, Head, Raw, Receive};
use bench_api::wire::{MAX_BYTES, Named, Record};
use program::{Error, Failure, Handle, Layer, call, io, memory, process, request};
use programs::{ensure, spread};
use uarch::hostile::address;

program::main!(hostile_messages);

const REGISTERS: u16 = abi::FLAG_REGISTERS;
const NO_WAIT: u16 = abi::FLAG_NO_WAIT;

fn hostile_messages() -> i64 {
    spread(process::argument(2));
    let page = memory::map(2 * 4096).unwrap_or(0);
    ensure!(page != 0, "no memory");
    heads();
    lists(page);
    pointers(page);
    handles();
    mappings(page);
    others();
    0
}

fn send(number: u16, flags: u16, length: u32, registers: [u64; 4]) -> Raw {
    Layer.send(Head::new(number, flags, length), 0, registers)
}

#[track_caller]
fn refused(what: &str, raw: Raw, error: Error) {
    ensure!(
        raw.status == -(error as i64),
        "{what}: status {}, not -{} ({})",
        raw.status,
        error as u32,
        error.name()
    );
}

fn heads() {
    let last = abi::MESSAGES.iter().map(|message| message.number).max().unwrap_or(0);
    for number in [last + 1, last + 2, 255, 0x7fff, 0xffff] {
        refused(
            "a number that no message has",
            send(number, REGISTERS, 0, [0; 4]),
            Error::BadNumber,
        );
        refused(
            "a number that no message has, with a list",
            send(number, 0, 0, [0; 4]),
            Error::BadNumber,
        );
    }
    for flag in 2..16 {
        refused("an unknown flag", send(0, REGISTERS | 1 << flag, 0, [0; 4]), Error::BadFlags);
    }
    refused("a list's length and registers", send(0, REGISTERS, 8, [0; 4]), Error::BadLength);
    refused("registers for a list's message", send(11, REGISTERS, 0, [0; 4]), Error::BadFlags);
    for length in [1, 7, 12, 513, 520, 4096, u32::MAX, 1 << 31] {
        refused("a bad length", send(1, 0, length, [address::UNMAPPED, 0, 0, 0]), Error::BadLength);
    }
}

fn lists(page: u64) {
    let list = |words: &[u64]| send(2, 0, 8 * words.len() as u32, [words.as_ptr() as u64, 0, 0, 0]);
    let exit = |words: &[u64]| send(4, 0, 8 * words.len() as u32, [words.as_ptr() as u64, 0, 0, 0]);
    refused("a count of 33", list(&[33, 0]), Error::BadLength);
    refused("a count without elements", list(&[2]), Error::BadLength);
    refused("padding in the head", list(&[1 << 16]), Error::BadPadding);
    refused("an element beyond the end", exit(&[1 | 1 << 32 | 64 << 48]), Error::BadLength);
    refused("words left over", exit(&[1 | 1 << 32 | 8 << 48, 0, 0]), Error::BadLength);
    refused("an element too short", exit(&[1 | 0x8001 << 32 | 4 << 48, 0]), Error::BadElement);
    refused("no element at all", exit(&[]), Error::MissingElement);
    refused(
        "an element twice",
        exit(&[2 | 1 << 32 | 8 << 48, 1 | 8 << 16, 7, 7]),
        Error::DuplicateElement,
    );
    refused(
        "an unknown element that must be understood",
        exit(&[2 | 1 << 32 | 8 << 48, 0x8005 | 8 << 16, 7, 7]),
        Error::UnknownElement,
    );
    let edges = [u64::MAX - 7, 0, 1, page + 2 * 4096 - 8];
    for at in address::ALL.into_iter().chain(edges) {
        refused("a list where none can be", send(4, 0, 16, [at, 0, 0, 0]), Error::Fault);
    }
}

fn pointers(page: u64) {
    let pipe = io::pipe();
    let Ok((reader, writer)) = pipe else { return ensure!(false, "{pipe:?}") };
    let filled = io::write(writer, &[1; 64]);
    ensure!(filled == Ok(64), "write: {filled:?}");
    let straddling = [address::HOLE - 8, u64::MAX - 8, page + 2 * 4096 - 8];
    for at in address::ALL.into_iter().chain(straddling).chain([0]) {
        refused("text to write", send(1, REGISTERS, 0, [at, 16, 0, 0]), Error::Fault);
        refused("bytes for a pipe", send(9, REGISTERS, 0, [writer.0, at, 16, 0]), Error::Fault);
        refused("a record", send(17, REGISTERS, 0, [at, 16, 0, 0]), Error::Fault);
        refused("figures", send(20, REGISTERS, 0, [at, 4096, u64::MAX, 0]), Error::Fault);
        refused(
            "room for bytes",
            send(8, REGISTERS | NO_WAIT, 0, [reader.0, at, 16, 0]),
            Error::Fault,
        );
    }
    // What was read to nowhere is lost; so fill it again, and read to pages that may not be written.
    for at in [abi::map::LAYER, abi::map::completions(0), abi::map::PROGRAM] {
        let _ = io::write(writer, &[1; 16]);
        refused(
            "room for bytes in sealed pages",
            send(8, REGISTERS | NO_WAIT, 0, [reader.0, at, 16, 0]),
            Error::Fault,
        );
    }
    [reader, writer].into_iter().for_each(|handle| ensure!(io::close(handle) == Ok(()), "close"));
}

fn handles() {
    let pipe = io::pipe();
    let Ok((reader, writer)) = pipe else { return ensure!(false, "{pipe:?}") };
    let mut room = [0; 8];
    let at = room.as_mut_ptr() as u64;
    for handle in [0, 7, 1000, u64::MAX, 1 << 63, writer.0, reader.0 ^ 1 << 32, reader.0 | 1 << 48]
    {
        refused(
            "a read of a wrong handle",
            send(8, REGISTERS | NO_WAIT, 0, [handle, at, 8, 0]),
            Error::BadHandle,
        );
    }
    refused(
        "a write to the reading end",
        send(9, REGISTERS | NO_WAIT, 0, [reader.0, at, 8, 0]),
        Error::BadHandle,
    );
    refused("a reply to a pipe", send(14, REGISTERS, 0, [reader.0, at, 8, 0]), Error::BadHandle);
    refused("a reply to nothing", send(14, REGISTERS, 0, [u64::MAX, at, 8, 0]), Error::BadHandle);
    let raw =
        Layer.receive(0, Receive { port: reader, into: abi::Output { address: at, length: 8 } });
    refused("a receive from a pipe", raw, Error::BadHandle);
    ensure!(io::close(reader) == Ok(()) && io::close(writer) == Ok(()), "close");
    ensure!(io::close(reader).is_err(), "a handle was closed twice");
    refused(
        "a read of a closed handle",
        send(8, REGISTERS | NO_WAIT, 0, [reader.0, at, 8, 0]),
        Error::BadHandle,
    );
    // As many as a process can have, and not one more; all come back.
    let mut made = [(Handle(0), Handle(0)); 128];
    let count =
        made.iter_mut().map_while(|place| io::pipe().ok().map(|pipe| *place = pipe)).count();
    ensure!((8..=64).contains(&count), "{count} pipes in one process");
    made[..count]
        .iter()
        .for_each(|(r, w)| ensure!(io::close(*r).and(io::close(*w)) == Ok(()), "close"));
}

fn mappings(page: u64) {
    for length in [0, u64::MAX, u64::MAX - 4096, 1 << 63, 1 << 48] {
        let mapped = memory::map(length);
        ensure!(mapped.is_err(), "{length:#x} bytes were mapped: {mapped:x?}");
    }
    for flags in [2, 1, 1 << 8, 1 | 1 << 8 | 1 << 32, 1 | 2 << 8 | 3 << 32, u64::MAX] {
        refused("flags of a map", send(5, REGISTERS, 0, [4096, flags, 0, 0]), Error::BadElement);
    }
    let sealed = [
        abi::map::LAYER,
        abi::map::SHARED,
        abi::map::completions(0),
        abi::map::carrier(0),
        abi::map::PROGRAM,
    ];
    let nowhere = [
        0,
        address::KERNEL,
        address::HOLE,
        address::LAST,
        address::UNMAPPED,
        !4095,
        page + 1,
        page + 4096,
    ];
    for at in sealed.into_iter().chain(nowhere) {
        for length in [4096, 0x1_0000, u64::MAX, 0] {
            let raw = send(6, REGISTERS, 0, [at, length, 0, 0]);
            ensure!(raw.status < 0, "{length:#x} bytes at {at:#x} were unmapped");
        }
    }
    // Room for a whole terabyte, touched at its ends, and given back.
    let mapped = memory::map(1 << 40);
    let Ok(huge) = mapped else { return ensure!(false, "a terabyte: {mapped:?}") };
    for at in [huge, huge + (1 << 39), huge + (1 << 40) - 8] {
        // SAFETY: fresh memory of this program.
        unsafe { (at as *mut u64).write_volatile(at) };
    }
    // SAFETY: nobody uses it.
    let unmapped = unsafe { memory::unmap(huge, 1 << 40) };
    ensure!(unmapped == Ok(()), "a terabyte back: {unmapped:?}");
    refused("text in what was unmapped", send(1, REGISTERS, 0, [huge, 8, 0, 0]), Error::Fault);
    // As many mappings as there can be.
    let mut made = [0; 4096];
    let count =
        made.iter_mut().map_while(|place| memory::map(4096).ok().map(|at| *place = at)).count();
    made[..count].iter().for_each(|at| {
        // SAFETY: nobody uses it.
        ensure!(unsafe { memory::unmap(*at, 4096) } == Ok(()), "unmap");
    });
}

fn others() {
    for index in [64, 1 << 32, u64::MAX] {
        refused("a wake of nobody", send(16, REGISTERS, 0, [index, 0, 0, 0]), Error::BadElement);
    }
    refused("an abort of nothing", send(19, REGISTERS, 0, [0x1234, 0, 0, 0]), Error::NotFound);
    refused(
        "figures for too small a buffer",
        send(20, REGISTERS, 0, [page_of_stack(), 8, u64::MAX, 0]),
        Error::TooSmall,
    );
    let sent = call::send(&request::Null {});
    ensure!(sent.is_ok(), "null: {sent:?}");
    let set = process::set_tick(1);
    ensure!(set.is_ok(), "the shortest tick: {set:?}");
    (0..1000).for_each(|_| program::thread::yield_now());
    // Ticks that never come.
    for interval in [1 << 60, u64::MAX - 1, u64::MAX] {
        let set = process::set_tick(interval);
        ensure!(set.is_ok(), "a tick in {interval} ns: {set:?}");
        (0..100).for_each(|_| program::thread::yield_now());
    }
    foreign_records();
    for handle in [0, 5, u64::MAX] {
        ensure!(io::close(Handle(handle)).is_err(), "handle {handle} was closed");
    }
}

fn page_of_stack() -> u64 {
    let here = 0_u64;
    core::hint::black_box(&raw const here) as u64
}

/// What only the kernel says: of itself, of its tests, of others.
fn foreign_records() {
    let name = "kernel/storm";
    let counts = Named::Plain(&[]);
    let foreign = [
        Record::Log { source: "kernel", text: "all is well" },
        Record::TestEnd { name, ok: true, message: "" },
        Record::StressEnd { name, seed: 1, ok: true, trace: 0, counts, message: "" },
        Record::RunEnd { ok: true, lost: 0 },
        Record::Thread { name, cpu: 0, state: "running" },
    ];
    for record in foreign {
        let mut buffer = [0; MAX_BYTES];
        let sent = record.encode(&mut buffer).map(process::record);
        let refused = matches!(sent, Ok(Err(Failure { error: Error::BadElement, .. })));
        ensure!(refused, "a record that is the kernel's: {sent:?}");
    }
}
