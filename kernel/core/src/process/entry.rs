//! The three entries from the layer, and a line for each message of the table: what is answered here, what by
//! [`calls`].
//!
//! Law: an entry comes with interrupts off. What is answered from registers and this CPU's own words stays so; everything
//! longer runs in [`slow`]. Nothing from ring 3 is believed.

use super::carrier::{Carrier, current};
use super::space::Use;
use super::{Attention, calls, trap};
use crate::cpu::{self, critical};
use crate::timeline::IS_TRACED;
use crate::timer;
use abi::{Failure, Head, Receive, answer as answers, request};
use arch::upcall::Answer;
use arch::user::{UserRange, copy_from_user};
use core::mem::offset_of;
use dispatch::{Later, Outcome, Reply};
use lwkt_sched::MayBlock;

/// The entry in progress: finds its CPU process when it is wanted, since the shortest messages never do.
struct Entry;

/// The CPU process that has entered.
fn carrier() -> &'static Carrier {
    critical(current).expect("only a CPU process enters from ring 3")
}

/// Runs the longer part of an entry with interrupts on, and looks at what came up meanwhile.
fn slow<R>(f: impl FnOnce(&'static Carrier) -> R) -> R {
    slow_and_wait(|_, carrier| f(carrier))
}

/// The same for what may wait.
fn slow_and_wait<R>(f: impl FnOnce(&mut MayBlock, &'static Carrier) -> R) -> R {
    // SAFETY: an entry holds nothing that a handler wants: it is outside critical sections.
    unsafe { arch::irq::enable() };
    // SAFETY: the thread's own context ended where it went to ring 3; this entry is the only one since.
    let mut cx = unsafe { MayBlock::assume() };
    let carrier = carrier();
    let result = f(&mut cx, carrier);
    if trap::before_ring3(&mut cx, carrier) & Attention::TICK != 0 {
        carrier.note(abi::PENDING_TICK);
    }
    result
}

/// Entry 0.
#[unsafe(no_mangle)]
extern "C" fn core_syscall_send(head: u64, cookie: u64, a: u64, b: u64, c: u64, d: u64) -> Answer {
    count_entry();
    entered(0);
    let Reply { status, value } = dispatch::send(Entry, Head(head), cookie, [a, b, c, d]);
    Answer { status, value }
}

/// Entry 1.
#[unsafe(no_mangle)]
extern "C" fn core_syscall_receive(
    port: u64,
    cookie: u64,
    buffer: u64,
    length: u64,
    _: u64,
    _: u64,
) -> Answer {
    count_entry();
    entered(1);
    let Reply { status, value } = dispatch::receive(Entry, port, cookie, buffer, length);
    Answer { status, value }
}

/// Entry 2.
#[unsafe(no_mangle)]
extern "C" fn core_syscall_wait(
    seen: u64,
    deadline: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
) -> Answer {
    count_entry();
    entered(2);
    let Reply { status, value } = dispatch::wait(Entry, seen, deadline);
    Answer { status, value }
}

#[inline(always)]
fn count_entry() {
    // SAFETY: the offset is that of the counter.
    unsafe { arch::cpu::count::<{ offset_of!(cpu::Cpu, counters.entries) }>() };
}

/// Tells a timeline that ring 3 calls, and what it did before.
#[inline(always)]
fn entered(call: u32) {
    if IS_TRACED {
        probe::entered(call);
        carrier().tell_users();
    }
}

impl dispatch::Kernel for Entry {
    fn snapshot(&mut self, address: u64, words: usize) -> Result<&[u64], Failure> {
        let range = calls::range(address, words * 8)?;
        let list = carrier().snapshot.get();
        // SAFETY: 1. the buffer is this CPU process's, which is in one entry at a time; 2. the last entry's borrow is over.
        let list = &mut unsafe { &mut *list }[..words];
        copy_words(list, range)?;
        Ok(list)
    }

    fn second(&mut self, value: u64) {
        arch::cpu::set_second_answer(value);
    }

    fn null(&mut self, _: request::Null) -> Result<answers::Null, Failure> {
        Ok(answers::Null {})
    }

    fn console_write(
        &mut self,
        r: request::ConsoleWrite,
    ) -> Result<answers::ConsoleWrite, Failure> {
        slow(|carrier| calls::report::console_write(carrier, r))
    }

    fn clock(&mut self, _: request::Clock) -> Result<answers::Clock, Failure> {
        Ok(answers::Clock { nanoseconds: timer::now() })
    }

    fn exit(&mut self, r: request::Exit) -> Result<answers::Exit, Failure> {
        slow(|carrier| calls::process::exit(carrier, r))
    }

    fn rfork(&mut self, r: request::Rfork) -> Result<answers::Rfork, Failure> {
        slow(|carrier| calls::process::rfork(carrier, r))
    }

    fn map(&mut self, r: request::Map) -> Result<answers::Map, Failure> {
        slow(|carrier| calls::memory::map(carrier, r))
    }

    fn unmap(&mut self, r: request::Unmap) -> Result<answers::Unmap, Failure> {
        slow(|carrier| calls::memory::unmap(carrier, r))
    }

    fn pipe(&mut self, _: request::Pipe) -> Result<answers::Pipe, Failure> {
        slow(calls::pipe::pipe)
    }

    fn read(&mut self, r: request::Read, later: Later) -> Result<Outcome<answers::Read>, Failure> {
        slow(|carrier| calls::pipe::read(carrier, r, later))
    }

    fn write(
        &mut self,
        r: request::Write,
        later: Later,
    ) -> Result<Outcome<answers::Write>, Failure> {
        slow(|carrier| calls::pipe::write(carrier, r, later))
    }

    fn close(&mut self, r: request::Close) -> Result<answers::Close, Failure> {
        slow(|carrier| calls::close(carrier, r))
    }

    fn port_create(&mut self, r: request::PortCreate) -> Result<answers::PortCreate, Failure> {
        slow(|carrier| calls::port::create(carrier, r))
    }

    fn port_open(&mut self, r: request::PortOpen) -> Result<answers::PortOpen, Failure> {
        slow(|carrier| calls::port::open(carrier, r))
    }

    fn port_call(
        &mut self,
        r: request::PortCall,
        later: Later,
    ) -> Result<Outcome<answers::PortCall>, Failure> {
        slow(|carrier| calls::port::call(carrier, r, later))
    }

    fn reply(&mut self, r: request::Reply) -> Result<answers::Reply, Failure> {
        slow(|carrier| calls::port::reply(carrier, r))
    }

    fn receive(&mut self, r: Receive, later: Later) -> Result<Outcome<[u64; 2]>, Failure> {
        slow(|carrier| calls::port::receive(carrier, r, later))
    }

    fn wait(&mut self, seen: u64, deadline: u64) -> Result<u64, Failure> {
        Ok(slow_and_wait(|cx, carrier| carrier.wait(cx, seen, deadline)))
    }

    fn set_tick(&mut self, r: request::SetTick) -> Result<answers::SetTick, Failure> {
        slow(|carrier| calls::process::set_tick(carrier, r))
    }

    fn wake(&mut self, r: request::Wake) -> Result<answers::Wake, Failure> {
        slow(|carrier| calls::process::wake(carrier, r))
    }

    fn record(&mut self, r: request::Record) -> Result<answers::Record, Failure> {
        slow(|carrier| calls::report::record(carrier, r))
    }

    fn info(&mut self, _: request::Info) -> Result<answers::Info, Failure> {
        Ok(answers::Info { cpus: cpu::count() as u64, index: carrier().index() })
    }

    fn abort(&mut self, r: request::Abort) -> Result<answers::Abort, Failure> {
        slow(|carrier| calls::process::abort(carrier, r))
    }

    fn stats(&mut self, r: request::Stats) -> Result<answers::Stats, Failure> {
        slow(|carrier| calls::report::stats(carrier, r))
    }
}

/// One copy of an element list.
fn copy_words(list: &mut [u64], from: UserRange) -> Result<(), Failure> {
    let bytes = list.len() * 8;
    let start = list.as_mut_ptr().cast::<u8>();
    // SAFETY: the same memory as bytes; every byte pattern is a word.
    let bytes = unsafe { core::slice::from_raw_parts_mut(start, bytes) };
    if copy_from_user(bytes, from).is_ok() {
        return Ok(());
    }
    slow(|carrier| carrier.with_pages(from, Use::Read, || copy_from_user(bytes, from)))
}
