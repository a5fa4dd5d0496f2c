//! The beginning of processes and of CPU processes.

use super::carrier::{Detail, Fate};
use super::end::{Ended, How};
use super::object::CarrierRef;
use super::space::{Pages, Space, SpaceError};
use super::{Carrier, Process, end, layer};
use crate::cpu::{self, critical};
use crate::fallible::{self, NoMemory, Shared};
use crate::{ipi, thread, timer};
use ::memory::Backing;
use abi::{COMPLETION_SLOTS, Completions, map};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use dispatch::Slot;
use lwkt_sched::{MayBlock, Name, Priority, Reason, ThreadRef, Why};
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
pub struct Launch(Shared<Process>);

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
            let page = map::SHARED..map::SHARED + map::PAGE;
            let all = map::MAX_CPU_PROCESSES;
            space.reserve(page, Backing::Pinned { write: true })?;
            space.reserve(map::carrier(0)..map::carrier(all), Backing::Pinned { write: true })?;
            let completions = map::completions(0)..map::completions(all);
            space.reserve(completions, Backing::Pinned { write: false })?;
            Ok(space.pin(crit, map::SHARED, shared.frames())?)
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
    let process = Shared::new(Process {
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
    let process = process.map_err(|NoMemory(process)| {
        ipi::call(home, |crit| {
            let space = process.space.with(crit, Option::take);
            // SAFETY: it was never activated.
            space.into_iter().for_each(|space| unsafe { space.destroy(crit) });
        });
        StartError::NoMemory
    })?;
    match fork(&process, cpu) {
        Ok(_) => Ok(Launch(process)),
        Err(error) => {
            end::take_apart(&process);
            Err(error)
        }
    }
}

/// Gives a process a kernel context on a CPU, which starts in the layer; returns its index. What is refused leaves nothing.
pub(crate) fn fork(process: &Shared<Process>, cpu: CpuId) -> Result<u64, StartError> {
    if cpu.index() >= cpu::count() {
        return Err(StartError::NoCpu);
    }
    let index = process.claim().ok_or(StartError::Full)?;
    let Some(fresh) = Fresh::make(process, cpu, index).and_then(Fresh::settle) else {
        process.enter(core::ptr::null_mut(), index);
        return Err(StartError::NoMemory);
    };
    process.made.fetch_add(1, Ordering::AcqRel);
    process.enter(fresh.carrier.as_ptr(), index);
    // An end that was begun before this one was in the table has not told it.
    if process.ending().is_some() {
        end::tell(fresh.carrier());
    }
    fresh.decide(Fate::Begin);
    Ok(index)
}

/// A CPU process with a thread that waits for its [`Fate`].
struct Fresh {
    carrier: NonNull<Carrier>,
    thread: ThreadRef,
}

impl Fresh {
    /// Makes one, known to nobody.
    fn make(process: &Shared<Process>, cpu: CpuId, index: u64) -> Option<Self> {
        let slots = slots()?;
        let mut staged = VecDeque::new();
        staged.try_reserve_exact(slots.len()).ok()?;
        let completions = Pages::new(Completions::PAGES)?;
        let area = Pages::new((map::CARRIER_LENGTH / map::PAGE) as usize)?;
        write_header(&completions, index, cpu);
        write_area(&area, index);
        let process = Shared::clone(process);
        let name = process.name;
        // SAFETY: only its thread, on that CPU, will use it.
        let carrier =
            unsafe { Carrier::new(process, cpu, index, slots, staged, [completions, area]) };
        let carrier = NonNull::from(Box::leak(fallible::boxed(carrier).ok()?));
        let word = CarrierRef(carrier.as_ptr());
        match thread::spawn_bound_detached(cpu, name, Priority::USER, move |cx| run(cx, word)) {
            Ok(thread) => Some(Self { carrier, thread }),
            Err(_) => {
                // SAFETY: from a box, above, and known to nobody.
                drop(unsafe { Box::from_raw(carrier.as_ptr()) });
                None
            }
        }
    }

    fn carrier(&self) -> &Carrier {
        // SAFETY: it is there until its thread has learned its fate, at least.
        unsafe { self.carrier.as_ref() }
    }

    /// Gives it its place: a number on its CPU, and its pages in the address space. Or gives it up.
    fn settle(self) -> Option<Self> {
        let carrier = self.carrier();
        let enrolled = ipi::call(carrier.cpu(), |crit| carrier.enroll(crit));
        let pin = |start, pages: &Pages| {
            carrier.process.with_space(|crit, space| space.pin(crit, start, pages.frames()))
        };
        let all = carrier.pinned();
        if enrolled && all.into_iter().all(|(start, pages)| pin(start, pages) == Some(Ok(()))) {
            return Some(self);
        }
        for (start, pages) in all {
            carrier.process.with_space(|_, space| space.unpin(start, pages.frames().len()));
        }
        // Others of the process may have reached the pages meanwhile.
        ipi::sync(&carrier.process.cpus(), |_, _| arch::paging::flush_user(), 0);
        ipi::call(carrier.cpu(), |crit| carrier.strike_off(crit));
        self.decide(Fate::GiveUp);
        None
    }

    /// Lets its thread go on; what is given up ends with it.
    fn decide(self, fate: Fate) {
        self.carrier().decide(fate);
        critical(|crit| thread::wake(crit, self.thread));
    }
}

/// The life of the thread: from its first step to ring 3, from where nothing comes back: what it holds by then is lost.
fn run(cx: &mut MayBlock, CarrierRef(carrier): CarrierRef) {
    // SAFETY: from a box (`Fresh::make`); it is given back here, or by `end::take_apart` when this thread has left it.
    let fate = unsafe { &*carrier }.fate(cx);
    if fate == Fate::GiveUp {
        // SAFETY: as above; who gave it up has seen to it that nobody else knows it.
        return drop(unsafe { Box::from_raw(carrier.cast_mut()) });
    }
    // SAFETY: as above.
    let carrier = unsafe { &*carrier };
    let (start, _) = layer::entries().expect("a process has the layer before it has a CPU process");
    critical(|crit| carrier.attach(crit));
    let index = carrier.index();
    let frame = arch::user::fresh_frame(start, map::carrier_stack_top(index), index);
    arch::irq::disable();
    // SAFETY: interrupts are off; `attach` has set the address space and this thread's kernel stack.
    unsafe { arch::user::enter(frame) }
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
