//! The objects that live on a CPU: pipes, named ports, and the CPU processes that wait for their answers.
//!
//! Law: own CPU only. An answer is sent after the operation has let go of the objects, because a send may serve messages
//! that want them; one after the other, since a list of them would need memory that there may not be.

use super::{Carrier, answer};
use crate::cpu::here;
use crate::ipi;
use alloc::vec::Vec;
use dispatch::PendingId;
use percpu::{CpuId, Crit};
use servers::handles::{Kind, Object};
use servers::pipe::{End, Pipe};
use servers::port::Port;
use servers::slab::Slab;
use servers::{Outcome, Reply};

/// Whom to answer: a pending call of a CPU process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Who {
    /// The CPU of the CPU process.
    pub(crate) cpu: CpuId,
    /// Its number there.
    pub(crate) carrier: u64,
    /// The call.
    pub(crate) call: PendingId,
}

/// A name and the port that has it; kept on the first CPU.
struct Named {
    name: Vec<u8>,
    port: Object,
}

/// What lives on one CPU.
pub struct Objects {
    pipes: Slab<Pipe<Who>>,
    ports: Slab<Port<Who>>,
    names: Vec<Named>,
    /// CPU processes of this CPU, by the numbers that answers carry.
    pub(crate) carriers: Slab<CarrierRef>,
}

/// A CPU process in the table of its CPU; taken out before it ends.
#[derive(Clone, Copy)]
pub(crate) struct CarrierRef(pub(crate) *const Carrier);

// SAFETY: the pointer is followed on its own CPU only, while it is in the table.
unsafe impl Send for CarrierRef {}

/// Why an operation on an object failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjectError {
    /// The object is no more, or is something else.
    Gone,
    /// No memory.
    NoMemory,
    /// The name is taken.
    Exists,
    /// Nothing has that name.
    NotFound,
}

impl Objects {
    pub(crate) const fn new() -> Self {
        Self { pipes: Slab::new(), ports: Slab::new(), names: Vec::new(), carriers: Slab::new() }
    }

    fn table_bytes(&self) -> usize {
        let slabs = [self.pipes.tables(), self.ports.tables(), self.carriers.tables()];
        let names = self.names.capacity() * size_of::<Named>();
        slabs
            .as_flattened()
            .iter()
            .chain(&[names])
            .map(|bytes| crate::memory::footprint(*bytes))
            .sum()
    }
}

/// Heap bytes of the tables of objects, over all CPUs: they grow with the most objects there ever were, and stay.
pub fn table_bytes() -> u64 {
    let of = |cpu: &crate::cpu::Cpu| {
        ipi::call(cpu.id(), |crit| here().objects.with(crit, |o| o.table_bytes()))
    };
    crate::cpu::all().map(|cpu| of(cpu) as u64).sum()
}

/// An answer, and whom it is for.
type Answer = Option<(Who, Reply)>;

/// Runs `f` on the objects of this CPU and sends the one answer that it may have given.
fn operate<R>(crit: &Crit, f: impl FnOnce(&mut Objects, &mut Answer) -> R) -> R {
    let mut answer = None;
    let result = here().objects.with(crit, |objects| f(objects, &mut answer));
    send(crit, answer);
    result
}

/// Runs `f` on a pipe of this CPU and sends all answers that the pipe owes then.
fn on_pipe<R>(
    crit: &Crit,
    object: Object,
    f: impl FnOnce(&mut Pipe<Who>) -> R,
) -> Result<R, ObjectError> {
    let (result, mut owed) = here()
        .objects
        .with(crit, |o| o.pipes.get_mut(object.number).map(|pipe| (f(pipe), pipe.owed())))
        .ok_or(ObjectError::Gone)?;
    while send(crit, owed) {
        owed = here().objects.with(crit, |o| o.pipes.get_mut(object.number)?.owed());
    }
    Ok(result)
}

/// Sends an answer, if there is one.
fn send(crit: &Crit, answer: Answer) -> bool {
    let Some((who, reply)) = answer else { return false };
    answer::send(crit, who, reply);
    true
}

/// Makes a pipe on this CPU; its two ends.
pub(crate) fn make_pipe(crit: &Crit) -> Result<(Object, Object), ObjectError> {
    let home = here().id().index() as u16;
    let number =
        here().objects.with(crit, |o| o.pipes.insert(Pipe::new())).ok_or(ObjectError::NoMemory)?;
    Ok((
        Object { kind: Kind::PipeRead, home, number },
        Object { kind: Kind::PipeWrite, home, number },
    ))
}

/// Whether a call may be kept by the object for a later answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// It may.
    Wait,
    /// It is forgotten again if it cannot be answered at once.
    NoWait,
}

impl Keep {
    /// The outcome, after a call that must not be kept has been forgotten again.
    fn settled(self, outcome: Outcome, cancel: impl FnOnce() -> bool) -> Outcome {
        if self == Self::NoWait && outcome == Outcome::Later {
            cancel();
        }
        outcome
    }
}

/// Reads from a pipe, on its home.
pub(crate) fn read(
    object: Object,
    who: Who,
    max: usize,
    keep: Keep,
) -> Result<Outcome, ObjectError> {
    at_home(object, move |crit| {
        on_pipe(crit, object, |pipe| {
            let outcome = pipe.read(who, max);
            keep.settled(outcome, || pipe.cancel(who))
        })
    })
}

/// Writes to a pipe, on its home.
pub(crate) fn write(
    object: Object,
    who: Who,
    bytes: &[u8],
    keep: Keep,
) -> Result<Outcome, ObjectError> {
    at_home(object, move |crit| {
        on_pipe(crit, object, |pipe| {
            let outcome = pipe.write(who, bytes);
            keep.settled(outcome, || pipe.cancel(who))
        })
    })
}

/// Makes a port on this CPU under a name of its own.
pub(crate) fn make_port(name: &[u8]) -> Result<Object, ObjectError> {
    let home = here().id();
    let number = ipi::call(home, |crit| here().objects.with(crit, |o| o.ports.insert(Port::new())));
    let port = Object {
        kind: Kind::PortServer,
        home: home.index() as u16,
        number: number.ok_or(ObjectError::NoMemory)?,
    };
    let named = ipi::call(CpuId::at(0), move |crit| {
        here().objects.with(crit, |objects| objects.enter(name, port))
    });
    if named.is_err() {
        close(port);
    }
    named.map(|()| port)
}

/// The port of a name, to call.
pub(crate) fn find_port(name: &[u8]) -> Result<Object, ObjectError> {
    ipi::call(CpuId::at(0), move |crit| {
        here().objects.with(crit, |objects| {
            let named =
                objects.names.iter().find(|n| n.name == name).ok_or(ObjectError::NotFound)?;
            Ok(Object { kind: Kind::PortClient, ..named.port })
        })
    })
}

impl Objects {
    fn enter(&mut self, name: &[u8], port: Object) -> Result<(), ObjectError> {
        if self.names.iter().any(|n| n.name == name) {
            return Err(ObjectError::Exists);
        }
        let mut own = Vec::new();
        let room = own.try_reserve_exact(name.len()).and_then(|()| self.names.try_reserve(1));
        room.map_err(|_| ObjectError::NoMemory)?;
        own.extend_from_slice(name);
        self.names.push(Named { name: own, port });
        Ok(())
    }
}

/// Calls a port, on its home.
pub(crate) fn call_port(
    object: Object,
    who: Who,
    request: &[u8],
    keep: Keep,
) -> Result<Outcome, ObjectError> {
    if keep == Keep::NoWait {
        // A server in ring 3 never answers at once.
        return Ok(Outcome::Later);
    }
    at_home(object, move |crit| {
        operate(crit, |objects, answer| {
            let port = objects.ports.get_mut(object.number).ok_or(ObjectError::Gone)?;
            Ok(port.call(who, request, |w, r| *answer = Some((w, r))))
        })
    })
}

/// Asks a port for its next request, on its home.
pub(crate) fn receive(object: Object, who: Who, keep: Keep) -> Result<Outcome, ObjectError> {
    at_home(object, move |crit| {
        here().objects.with(crit, |objects| {
            let port = objects.ports.get_mut(object.number).ok_or(ObjectError::Gone)?;
            let outcome = port.receive(who);
            Ok(keep.settled(outcome, || port.cancel(who)))
        })
    })
}

/// Answers request `number` of a port, on its home.
pub(crate) fn reply(object: Object, number: u64, bytes: &[u8]) -> Result<(), ObjectError> {
    at_home(object, move |crit| {
        operate(crit, |objects, answer| {
            let port = objects.ports.get_mut(object.number).ok_or(ObjectError::Gone)?;
            port.reply(number, bytes, |w, r| *answer = Some((w, r))).ok_or(ObjectError::Gone)
        })
    })
}

/// Request `number` of a port could not be handed to the server that asked for it.
pub(crate) fn undelivered(object: Object, number: u64) {
    at_home(object, move |crit| {
        operate(crit, |objects, answer| {
            if let Some(port) = objects.ports.get_mut(object.number) {
                port.undelivered(number, |w, r| *answer = Some((w, r)));
            }
        })
    });
}

/// Has an object forget a call; true when the object still had it, so that it is not answered any more.
pub(crate) fn cancel(object: Object, who: Who) -> bool {
    at_home(object, move |crit| {
        here().objects.with(crit, |objects| match object.kind {
            Kind::PipeRead | Kind::PipeWrite => {
                objects.pipes.get_mut(object.number).is_some_and(|p| p.cancel(who))
            }
            Kind::PortServer | Kind::PortClient => {
                objects.ports.get_mut(object.number).is_some_and(|p| p.cancel(who))
            }
        })
    })
}

/// Releases what a handle named.
pub(crate) fn close(object: Object) {
    at_home(object, move |crit| match object.kind {
        Kind::PipeRead => close_end(crit, object, End::Read),
        Kind::PipeWrite => close_end(crit, object, End::Write),
        Kind::PortServer => {
            let port = here().objects.with(crit, |o| o.ports.remove(object.number));
            port.into_iter().for_each(|p| p.close(|who, reply| answer::send(crit, who, reply)));
        }
        Kind::PortClient => {}
    });
    if object.kind == Kind::PortServer {
        ipi::call(CpuId::at(0), |crit| {
            here().objects.with(crit, |o| o.names.retain(|n| n.port != object))
        });
    }
}

/// One handle less on an end of a pipe.
fn close_end(crit: &Crit, object: Object, end: End) {
    if on_pipe(crit, object, |pipe| pipe.close(end)) == Ok(true) {
        here().objects.with(crit, |o| o.pipes.remove(object.number));
    }
}

fn at_home<R: Send>(object: Object, f: impl FnOnce(&Crit) -> R + Send) -> R {
    ipi::call(CpuId::at(object.home.into()), f)
}
