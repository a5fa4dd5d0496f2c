//! What a program says, to the console and to the runner; and the figures that it asks about the kernel.

use super::{copied_in, range};
use crate::process::Carrier;
use crate::process::space::Use;
use crate::{console, cpu, ipi, memory, records, thread};
use abi::answer::{self, StatsList};
use abi::{Error, Failure, request};
use arch::user::copy_to_user;

pub(in crate::process) fn console_write(
    carrier: &Carrier,
    r: request::ConsoleWrite,
) -> Result<answer::ConsoleWrite, Failure> {
    let bytes = copied_in(carrier, r.text)?;
    console::write_program(carrier.process.name(), &bytes);
    Ok(answer::ConsoleWrite { count: bytes.len() as u64 })
}

pub(in crate::process) fn record(
    carrier: &Carrier,
    r: request::Record,
) -> Result<answer::Record, Failure> {
    if r.bytes.length > trace::RECORD_BYTES as u64 {
        return Err(Failure::element(Error::BadElement, 1));
    }
    let bytes = copied_in(carrier, r.bytes)?;
    records::from_program(&bytes).map_err(|_| Failure::element(Error::BadElement, 1))?;
    Ok(answer::Record {})
}

pub(in crate::process) fn stats(
    carrier: &Carrier,
    r: request::Stats,
) -> Result<answer::Stats, Failure> {
    let list = statistics(carrier);
    let mut words = [0; StatsList::MAX_WORDS];
    let used = list.encode(r.wanted, &mut words).map_err(|_| Failure::new(Error::BadElement))?;
    let mut bytes = [0; StatsList::MAX_WORDS * 8];
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
    Ok(answer::Stats { needed: needed as u64 })
}

fn statistics(carrier: &Carrier) -> StatsList {
    let sum = |f: fn(&cpu::Cpu) -> u64| cpu::all().map(f).sum();
    let message = |f: fn(&ipiq::Counters) -> u64| {
        cpu::all().map(|cpu| f(ipi::fabric().counters(cpu.id()))).sum()
    };
    let mut pending = 0;
    carrier.process.each_carrier(|c| {
        pending += ipi::call(c.cpu(), |crit| c.own.with(crit, |own| own.pending.len() as u64));
    });
    StatsList {
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
