//! A process and its CPU processes: their end, one more of them, their tick, their wakes, their pending calls.

use crate::cpu::critical;
use crate::process::object::{self, Who};
use crate::process::start::StartError;
use crate::process::{Carrier, How, end, start, tick};
use abi::{Error, Failure, answer, request};
use percpu::CpuId;

/// The shortest tick: what the kernel itself needs between two, several times over.
const LEAST_TICK: u64 = 20_000;

pub(in crate::process) fn exit(
    carrier: &Carrier,
    r: request::Exit,
) -> Result<answer::Exit, Failure> {
    end::begin(&carrier.process, How::Exited(r.status as i32));
    Ok(answer::Exit {})
}

pub(in crate::process) fn rfork(
    carrier: &Carrier,
    r: request::Rfork,
) -> Result<answer::Rfork, Failure> {
    let no_cpu = Failure::element(Error::BadElement, 1);
    let cpu = usize::try_from(r.cpu).ok().and_then(CpuId::new).ok_or(no_cpu)?;
    match start::fork(&carrier.process, cpu) {
        Ok(index) => Ok(answer::Rfork { index }),
        Err(StartError::NoCpu) => Err(no_cpu),
        Err(StartError::Full) => Err(Failure::new(Error::Full)),
        Err(_) => Err(Failure::new(Error::NoMemory)),
    }
}

pub(in crate::process) fn set_tick(
    carrier: &Carrier,
    r: request::SetTick,
) -> Result<answer::SetTick, Failure> {
    let interval = if r.interval == 0 { 0 } else { r.interval.max(LEAST_TICK) };
    critical(|crit| tick::set_interval(crit, carrier, interval));
    Ok(answer::SetTick {})
}

pub(in crate::process) fn wake(
    carrier: &Carrier,
    r: request::Wake,
) -> Result<answer::Wake, Failure> {
    let other = carrier.process.carrier(r.index).ok_or(Failure::element(Error::BadElement, 1))?;
    other.wake();
    Ok(answer::Wake {})
}

pub(in crate::process) fn abort(
    carrier: &Carrier,
    r: request::Abort,
) -> Result<answer::Abort, Failure> {
    let (id, detail, who) = critical(|crit| {
        carrier.own.with(crit, |own| {
            let (id, detail) = own.pending.abort(r.cookie)?;
            let who = Who { cpu: carrier.cpu(), carrier: own.number, call: id };
            Ok::<_, Failure>((id, detail, who))
        })
    })?;
    if object::cancel(detail.object, who) {
        critical(|crit| carrier.publish(crit, id, Err(Failure::new(Error::Cancelled))));
    }
    Ok(answer::Abort {})
}
