//! Memory of a process: mapped where there is room; unmapped everywhere before a frame is used again.

use crate::process::Carrier;
use crate::process::space::SpaceError;
use crate::{cpu::critical, ipi, memory};
use ::memory::Backing;
use abi::{Error, Failure, answer, request};
use arch::layout::PAGE;
use percpu::CpuSet;

/// Flag of a map message: thread stacks. Bits 8 to 31 stride, 32 to 55 size, in pages.
const STACKS: u64 = 1;

pub(in crate::process) fn map(carrier: &Carrier, r: request::Map) -> Result<answer::Map, Failure> {
    let backing = backing(r.flags).ok_or(Failure::element(Error::BadElement, 2))?;
    let placed = carrier.process.with_space(|_, space| space.place(r.length, backing));
    match placed {
        Some(Ok(address)) => Ok(answer::Map { address }),
        Some(Err(SpaceError::BadRange)) => Err(Failure::element(Error::BadElement, 1)),
        _ => Err(Failure::new(Error::NoMemory)),
    }
}

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

pub(in crate::process) fn unmap(
    carrier: &Carrier,
    r: request::Unmap,
) -> Result<answer::Unmap, Failure> {
    let end = r
        .address
        .checked_add(r.length)
        .and_then(|end| end.checked_next_multiple_of(PAGE as u64))
        .ok_or(Failure::element(Error::BadElement, 2))?;
    let unmapped = carrier.process.with_space(|_, space| space.unmap(r.address..end));
    match unmapped {
        Some(Ok(frames)) => {
            shoot_down(&carrier.process.cpus());
            critical(|crit| frames.into_iter().for_each(|frame| memory::put(crit, frame)));
            Ok(answer::Unmap {})
        }
        Some(Err(SpaceError::NoMemory)) => Err(Failure::new(Error::NoMemory)),
        _ => Err(Failure::element(Error::BadElement, 1)),
    }
}

/// Has every CPU of a set forget the user half of its translations; returns when all have.
fn shoot_down(cpus: &CpuSet) {
    ipi::sync(cpus, |_, _| arch::paging::flush_user(), 0);
}
