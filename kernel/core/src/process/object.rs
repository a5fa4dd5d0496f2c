//! The objects that live on a CPU: pipes, named ports, and the CPU processes that wait for their answers.
//!
//! Law: own CPU only. An operation collects its answers and sends them after it has let go of the objects, because a
//! send may serve messages that want them.

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

/// Answers that an operation gave, to be sent when it is over.
type Answers = Vec<(Who, Reply)>;

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

/// Runs `f` on the objects of this CPU and sends the answers that it gave.
fn operate<R>(crit: &Crit, f: impl FnOnce(&mut Objects, &mut Answers) -> R) -> R {
    let mut answers = Answers::new();
    let result = here().objects.with(crit, |objects| f(objects, &mut answers));
    answers.into_iter().for_each(|(who, reply)| answer::send(crit, who, reply));
    result
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

/// Asks an object, on its home. A call that may not wait is forgotten again there if it cannot be answered at once.
fn ask(
    object: Object,
    who: Who,
    keep: Keep,
    question: impl FnOnce(&mut Objects, &mut Answers) -> Result<Outcome, ObjectError> + Send,
) -> Result<Outcome, ObjectError> {
    at_home(object, move |crit| {
        operate(crit, |objects, answers| {
            let outcome = question(objects, answers);
            if keep == Keep::NoWait && outcome == Ok(Outcome::Later) {
                objects.cancel(object, who);
            }
            outcome
        })
    })
}

/// Reads from a pipe.
pub(crate) fn read(
    object: Object,
    who: Who,
    max: usize,
    keep: Keep,
) -> Result<Outcome, ObjectError> {
    ask(object, who, keep, move |objects, answers| {
        let pipe = objects.pipes.get_mut(object.number).ok_or(ObjectError::Gone)?;
        Ok(pipe.read(who, max, |w, r| answers.push((w, r))))
    })
}

/// Writes to a pipe.
pub(crate) fn write(
    object: Object,
    who: Who,
    bytes: &[u8],
    keep: Keep,
) -> Result<Outcome, ObjectError> {
    ask(object, who, keep, move |objects, answers| {
        let pipe = objects.pipes.get_mut(object.number).ok_or(ObjectError::Gone)?;
        Ok(pipe.write(who, bytes, |w, r| answers.push((w, r))))
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

/// Calls a port.
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
    ask(object, who, keep, move |objects, answers| {
        let port = objects.ports.get_mut(object.number).ok_or(ObjectError::Gone)?;
        Ok(port.call(who, request, |w, r| answers.push((w, r))))
    })
}

/// Asks a port for its next request.
pub(crate) fn receive(object: Object, who: Who, keep: Keep) -> Result<Outcome, ObjectError> {
    ask(object, who, keep, move |objects, _| {
        let port = objects.ports.get_mut(object.number).ok_or(ObjectError::Gone)?;
        Ok(port.receive(who))
    })
}

/// Answers request `number` of a port, on its home.
pub(crate) fn reply(object: Object, number: u64, bytes: &[u8]) -> Result<(), ObjectError> {
    at_home(object, move |crit| {
        operate(crit, |objects, answers| {
            let port = objects.ports.get_mut(object.number).ok_or(ObjectError::Gone)?;
            port.reply(number, bytes, |w, r| answers.push((w, r))).ok_or(ObjectError::Gone)
        })
    })
}

/// Has an object forget a call; true when the object still had it, so that it is not answered any more.
pub(crate) fn cancel(object: Object, who: Who) -> bool {
    at_home(object, move |crit| operate(crit, |objects, _| objects.cancel(object, who)))
}

/// Releases what a handle named.
pub(crate) fn close(object: Object) {
    at_home(object, move |crit| operate(crit, |objects, answers| objects.close(object, answers)));
    if object.kind == Kind::PortServer {
        ipi::call(CpuId::at(0), |crit| {
            here().objects.with(crit, |o| o.names.retain(|n| n.port != object))
        });
    }
}

impl Objects {
    fn cancel(&mut self, object: Object, who: Who) -> bool {
        match object.kind {
            Kind::PipeRead | Kind::PipeWrite => {
                self.pipes.get_mut(object.number).is_some_and(|pipe| pipe.cancel(who))
            }
            Kind::PortServer | Kind::PortClient => {
                self.ports.get_mut(object.number).is_some_and(|port| port.cancel(who))
            }
        }
    }

    fn close(&mut self, object: Object, answers: &mut Answers) {
        let mut answer = |w, r| answers.push((w, r));
        match object.kind {
            Kind::PipeRead | Kind::PipeWrite => {
                let end = if object.kind == Kind::PipeRead { End::Read } else { End::Write };
                if self.pipes.get_mut(object.number).is_some_and(|pipe| pipe.close(end, answer)) {
                    self.pipes.remove(object.number);
                }
            }
            Kind::PortServer => {
                if let Some(mut port) = self.ports.remove(object.number) {
                    port.close(&mut answer);
                }
            }
            Kind::PortClient => {}
        }
    }
}

fn at_home<R: Send>(object: Object, f: impl FnOnce(&Crit) -> R + Send) -> R {
    ipi::call(CpuId::at(object.home.into()), f)
}
