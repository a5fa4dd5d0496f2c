//! Answers on their way: from an object's home to the CPU process that waits, and into its completion pages.
//!
//! ```text
//!   home ──message──▶ CPU of the CPU process ─┬─ no bytes: completion published at once
//!                                             └─ bytes: staged; copied by the owning context on its way to ring 3
//! ```

use super::carrier::Detail;
use super::object::{self, Who};
use super::{Attention, Carrier};
use crate::cpu::here;
use crate::ipi;
use abi::{Error, Failure, Output};
use alloc::vec::Vec;
use arch::user::{UserRange, copy_to_user};
use core::mem::ManuallyDrop;
use dispatch::PendingId;
use percpu::Crit;
use servers::{Payload, Reply};

/// An answer with bytes that waits for its owning context.
pub(crate) struct Staged {
    call: PendingId,
    reply: Reply,
}

/// What travels in a word: failures, and counts.
const CLOSED: usize = 0;
const NO_MEMORY: usize = 1;
const COUNT: usize = 2;

/// Sends an answer to whom it is for. Takes no memory.
pub(crate) fn send(crit: &Crit, who: Who, reply: Reply) {
    let (func, word): (ipiq::CallFn, usize) = match reply {
        Reply::Closed => (deliver_small, CLOSED),
        Reply::NoMemory => (deliver_small, NO_MEMORY),
        Reply::Count(count) => (deliver_small, COUNT + count),
        Reply::Data(bytes) => (deliver_bytes, wrap(0, bytes)),
        Reply::Request(number, bytes) => (deliver_bytes, wrap(number, bytes)),
    };
    ipi::send(crit, who.cpu, func, [who.carrier as usize, who.call.to_bits() as usize, word]);
}

/// The note on a payload that travels: length and capacity of its memory, and the number of a request, or 0.
type Note = [u64; 3];
const _: () = assert!(size_of::<Note>() == Payload::NOTE);

/// A payload as a word of a message.
fn wrap(number: u64, payload: Payload) -> usize {
    let mut memory = ManuallyDrop::new(payload.into_inner());
    let note: Note = [memory.len() as u64, memory.capacity() as u64, number];
    let words = note.map(u64::to_ne_bytes);
    memory[..Payload::NOTE].copy_from_slice(words.as_flattened());
    memory.as_mut_ptr().expose_provenance()
}

/// The payload in a word of a message, and the number with it.
///
/// # Safety
/// `word` was made by [`wrap`], and is unwrapped once.
unsafe fn unwrap(word: usize) -> (u64, Option<Payload>) {
    let memory = core::ptr::with_exposed_provenance_mut::<u8>(word);
    // SAFETY: `wrap` put the note at the start of the memory.
    let [length, capacity, number] = unsafe { memory.cast::<Note>().read_unaligned() };
    // SAFETY: `wrap` took these from a vector, which nobody else has (caller's promise).
    let memory = unsafe { Vec::from_raw_parts(memory, length as usize, capacity as usize) };
    (number, Payload::from_inner(memory))
}

fn deliver_bytes(crit: &Crit, carrier: usize, call: usize, word: usize) {
    // SAFETY: `send` wrapped the word for this message alone, which runs once.
    let (number, payload) = unsafe { unwrap(word) };
    let reply = match payload {
        Some(bytes) if number == 0 => Reply::Data(bytes),
        Some(bytes) => Reply::Request(number, bytes),
        None => Reply::NoMemory,
    };
    deliver(crit, carrier as u64, PendingId::from_bits(call as u64), reply);
}

fn deliver_small(crit: &Crit, carrier: usize, call: usize, small: usize) {
    let reply = match small {
        CLOSED => Reply::Closed,
        NO_MEMORY => Reply::NoMemory,
        more => Reply::Count(more - COUNT),
    };
    deliver(crit, carrier as u64, PendingId::from_bits(call as u64), reply);
}

/// On the CPU of the CPU process: publishes, or stages what has bytes. A CPU process that is gone gets nothing.
fn deliver(crit: &Crit, number: u64, call: PendingId, reply: Reply) {
    let Some(found) = here().objects.with(crit, |o| o.carriers.get_mut(number).copied()) else {
        return;
    };
    // SAFETY: it is in the table of this CPU, and this critical section began before it could leave.
    let carrier = unsafe { &*found.0 };
    match values(reply) {
        Ok(outcome) => carrier.publish(crit, call, outcome),
        Err(reply) => carrier.own.with(crit, |own| {
            // One for each pending call at most, for which there is room from the beginning.
            if own.pending.detail(call).is_ok() {
                own.staged.push_back(Staged { call, reply });
            }
        }),
    }
    carrier.notice(crit, Attention::STAGED);
}

/// What needs no copying, as the values of its completion.
fn values(reply: Reply) -> Result<Result<[u64; 2], Failure>, Reply> {
    match reply {
        Reply::Closed => Ok(Err(Failure::new(Error::Closed))),
        Reply::NoMemory => Ok(Err(Failure::new(Error::NoMemory))),
        Reply::Count(count) => Ok(Ok([count as u64, 0])),
        reply => Err(reply),
    }
}

/// The values of an answer, whose bytes are copied for the context that asked.
pub(crate) fn take(carrier: &Carrier, detail: &Detail, reply: Reply) -> Result<[u64; 2], Failure> {
    match values(reply) {
        Ok(outcome) => outcome,
        Err(Reply::Request(number, bytes)) => match copy(carrier, detail.into, &bytes) {
            Ok(count) => Ok([detail.port << 56 | number, count]),
            Err(failure) => {
                object::undelivered(detail.object, number);
                Err(failure)
            }
        },
        Err(Reply::Data(bytes)) => Ok([copy(carrier, detail.into, &bytes)?, 0]),
        Err(_) => unreachable!("only bytes are left over"),
    }
}

/// Copies and completes what was staged. In the owning context, outside critical sections.
pub(crate) fn finish_staged(carrier: &Carrier) {
    loop {
        let next = crate::cpu::critical(|crit| {
            carrier.own.with(crit, |own| {
                let Staged { call, reply } = own.staged.pop_front()?;
                Some((call, reply, own.pending.detail(call).ok().copied()))
            })
        });
        let Some((call, reply, detail)) = next else { return };
        // Without detail the call was aborted or departed: its bytes go nowhere.
        if let Some(detail) = detail {
            let outcome = take(carrier, &detail, reply);
            crate::cpu::critical(|crit| carrier.publish(crit, call, outcome));
        }
    }
}

/// Copies to ring 3, as much as fits, and says how much.
fn copy(carrier: &Carrier, into: Output, bytes: &[u8]) -> Result<u64, Failure> {
    let count = bytes.len().min(usize::try_from(into.length).unwrap_or(usize::MAX));
    let range = UserRange::new(into.address, count).map_err(|_| Failure::new(Error::Fault))?;
    carrier.with_pages(range, super::space::Use::Write, || copy_to_user(range, &bytes[..count]))?;
    Ok(count as u64)
}
