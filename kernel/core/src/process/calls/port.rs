//! Named ports: a request goes to the port's home and is answered when its owner in ring 3 replies.

use super::{blocking, copied_in, failure, install, length, lookup, range, with_count};
use crate::process::carrier::Detail;
use crate::process::{Carrier, object};
use abi::{Error, Failure, Handle, Receive, answer, request};
use dispatch::{Later, Outcome};
use servers::handles::Kind;

/// The handle of a request carries that of its port above its number.
const PORT_SHIFT: u32 = 56;

pub(in crate::process) fn create(
    carrier: &Carrier,
    r: request::PortCreate,
) -> Result<answer::PortCreate, Failure> {
    let object = object::make_port(Plain::of(&r.name).bytes()).map_err(failure)?;
    Ok(answer::PortCreate { port: install(carrier, object)? })
}

pub(in crate::process) fn open(
    carrier: &Carrier,
    r: request::PortOpen,
) -> Result<answer::PortOpen, Failure> {
    let object = object::find_port(Plain::of(&r.name).bytes()).map_err(failure)?;
    Ok(answer::PortOpen { port: install(carrier, object)? })
}

pub(in crate::process) fn call(
    carrier: &Carrier,
    r: request::PortCall,
    later: Later,
) -> Result<Outcome<answer::PortCall>, Failure> {
    let object = lookup(carrier, r.port, Kind::PortClient)?;
    let bytes = copied_in(carrier, r.request)?;
    range(r.reply.address, length(r.reply.length))?;
    let detail = Detail { object, into: r.reply, port: 0 };
    let outcome =
        blocking(carrier, later, detail, |who, keep| object::call_port(object, who, &bytes, keep))?;
    Ok(with_count(outcome, |count| answer::PortCall { count }))
}

pub(in crate::process) fn reply(
    carrier: &Carrier,
    r: request::Reply,
) -> Result<answer::Reply, Failure> {
    let object = lookup(carrier, Handle(r.request.0 >> PORT_SHIFT), Kind::PortServer)?;
    let bytes = copied_in(carrier, r.reply)?;
    let number = r.request.0 & ((1 << PORT_SHIFT) - 1);
    object::reply(object, number, &bytes).map_err(|_| Failure::element(Error::BadHandle, 1))?;
    Ok(answer::Reply {})
}

pub(in crate::process) fn receive(
    carrier: &Carrier,
    r: Receive,
    later: Later,
) -> Result<Outcome<[u64; 2]>, Failure> {
    let object = lookup(carrier, r.port, Kind::PortServer)?;
    range(r.into.address, length(r.into.length))?;
    let detail = Detail { object, into: r.into, port: r.port.0 };
    blocking(carrier, later, detail, |who, keep| object::receive(object, who, keep))
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
