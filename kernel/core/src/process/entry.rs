//! The three entries from the layer, and a handler for each message of the table.
//!
//! Law: an entry comes with interrupts off. What is answered from registers and this CPU's own words stays so; everything
//! longer runs in [`slow`]. Nothing from ring 3 is believed: addresses are ranges before they are copied, handles are
//! looked up, indices compared.

use super::carrier::Detail;
use super::object::{self, Keep, ObjectError};
use super::space::{SpaceError, Use};
use super::{Attention, Carrier, answer, end, start, trap};
use crate::cpu::{self, critical};
use crate::{console, fallible, ipi, memory, thread, timer};
use ::memory::Backing;
use abi::answer as answers;
use abi::{Error, Failure, Handle, Head, Input, Output, Receive, request};
use alloc::vec::Vec;
use arch::layout::PAGE;
use arch::upcall::Answer;
use arch::user::{UserRange, copy_from_user, copy_to_user};
use core::mem::offset_of;
use dispatch::{Later, Outcome, Reply};
use lwkt_sched::MayBlock;
use percpu::{CpuId, CpuSet};
use servers::handles::{Kind, Object};
use servers::{MESSAGE_MAX, Outcome as Served};

/// The entry in progress: finds its CPU process when it is wanted, since the shortest messages never do.
struct Entry;

/// The CPU process that has entered.
fn carrier() -> &'static Carrier {
    critical(super::carrier::current).expect("only a CPU process enters from ring 3")
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
        trap::note(carrier, abi::PENDING_TICK);
    }
    result
}

/// Entry 0.
#[unsafe(no_mangle)]
extern "C" fn core_syscall_send(head: u64, cookie: u64, a: u64, b: u64, c: u64, d: u64) -> Answer {
    count_entry();
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
    let Reply { status, value } = dispatch::wait(Entry, seen, deadline);
    Answer { status, value }
}

#[inline(always)]
fn count_entry() {
    // SAFETY: the offset is that of the counter.
    unsafe { arch::cpu::count::<{ offset_of!(cpu::Cpu, counters.entries) }>() };
}

impl dispatch::Kernel for Entry {
    fn snapshot(&mut self, address: u64, words: usize) -> Result<&[u64], Failure> {
        let range = range(address, words * 8)?;
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
        slow(|carrier| {
            let bytes = copied_in(carrier, r.text)?;
            console::write_program(carrier.process.name(), &bytes);
            Ok(answers::ConsoleWrite { count: bytes.len() as u64 })
        })
    }

    fn clock(&mut self, _: request::Clock) -> Result<answers::Clock, Failure> {
        Ok(answers::Clock { nanoseconds: timer::now() })
    }

    fn exit(&mut self, r: request::Exit) -> Result<answers::Exit, Failure> {
        slow(|carrier| {
            end::begin(&carrier.process, super::How::Exited(r.status as i32));
            Ok(answers::Exit {})
        })
    }

    fn rfork(&mut self, r: request::Rfork) -> Result<answers::Rfork, Failure> {
        slow(|carrier| {
            let cpu = usize::try_from(r.cpu)
                .ok()
                .and_then(CpuId::new)
                .ok_or(Failure::element(Error::BadElement, 1))?;
            match start::fork(&carrier.process, cpu) {
                Ok(index) => Ok(answers::Rfork { index }),
                Err(start::StartError::NoCpu) => Err(Failure::element(Error::BadElement, 1)),
                Err(start::StartError::Full) => Err(Failure::new(Error::Full)),
                Err(_) => Err(Failure::new(Error::NoMemory)),
            }
        })
    }

    fn map(&mut self, r: request::Map) -> Result<answers::Map, Failure> {
        slow(|carrier| {
            let backing = backing(r.flags).ok_or(Failure::element(Error::BadElement, 2))?;
            let placed = carrier.process.with_space(|_, space| space.place(r.length, backing));
            match placed {
                Some(Ok(address)) => Ok(answers::Map { address }),
                Some(Err(SpaceError::BadRange)) => Err(Failure::element(Error::BadElement, 1)),
                _ => Err(Failure::new(Error::NoMemory)),
            }
        })
    }

    fn unmap(&mut self, r: request::Unmap) -> Result<answers::Unmap, Failure> {
        slow(|carrier| {
            let end =
                r.address.checked_add(r.length).ok_or(Failure::element(Error::BadElement, 2))?;
            let range = r.address
                ..end
                    .checked_next_multiple_of(PAGE as u64)
                    .ok_or(Failure::element(Error::BadElement, 2))?;
            let unmapped = carrier.process.with_space(|_, space| space.unmap(range));
            match unmapped {
                Some(Ok(frames)) => {
                    shoot_down(&carrier.process.cpus());
                    critical(|crit| frames.into_iter().for_each(|frame| memory::put(crit, frame)));
                    Ok(answers::Unmap {})
                }
                Some(Err(SpaceError::NoMemory)) => Err(Failure::new(Error::NoMemory)),
                _ => Err(Failure::element(Error::BadElement, 1)),
            }
        })
    }

    fn pipe(&mut self, _: request::Pipe) -> Result<answers::Pipe, Failure> {
        slow(|carrier| {
            let (reader, writer) = critical(object::make_pipe).map_err(failure)?;
            let handles = &carrier.process.handles;
            let pair = handles.install(reader).and_then(|r| match handles.install(writer) {
                Some(w) => Some((r, w)),
                None => handles.close(r).and(None),
            });
            let Some((r, w)) = pair else {
                [reader, writer].into_iter().for_each(object::close);
                return Err(Failure::new(Error::Full));
            };
            Ok(answers::Pipe { reader: Handle(r), writer: Handle(w) })
        })
    }

    fn read(&mut self, r: request::Read, later: Later) -> Result<Outcome<answers::Read>, Failure> {
        slow(|carrier| {
            let object = lookup(carrier, r.from, Kind::PipeRead)?;
            let max = length(r.into.length);
            range(r.into.address, max)?;
            let detail = Detail { object, into: r.into, port: 0 };
            let outcome =
                blocking(carrier, later, detail, |who, keep| object::read(object, who, max, keep))?;
            Ok(with_count(outcome, |count| answers::Read { count }))
        })
    }

    fn write(
        &mut self,
        r: request::Write,
        later: Later,
    ) -> Result<Outcome<answers::Write>, Failure> {
        slow(|carrier| {
            let object = lookup(carrier, r.to, Kind::PipeWrite)?;
            let bytes = copied_in(carrier, r.from)?;
            let detail = Detail { object, into: NOTHING, port: 0 };
            let outcome = blocking(carrier, later, detail, |who, keep| {
                object::write(object, who, &bytes, keep)
            })?;
            Ok(with_count(outcome, |count| answers::Write { count }))
        })
    }

    fn close(&mut self, r: request::Close) -> Result<answers::Close, Failure> {
        slow(|carrier| {
            let object = carrier
                .process
                .handles
                .close(r.handle.0)
                .ok_or(Failure::element(Error::BadHandle, 1))?;
            object::close(object);
            Ok(answers::Close {})
        })
    }

    fn port_create(&mut self, r: request::PortCreate) -> Result<answers::PortCreate, Failure> {
        slow(|carrier| {
            let object = object::make_port(Plain::of(&r.name).bytes()).map_err(failure)?;
            Ok(answers::PortCreate { port: install(carrier, object)? })
        })
    }

    fn port_open(&mut self, r: request::PortOpen) -> Result<answers::PortOpen, Failure> {
        slow(|carrier| {
            let object = object::find_port(Plain::of(&r.name).bytes()).map_err(failure)?;
            Ok(answers::PortOpen { port: install(carrier, object)? })
        })
    }

    fn port_call(
        &mut self,
        r: request::PortCall,
        later: Later,
    ) -> Result<Outcome<answers::PortCall>, Failure> {
        slow(|carrier| {
            let object = lookup(carrier, r.port, Kind::PortClient)?;
            let bytes = copied_in(carrier, r.request)?;
            range(r.reply.address, length(r.reply.length))?;
            let detail = Detail { object, into: r.reply, port: 0 };
            let outcome = blocking(carrier, later, detail, |who, keep| {
                object::call_port(object, who, &bytes, keep)
            })?;
            Ok(with_count(outcome, |count| answers::PortCall { count }))
        })
    }

    fn reply(&mut self, r: request::Reply) -> Result<answers::Reply, Failure> {
        slow(|carrier| {
            let object = lookup(carrier, Handle(r.request.0 >> 56), Kind::PortServer)?;
            let bytes = copied_in(carrier, r.reply)?;
            let number = r.request.0 & ((1 << 56) - 1);
            object::reply(object, number, &bytes)
                .map_err(|_| Failure::element(Error::BadHandle, 1))?;
            Ok(answers::Reply {})
        })
    }

    fn receive(&mut self, r: Receive, later: Later) -> Result<Outcome<[u64; 2]>, Failure> {
        slow(|carrier| {
            let object = lookup(carrier, r.port, Kind::PortServer)?;
            range(r.into.address, length(r.into.length))?;
            let detail = Detail { object, into: r.into, port: r.port.0 };
            blocking(carrier, later, detail, |who, keep| object::receive(object, who, keep))
        })
    }

    fn wait(&mut self, seen: u64, deadline: u64) -> Result<u64, Failure> {
        Ok(slow_and_wait(|cx, carrier| carrier.wait(cx, seen, deadline)))
    }

    fn set_tick(&mut self, r: request::SetTick) -> Result<answers::SetTick, Failure> {
        slow(|carrier| {
            critical(|crit| {
                carrier.own.with(crit, |own| {
                    own.interval = if r.interval == 0 { 0 } else { r.interval.max(LEAST_TICK) }
                });
                super::carrier::start_tick(crit, carrier);
            });
            Ok(answers::SetTick {})
        })
    }

    fn wake(&mut self, r: request::Wake) -> Result<answers::Wake, Failure> {
        slow(|carrier| {
            let other =
                carrier.process.carrier(r.index).ok_or(Failure::element(Error::BadElement, 1))?;
            other.wake();
            Ok(answers::Wake {})
        })
    }

    fn record(&mut self, r: request::Record) -> Result<answers::Record, Failure> {
        slow(|carrier| {
            if r.bytes.length > trace::RECORD_BYTES as u64 {
                return Err(Failure::element(Error::BadElement, 1));
            }
            let bytes = copied_in(carrier, r.bytes)?;
            crate::records::from_program(&bytes)
                .map_err(|_| Failure::element(Error::BadElement, 1))?;
            Ok(answers::Record {})
        })
    }

    fn info(&mut self, _: request::Info) -> Result<answers::Info, Failure> {
        Ok(answers::Info { cpus: cpu::count() as u64, index: carrier().index() })
    }

    fn abort(&mut self, r: request::Abort) -> Result<answers::Abort, Failure> {
        slow(|carrier| {
            let (id, detail, who) = critical(|crit| {
                carrier.own.with(crit, |own| {
                    let (id, detail) = own.pending.abort(r.cookie)?;
                    Ok::<_, Failure>((
                        id,
                        detail,
                        object::Who { cpu: carrier.cpu(), carrier: own.number, call: id },
                    ))
                })
            })?;
            if object::cancel(detail.object, who) {
                critical(|crit| carrier.publish(crit, id, Err(Failure::new(Error::Cancelled))));
            }
            Ok(answers::Abort {})
        })
    }

    fn stats(&mut self, r: request::Stats) -> Result<answers::Stats, Failure> {
        slow(|carrier| {
            let list = statistics(carrier);
            let mut words = [0; answers::StatsList::MAX_WORDS];
            let used =
                list.encode(r.wanted, &mut words).map_err(|_| Failure::new(Error::BadElement))?;
            let mut bytes = [0; answers::StatsList::MAX_WORDS * 8];
            bytes
                .chunks_exact_mut(8)
                .zip(&words[..used])
                .for_each(|(b, w)| b.copy_from_slice(&w.to_le_bytes()));
            let needed = used * 8;
            if (r.into.length as usize) < needed {
                return Err(Failure { error: Error::TooSmall, detail: needed as u64 });
            }
            let range = range(r.into.address, needed)?;
            carrier.with_pages(range, Use::Write, || copy_to_user(range, &bytes[..needed]))?;
            Ok(answers::Stats { needed: needed as u64 })
        })
    }
}

/// The shortest tick: what the kernel itself needs between two, several times over.
const LEAST_TICK: u64 = 20_000;
/// No buffer.
const NOTHING: Output = Output { address: 0, length: 0 };
/// Flag of a map message: thread stacks. Bits 8 to 31 stride, 32 to 55 size, in pages.
const STACKS: u64 = 1;

/// What a map message asks for.
fn backing(flags: u64) -> Option<Backing> {
    match flags & 0xff {
        0 if flags == 0 => Some(Backing::Anonymous),
        STACKS if flags >> 56 == 0 => {
            let (stride, size) =
                ((flags >> 8 & 0xff_ffff) * PAGE as u64, (flags >> 32 & 0xff_ffff) * PAGE as u64);
            (size > 0 && size < stride).then_some(Backing::Stacks { stride, size })
        }
        _ => None,
    }
}

/// Sends a call to an object: answered at once, or kept with its slot.
fn blocking(
    carrier: &Carrier,
    later: Later,
    detail: Detail,
    ask: impl FnOnce(object::Who, Keep) -> Result<Served, ObjectError>,
) -> Result<Outcome<[u64; 2]>, Failure> {
    if !later.may_wait() {
        return match ask(carrier.nobody(), Keep::NoWait).map_err(failure)? {
            Served::Now(reply) => {
                answer::take(carrier, detail.into, detail.port, reply).map(Outcome::Now)
            }
            Served::Later => Err(Failure::new(Error::WouldBlock)),
        };
    }
    let (opened, who) = carrier.open(later, detail)?;
    match ask(who, Keep::Wait) {
        Ok(Served::Later) => Ok(Outcome::Later(opened)),
        Ok(Served::Now(reply)) => {
            carrier.withdraw(opened);
            answer::take(carrier, detail.into, detail.port, reply).map(Outcome::Now)
        }
        Err(error) => {
            carrier.withdraw(opened);
            Err(failure(error))
        }
    }
}

/// An outcome whose first value is a count.
fn with_count<A>(outcome: Outcome<[u64; 2]>, answer: impl FnOnce(u64) -> A) -> Outcome<A> {
    match outcome {
        Outcome::Now([count, _]) => Outcome::Now(answer(count)),
        Outcome::Later(opened) => Outcome::Later(opened),
    }
}

/// A short run of bytes out of an element.
struct Plain {
    bytes: [u8; abi::MAX_BYTES],
    used: usize,
}

impl Plain {
    fn of(element: &abi::Bytes) -> Self {
        let mut bytes = [0; abi::MAX_BYTES];
        let used = element.copy_to(&mut bytes);
        Self { bytes, used }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

/// Has every CPU of a set forget the user half of its translations; returns when all have.
fn shoot_down(cpus: &CpuSet) {
    ipi::sync(cpus, |_, _| arch::paging::flush_user(), 0);
}

fn statistics(carrier: &Carrier) -> answers::StatsList {
    let sum = |f: fn(&cpu::Cpu) -> u64| cpu::all().map(f).sum();
    let message = |f: fn(&ipiq::Counters) -> u64| {
        cpu::all().map(|cpu| f(ipi::fabric().counters(cpu.id()))).sum()
    };
    let mut pending = 0;
    carrier.process.each_carrier(|c| {
        pending += ipi::call(c.cpu(), |crit| c.own.with(crit, |own| own.pending.len() as u64));
    });
    answers::StatsList {
        rings_full: message(|c| c.full.get()),
        unasked_interrupts: sum(|cpu| cpu.counters.unexpected.get()),
        mappings: carrier.process.with_space(|_, space| space.mappings() as u64).unwrap_or(0),
        cpu_processes: carrier.process.carriers() as u64,
        kernel_bytes: memory::heap_in_use(),
        kernel_stacks: thread::stacks_in_use() as u64,
        free_frames: memory::free(),
        process_frames: carrier.process.with_space(|_, space| space.frames()).unwrap_or(0),
        pending_calls: pending,
        kernel_entries: sum(|cpu| cpu.counters.entries.get()),
        switches: thread::switches(),
        ipis_sent: message(|c| c.rung.get()),
        ipis_avoided: message(|c| c.avoided.get()),
    }
}

fn failure(error: ObjectError) -> Failure {
    Failure::new(match error {
        ObjectError::Gone => Error::Closed,
        ObjectError::NoMemory => Error::NoMemory,
        ObjectError::Exists => Error::Exists,
        ObjectError::NotFound => Error::NotFound,
    })
}

fn lookup(carrier: &Carrier, handle: Handle, kind: Kind) -> Result<Object, Failure> {
    let object = carrier.process.handles.get(handle.0).filter(|object| object.kind == kind);
    object.ok_or(Failure::element(Error::BadHandle, 1))
}

fn install(carrier: &Carrier, object: Object) -> Result<Handle, Failure> {
    match carrier.process.handles.install(object) {
        Some(handle) => Ok(Handle(handle)),
        None => {
            object::close(object);
            Err(Failure::new(Error::Full))
        }
    }
}

fn length(wanted: u64) -> usize {
    usize::try_from(wanted).unwrap_or(usize::MAX).min(MESSAGE_MAX)
}

fn range(address: u64, bytes: usize) -> Result<UserRange, Failure> {
    UserRange::new(address, bytes).map_err(|_| Failure::new(Error::Fault))
}

/// The bytes of a buffer that ring 3 wants read, as many as one message carries.
fn copied_in(carrier: &Carrier, from: Input) -> Result<Vec<u8>, Failure> {
    let count = length(from.length);
    let range = range(from.address, count)?;
    let mut bytes = fallible::zeroes(count).ok_or(Failure::new(Error::NoMemory))?;
    carrier.with_pages(range, Use::Read, || copy_from_user(&mut bytes, range))?;
    Ok(bytes)
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
