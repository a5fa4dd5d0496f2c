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
    let list = statistics(carrier, r.wanted);
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

/// The figures that are wanted. Who does not want those that another CPU has to be asked for causes no message by asking.
fn statistics(carrier: &Carrier, wanted: u64) -> StatsList {
    let sum = |f: fn(&cpu::Cpu) -> u64| cpu::all().map(f).sum();
    let message = |f: fn(&ipiq::Counters) -> u64| {
        cpu::all().map(|cpu| f(ipi::fabric().counters(cpu.id()))).sum()
    };
    let is_wanted = |name| {
        let mut elements = StatsList::INFO.elements.iter();
        elements.any(|element| element.name == name && wanted >> element.id & 1 == 1)
    };
    let (mut pending_calls, mut completions) = (0, 0);
    let ask = is_wanted("pending_calls");
    carrier.process.each_carrier(|c| {
        completions += c.completions().count();
        if ask {
            pending_calls +=
                ipi::call(c.cpu(), |crit| c.own.with(crit, |own| own.pending.len() as u64));
        }
    });
    let counted = match is_wanted("switches") || is_wanted("waits") {
        true => thread::counted(),
        false => thread::Counted::default(),
    };
    let kernel_stacks = if is_wanted("kernel_stacks") { thread::stacks_in_use() as u64 } else { 0 };
    StatsList {
        rings_full: message(|c| c.full.get()),
        unasked_interrupts: sum(|cpu| cpu.counters.unexpected.get()),
        mappings: carrier.process.with_space(|_, space| space.mappings() as u64).unwrap_or(0),
        cpu_processes: carrier.process.carriers() as u64,
        kernel_bytes: memory::heap_in_use(),
        kernel_stacks,
        free_frames: memory::free(),
        process_frames: carrier.process.with_space(|_, space| space.frames()).unwrap_or(0),
        pending_calls,
        kernel_entries: sum(|cpu| cpu.counters.entries.get()),
        switches: counted.switches,
        ipis_sent: message(|c| c.rung.get()),
        ipis_avoided: message(|c| c.avoided.get()),
        waits: counted.waits,
        rests: cpu::rests(),
        ipis_passive: message(|c| c.passive.get()),
        calls_run: message(|c| c.ran.get()),
        syncs: message(|c| c.synced.get()),
        timer_interrupts: sum(|cpu| cpu.counters.timers.get()),
        page_faults: sum(|cpu| cpu.counters.page_faults.get()),
        completions,
    }
}
