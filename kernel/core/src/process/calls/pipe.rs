//! Pipes: made on the CPU that asks; read and written on their home.

use super::{blocking, copied_in, failure, length, lookup, range, with_count};
use crate::cpu::critical;
use crate::process::carrier::Detail;
use crate::process::{Carrier, object};
use abi::{Error, Failure, Handle, Output, answer, request};
use dispatch::{Later, Outcome};
use servers::handles::Kind;

/// No buffer.
const NOTHING: Output = Output { address: 0, length: 0 };

pub(in crate::process) fn pipe(carrier: &Carrier) -> Result<answer::Pipe, Failure> {
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
    Ok(answer::Pipe { reader: Handle(r), writer: Handle(w) })
}

pub(in crate::process) fn read(
    carrier: &Carrier,
    r: request::Read,
    later: Later,
) -> Result<Outcome<answer::Read>, Failure> {
    let object = lookup(carrier, r.from, Kind::PipeRead)?;
    let max = length(r.into.length);
    range(r.into.address, max)?;
    let detail = Detail { object, into: r.into, port: 0 };
    let outcome =
        blocking(carrier, later, detail, |who, keep| object::read(object, who, max, keep))?;
    Ok(with_count(outcome, |count| answer::Read { count }))
}

pub(in crate::process) fn write(
    carrier: &Carrier,
    r: request::Write,
    later: Later,
) -> Result<Outcome<answer::Write>, Failure> {
    let object = lookup(carrier, r.to, Kind::PipeWrite)?;
    let bytes = copied_in(carrier, r.from)?;
    let detail = Detail { object, into: NOTHING, port: 0 };
    let outcome =
        blocking(carrier, later, detail, |who, keep| object::write(object, who, &bytes, keep))?;
    Ok(with_count(outcome, |count| answer::Write { count }))
}
