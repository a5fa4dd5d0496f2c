//! The handlers of messages that take longer than registers and a few words, by subject; and what they share: handles
//! looked up, buffers of ring 3, a call that may wait.
//!
//! Law: a handler runs in the context of its CPU process, with interrupts on, outside critical sections. Nothing from
//! ring 3 is believed: addresses are ranges before they are copied, handles are looked up, indices compared.

pub(super) mod memory;
pub(super) mod pipe;
pub(super) mod port;
pub(super) mod process;
pub(super) mod report;

use super::carrier::Detail;
use super::object::{self, Keep, ObjectError};
use super::space::Use;
use super::{Carrier, answer};
use crate::fallible;
use abi::{Error, Failure, Handle, Input, answer as answers, request};
use alloc::vec::Vec;
use arch::user::{UserRange, copy_from_user};
use dispatch::{Later, Outcome};
use servers::handles::{Kind, Object};
use servers::{MESSAGE_MAX, Outcome as Served};

/// Gives back what a handle named, of whatever kind.
pub(super) fn close(carrier: &Carrier, r: request::Close) -> Result<answers::Close, Failure> {
    let object = carrier.process.handles.close(r.handle.0);
    object::close(object.ok_or(Failure::element(Error::BadHandle, 1))?);
    Ok(answers::Close {})
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

fn failure(error: ObjectError) -> Failure {
    Failure::new(match error {
        ObjectError::Gone => Error::Closed,
        ObjectError::NoMemory => Error::NoMemory,
        ObjectError::Exists => Error::Exists,
        ObjectError::NotFound => Error::NotFound,
    })
}

fn length(wanted: u64) -> usize {
    usize::try_from(wanted).unwrap_or(usize::MAX).min(MESSAGE_MAX)
}

pub(super) fn range(address: u64, bytes: usize) -> Result<UserRange, Failure> {
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

/// Sends a call to an object: answered at once, or kept with its slot.
fn blocking(
    carrier: &Carrier,
    later: Later,
    detail: Detail,
    ask: impl FnOnce(object::Who, Keep) -> Result<Served, ObjectError>,
) -> Result<Outcome<[u64; 2]>, Failure> {
    if !later.may_wait() {
        return match ask(carrier.nobody(), Keep::NoWait).map_err(failure)? {
            Served::Now(reply) => answer::take(carrier, &detail, reply).map(Outcome::Now),
            Served::Later => Err(Failure::new(Error::WouldBlock)),
        };
    }
    let (opened, who) = carrier.open(later, detail)?;
    match ask(who, Keep::Wait) {
        Ok(Served::Later) => Ok(Outcome::Later(opened)),
        Ok(Served::Now(reply)) => {
            carrier.withdraw(opened);
            answer::take(carrier, &detail, reply).map(Outcome::Now)
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
