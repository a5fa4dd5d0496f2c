//! The beginning of processes and of CPU processes.

use super::carrier::Detail;
use super::end::{Ended, How};
use super::space::{Pages, Space, SpaceError};
use super::{Carrier, GIVEN_UP, Process, end, layer};
use crate::cpu::{self, critical};
use crate::{fallible, ipi, thread, timer};
use ::memory::Backing;
use abi::{COMPLETION_SLOTS, Completions, map};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use dispatch::Slot;
use lwkt_sched::{MayBlock, Name, Priority, Reason, Why};
use percpu::{CpuId, Own};
use servers::handles::Handles;
use servers::load::{self, LoadError};

/// Why a process was not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// No program of that name, or no image at all.
    Missing,
    /// The program cannot be loaded.
    Load(LoadError),
    /// No memory.
    NoMemory,
    /// The process has as many CPU processes as it can have, or is ending.
    Full,
    /// There is no such CPU.
    NoCpu,
}

impl From<SpaceError> for StartError {
    fn from(error: SpaceError) -> Self {
        match error {
            SpaceError::NoMemory => Self::NoMemory,
            SpaceError::NotMapped | SpaceError::BadRange => Self::Load(LoadError::BadSegment),
        }
    }
}

/// A process that was started, for who waits for its end.
pub struct Launch(Arc<Process>);

impl Launch {
    /// Waits until the process is gone and all that it held is back.
    pub fn wait(&self, cx: &mut MayBlock) -> Ended {
        let process = &*self.0;
        // Pairs with: `end::take_apart`, release.
        thread::wait_until(cx, Why::on(Reason::Event, process), |_| {
            process.gone.load(Ordering::Acquire)
        });
        self.ended()
    }

    /// As [`wait`](Self::wait), but not longer than until `deadline`, in nanoseconds since boot.
    pub fn wait_until(&self, cx: &mut MayBlock, deadline: u64) -> Option<Ended> {
        let process = &*self.0;
        critical(|crit| {
            // Pairs with: `end::take_apart`, release.
            while !process.gone.load(Ordering::Acquire) {
                if timer::now() >= deadline {
                    return None;
                }
                thread::sleep_until(crit, cx, Why::on(Reason::Event, process), deadline);
            }
            Some(self.ended())
        })
    }

    fn ended(&self) -> Ended {
        let how = self.0.ending().unwrap_or(How::Faulted);
        Ended { how, carriers: self.0.made.load(Ordering::Relaxed) }
    }

    /// Ends the process from outside.
    pub fn kill(&self) {
        end::begin(&self.0, How::Faulted);
    }
}

/// Starts a program of the image on a CPU, with words for it; the caller has to wait for it.
pub fn start(name: &str, cpu: CpuId, arguments: &[u64]) -> Result<Launch, StartError> {
    let file = layer::programs().and_then(|p| p.find(name)).ok_or(StartError::Missing)?;
    let plan = load::plan(file, map::PROGRAM..map::LAYER).map_err(StartError::Load)?;
    let shared = Pages::new(1).ok_or(StartError::NoMemory)?;
    write_shared(&shared, plan.entry, arguments);
    let home = cpu;
    let space = ipi::call(home, |crit| {
        let mut space = Space::new(crit)?;
        let made = space.load(crit, &plan).map_err(StartError::from).and_then(|()| {
            layer::map_into(crit, &mut space).ok_or(StartError::Missing)??;
            let frame: Vec<_> = shared.frames().collect();
            let shared = map::SHARED..map::SHARED + map::PAGE;
            let all = map::MAX_CPU_PROCESSES;
            space.reserve(shared, Backing::Pinned { write: true })?;
            space.reserve(map::carrier(0)..map::carrier(all), Backing::Pinned { write: true })?;
            let completions = map::completions(0)..map::completions(all);
            space.reserve(completions, Backing::Pinned { write: false })?;
            Ok(space.pin(crit, map::SHARED, &frame)?)
        });
        match made {
            Ok(()) => Ok(space),
            Err(error) => {
                // SAFETY: it was never activated.
                unsafe { space.destroy(crit) };
                Err(error)
            }
        }
    })?;
    let process = Arc::new(Process {
        name: Name::new(name),
        home,
        root: space.root(),
        handles: Handles::new(),
        // SAFETY: only the home CPU lends it (`Process::with_space`), and only once at a time.
        space: unsafe { Own::new(Some(space)) },
        carriers: [const { AtomicPtr::new(core::ptr::null_mut()) };
            map::MAX_CPU_PROCESSES as usize],
        made: AtomicU32::new(0),
        ended: AtomicU32::new(0),
        ending: AtomicU64::new(0),
        gone: AtomicBool::new(false),
        waiter: thread::current(),
        _shared: shared,
    });
    match fork(&process, cpu) {
        Ok(_) => Ok(Launch(process)),
        Err(error) => {
            end::take_apart(&process);
            Err(error)
        }
    }
}

/// Gives a process a kernel context on a CPU, which starts in the layer; returns its index.
pub(crate) fn fork(process: &Arc<Process>, cpu: CpuId) -> Result<u64, StartError> {
    if cpu.index() >= cpu::count() {
        return Err(StartError::NoCpu);
    }
    let slots = slots().ok_or(StartError::NoMemory)?;
    let completions = Pages::new(Completions::PAGES).ok_or(StartError::NoMemory)?;
    let area =
        Pages::new((map::CARRIER_LENGTH / map::PAGE) as usize).ok_or(StartError::NoMemory)?;
    let index = claim(process)?;
    write_header(&completions, index, cpu);
    write_area(&area, index);
    let pins = [(map::completions(index), &completions), (map::carrier(index), &area)];
    for (start, pages) in pins {
        let frames: Vec<_> = pages.frames().collect();
        let pinned = process.with_space(|crit, space| space.pin(crit, start, &frames));
        pinned.unwrap_or(Err(SpaceError::NoMemory)).inspect_err(|_| give_up(process))?;
    }
    let begun = begin(process, cpu, index, slots, [completions, area]);
    begun.inspect_err(|_| give_up(process))?;
    // An end that was begun before this one was in the table has not told it.
    if process.ending().is_some()
        && let Some(carrier) = process.carrier(index)
    {
        end::tell(carrier);
    }
    Ok(index)
}

/// Starts the thread that is the CPU process. It waits for its `Carrier`, which needs the thread.
fn begin(
    process: &Arc<Process>,
    cpu: CpuId,
    index: u64,
    slots: Box<[Slot<Detail>]>,
    pages: [Pages; 2],
) -> Result<(), StartError> {
    let own = Arc::clone(process);
    let thread =
        thread::spawn_detached(cpu, process.name, Priority::USER, move |cx| run(cx, own, index));
    let thread = thread.map_err(|_| StartError::NoMemory)?;
    // SAFETY: the thread was started on that CPU and becomes this CPU process (`run`).
    let carrier = unsafe { Carrier::new(Arc::clone(process), cpu, index, thread, slots, pages) };
    let boxed = fallible::boxed(carrier).map(Box::into_raw);
    process.enter(boxed.as_ref().map_or(GIVEN_UP, |carrier| *carrier), index as usize);
    critical(|crit| thread::wake(crit, thread));
    boxed.map(drop).map_err(|_| StartError::NoMemory)
}

/// The life of the thread: from its first step to ring 3, from where nothing comes back: what it holds by then is lost.
fn run(cx: &mut MayBlock, process: Arc<Process>, index: u64) {
    let mut found = None;
    thread::wait_until(cx, Why::on(Reason::Event, &*process), |_| {
        found = process.carrier(index);
        found.is_some() || process.given_up(index)
    });
    let Some(carrier) = found else { return };
    let Some((start, _)) = layer::entries() else { return };
    critical(|crit| carrier.attach(crit));
    // The carrier holds the process from here on.
    drop(process);
    let frame = arch::user::fresh_frame(start, map::carrier_stack_top(index), index);
    arch::irq::disable();
    // SAFETY: interrupts are off; `attach` has set the address space and this thread's kernel stack.
    unsafe { arch::user::enter(frame) }
}

/// The next index, unless there are too many.
fn claim(process: &Process) -> Result<u64, StartError> {
    // Pairs with: `end::leave`: who finds all ended also finds all that were claimed.
    let next = process.made.fetch_update(Ordering::AcqRel, Ordering::Acquire, |made| {
        (u64::from(made) < map::MAX_CPU_PROCESSES && process.ending().is_none()).then_some(made + 1)
    });
    next.map(u64::from).map_err(|_| StartError::Full)
}

/// An index that was claimed stays unused: it counts as ended.
fn give_up(process: &Process) {
    // Pairs with: itself and `end::leave`: the last sees all that the others did.
    process.ended.fetch_add(1, Ordering::AcqRel);
}

fn slots() -> Option<Box<[Slot<Detail>]>> {
    let mut slots = Vec::new();
    slots.try_reserve_exact(COMPLETION_SLOTS).ok()?;
    slots.resize(COMPLETION_SLOTS, Slot::EMPTY);
    Some(slots.into_boxed_slice())
}

fn write_shared(shared: &Pages, entry: u64, arguments: &[u64]) {
    let page = shared.base().cast::<abi::Shared>();
    // SAFETY: a zeroed page of our own, not mapped anywhere yet; zeroes are a valid `Shared`.
    let page = unsafe { &mut *page };
    page.program_entry = entry;
    page.arguments.iter_mut().zip(arguments).for_each(|(place, argument)| *place = *argument);
}

fn write_header(completions: &Pages, index: u64, cpu: CpuId) {
    // SAFETY: zeroed pages of our own; zeroes are a valid `Completions`, all atomics.
    let header = &unsafe { &*completions.base().cast::<Completions>() }.header;
    let (tsc, scale) = timer::clock_scale();
    let words = [
        (&header.index, index),
        (&header.cpu, cpu.index() as u64),
        (&header.cpus, cpu::count() as u64),
        (&header.clock_tsc, tsc),
        (&header.clock_scale, scale),
    ];
    words.into_iter().for_each(|(word, value)| word.store(value, Ordering::Relaxed));
}

fn write_area(area: &Pages, index: u64) {
    // SAFETY: zeroed pages of our own, not mapped anywhere yet; zeroes are a valid `Carrier`.
    let carrier = unsafe { &mut *area.base().cast::<abi::Carrier>() };
    carrier.this = map::carrier(index);
    carrier.index = index;
    carrier.stack_top = map::carrier_stack_top(index);
}
