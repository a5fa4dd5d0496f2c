//! Answers on their way: from an object's home to the CPU process that waits, and into its completion pages.
//!
//! ```text
//!   home ──message──▶ CPU of the CPU process ─┬─ no bytes: completion published at once
//!                                             └─ bytes: staged; copied by the owning context on its way to ring 3
//! ```

use super::object::Who;
use super::{Attention, Carrier};
use crate::cpu::here;
use crate::{fallible, ipi};
use abi::{Error, Failure, Output};
use alloc::boxed::Box;
use arch::user::{UserRange, copy_to_user};
use dispatch::PendingId;
use percpu::Crit;
use servers::Reply;

/// An answer with bytes that waits for its owning context.
pub(crate) struct Staged {
    call: PendingId,
    reply: Reply,
}

/// What travels, when it does not fit into three words.
struct Parcel {
    who: Who,
    reply: Reply,
}

/// The failures that travel in a word, and the count that does.
const CLOSED: usize = 0;
const NO_MEMORY: usize = 1;
const COUNT: usize = 2;

/// Sends an answer to whom it is for.
pub(crate) fn send(crit: &Crit, who: Who, reply: Reply) {
    let small = match &reply {
        Reply::Closed => CLOSED,
        Reply::NoMemory => NO_MEMORY,
        Reply::Count(count) => COUNT + count,
        Reply::Data(_) | Reply::Request(..) => {
            match fallible::boxed(Parcel { who, reply }) {
                Ok(parcel) => {
                    return ipi::send(
                        crit,
                        who.cpu,
                        unpack,
                        [Box::into_raw(parcel).expose_provenance(), 0, 0],
                    );
                }
                // The bytes are lost, the caller is told.
                Err(_) => NO_MEMORY,
            }
        }
    };
    ipi::send(
        crit,
        who.cpu,
        deliver_small,
        [who.carrier as usize, who.call.to_bits() as usize, small],
    );
}

fn unpack(crit: &Crit, parcel: usize, _: usize, _: usize) {
    let parcel = core::ptr::with_exposed_provenance_mut::<Parcel>(parcel);
    // SAFETY: `send` made the word from a box for this message alone, which runs once.
    let Parcel { who, reply } = *unsafe { Box::from_raw(parcel) };
    deliver(crit, who.carrier, who.call, reply);
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
        Err(reply) => {
            let staged = carrier.own.with(crit, |own| {
                let room = own.staged.try_reserve(1);
                room.map(|()| own.staged.push_back(Staged { call, reply }))
            });
            if staged.is_err() {
                carrier.publish(crit, call, Err(Failure::new(Error::NoMemory)));
            }
        }
    }
    carrier.notice(crit, Attention::STAGED);
}

/// What needs no copying, as the values of its completion.
fn values(reply: Reply) -> Result<Result<[u64; 2], Failure>, Reply> {
    match reply {
        Reply::Closed => Ok(Err(Failure::new(Error::Closed))),
        Reply::NoMemory => Ok(Err(Failure::new(Error::NoMemory))),
        Reply::Count(count) => Ok(Ok([count as u64, 0])),
        Reply::Data(bytes) if bytes.is_empty() => Ok(Ok([0, 0])),
        reply => Err(reply),
    }
}

/// An answer given at once: copies its bytes for the context that asked.
pub(crate) fn take(
    carrier: &Carrier,
    into: Output,
    port: u64,
    reply: Reply,
) -> Result<[u64; 2], Failure> {
    match values(reply) {
        Ok(outcome) => outcome,
        Err(Reply::Request(number, bytes)) => {
            let count = copy(carrier, into, &bytes)?;
            Ok([port << 56 | number, count])
        }
        Err(Reply::Data(bytes)) => Ok([copy(carrier, into, &bytes)?, 0]),
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
            let outcome = take(carrier, detail.into, detail.port, reply);
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
