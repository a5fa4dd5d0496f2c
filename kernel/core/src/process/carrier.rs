//! A CPU process: the one kernel context that a process has on a CPU.

use super::answer::{self, Staged};
use super::object::{CarrierRef, Who};
use super::space::{Pages, SpaceError, Use};
use super::{Attention, Process, tick};
use crate::cpu::{critical, here};
use crate::fallible::Shared;
use crate::thread::{self, Body, HAS_PROCESS};
use crate::{ipi, timeline, timer};
use abi::map::PAGE;
use abi::{Completions, Error, Failure, Output, PENDING_LOOK, PENDING_TICK, UserLog};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use arch::user::{Fault, UserRange};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use dispatch::{Later, Opened, Pending, PendingId, Slot};
use ipiq::CallFn;
use lwkt_sched::{MayBlock, Reason, ThreadRef, Why};
use percpu::{CpuId, Crit, Own};
use servers::handles::Object;

/// What the kernel keeps about a pending call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    /// The object that has it.
    pub(crate) object: Object,
    /// Where its bytes go.
    pub(crate) into: Output,
    /// The handle of the port, for a receive.
    pub(crate) port: u64,
}

/// What the CPU process's own CPU touches.
pub(crate) struct CarrierOwn {
    pub(crate) pending: Pending<Detail, Box<[Slot<Detail>]>>,
    /// Room for one for each pending call.
    pub(crate) staged: VecDeque<Staged>,
    /// Set by a wake message, taken by a wait.
    pub(crate) wake_token: bool,
    /// Nanoseconds between upcalls; 0 for none.
    pub(super) interval: u64,
    /// When the tick is due that was armed last; [`timer::NEVER`] if it came, or its turn ended by a wait.
    pub(super) due: u64,
    /// Its thread, once that has begun to be it.
    pub(crate) thread: Option<ThreadRef>,
    /// The thread, while it waits for something that comes by message.
    pub(crate) waiting: Option<ThreadRef>,
    /// Number in the table of its CPU, for answers.
    pub(crate) number: u64,
}

/// What becomes of a CPU process that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Fate {
    /// Its thread goes to ring 3.
    Begin = 1,
    /// There is no memory for its place: its thread ends, and gives back what was made.
    GiveUp = 2,
}

/// A CPU process.
pub struct Carrier {
    pub(crate) process: Shared<Process>,
    cpu: CpuId,
    index: u64,
    /// Its [`Fate`], once it is decided.
    fate: AtomicU32,
    pub(crate) attention: Attention,
    pub(crate) own: Own<CarrierOwn>,
    /// The element list of the entry in progress.
    pub(crate) snapshot: UnsafeCell<[u64; abi::list::MAX_WORDS]>,
    completions: Pages,
    area: Pages,
    /// Switches of user threads that a timeline has. Own CPU.
    told: AtomicU64,
}

// SAFETY: 1. `own` and `attention` say who touches them; 2. `snapshot` is touched by the CPU process's own entries, one at
// a time; 3. the rest never changes, or is pages whose users keep to atomics and raw words.
unsafe impl Sync for Carrier {}

impl Carrier {
    /// Makes it, before it has a thread.
    ///
    /// # Safety
    /// Only CPU `cpu` uses the result but for what is atomic or never changes.
    pub(crate) unsafe fn new(
        process: Shared<Process>,
        cpu: CpuId,
        index: u64,
        slots: Box<[Slot<Detail>]>,
        staged: VecDeque<Staged>,
        [completions, area]: [Pages; 2],
    ) -> Self {
        let own = CarrierOwn {
            pending: Pending::new(slots),
            staged,
            wake_token: false,
            interval: 0,
            due: timer::NEVER,
            thread: None,
            waiting: None,
            number: 0,
        };
        // SAFETY: the caller's promise; closures of this module lend it once.
        let own = unsafe { Own::new(own) };
        Self {
            process,
            cpu,
            index,
            fate: AtomicU32::new(0),
            attention: Attention::new(),
            own,
            snapshot: UnsafeCell::new([0; abi::list::MAX_WORDS]),
            completions,
            area,
            told: AtomicU64::new(0),
        }
    }

    /// The CPU that it runs on.
    pub fn cpu(&self) -> CpuId {
        self.cpu
    }

    /// Its number in its process.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The completion pages, as the kernel sees them.
    pub(crate) fn completions(&self) -> &Completions {
        // SAFETY: 1. zeroed pages of the right number are a valid `Completions`, all atomics; 2. ring 3 can only read them.
        unsafe { &*self.completions.base().cast::<Completions>() }
    }

    /// The carrier area, as the kernel sees it. Ring 3 writes it at will: read and write single words only.
    pub(crate) fn area(&self) -> *mut abi::Carrier {
        self.area.base().cast()
    }

    /// Tells a timeline what user threads have run since it was last told. Own CPU, in an entry.
    pub(crate) fn tell_users(&self) {
        let log = self.area().cast::<UserLog>().wrapping_byte_add(UserLog::AT);
        // SAFETY: the area is mapped as long as this, and holds atomics there, whatever ring 3 does to them.
        let log = unsafe { &*log };
        let written = log.written.load(Ordering::Relaxed);
        let before = self.told.swap(written, Ordering::Relaxed);
        let new = written.wrapping_sub(before).min(UserLog::SWITCHES as u64);
        for number in written.wrapping_sub(new)..written {
            let switch = &log.switches[number as usize % UserLog::SWITCHES];
            let [tick, thread] = switch.each_ref().map(|word| word.load(Ordering::Relaxed));
            timeline::user(tick, thread, self.process.name());
        }
    }

    /// Publishes the completion of a call, if it is still pending, and wakes who waits for it. Own CPU.
    pub(crate) fn publish(&self, crit: &Crit, call: PendingId, outcome: Result<[u64; 2], Failure>) {
        let published = self
            .own
            .with(crit, |own| own.pending.complete(call, outcome, self.completions()).is_ok());
        if published {
            self.rouse(crit);
        }
    }

    /// Gives it something to look at. Own CPU.
    pub(crate) fn notice(&self, crit: &Crit, reasons: u32) {
        self.attention.add(reasons);
        self.rouse(crit);
    }

    fn rouse(&self, crit: &Crit) {
        match self.own.with(crit, |own| own.waiting) {
            Some(thread) => thread::wake(crit, thread),
            None => self.note(PENDING_LOOK),
        }
    }

    /// Leaves word for the layer, which looks when it is left; a tick counts for more than what there is to look at.
    pub(crate) fn note(&self, word: u32) {
        // SAFETY: the area lives as long as this; the word is an atomic, whatever ring 3 does to it.
        let pending = unsafe { &(*self.area()).pending };
        if word == PENDING_TICK || pending.load(Ordering::Relaxed) == 0 {
            pending.store(word, Ordering::Relaxed);
        }
    }

    /// Sets the wake token and wakes it from the wait entry, from any CPU.
    pub(crate) fn wake(&self) {
        self.on_its_cpu(wake_here);
    }

    /// Has its CPU call `func` with its address: at once when that is this one, else by message.
    pub(crate) fn on_its_cpu(&self, func: CallFn) {
        let address = core::ptr::from_ref(self).expose_provenance();
        critical(|crit| {
            if self.cpu == here().id() {
                func(crit, address, 0, 0)
            } else {
                ipi::send(crit, self.cpu, func, [address, 0, 0])
            }
        });
    }

    /// Opens a pending call and says how its answer will be addressed.
    pub(crate) fn open(&self, later: Later, detail: Detail) -> Result<(Opened, Who), Failure> {
        critical(|crit| {
            self.own.with(crit, |own| {
                let opened = own.pending.open(later, detail, || self.seen())?;
                let who = Who { cpu: self.cpu, carrier: own.number, call: opened.id() };
                Ok((opened, who))
            })
        })
    }

    /// How an answer would be addressed that is given at once or not at all.
    pub(crate) fn nobody(&self) -> Who {
        Who { cpu: self.cpu, carrier: 0, call: PendingId::from_bits(u64::MAX) }
    }

    /// Takes an opened call back that was answered at once.
    pub(crate) fn withdraw(&self, opened: Opened) {
        // Gone only if an answer was published: the objects answer once, and this one did not.
        let _ = critical(|crit| self.own.with(crit, |own| own.pending.withdraw(opened).is_ok()));
    }

    fn seen(&self) -> u64 {
        // SAFETY: the area is mapped as long as this; the word is an atomic that ring 3 may write meanwhile.
        unsafe { (*self.area()).seen.load(Ordering::Relaxed) }
    }

    /// The wait entry: see [`dispatch::Kernel::wait`]. In the owning context.
    pub(crate) fn wait(&self, cx: &mut MayBlock, seen: u64, deadline: u64) -> u64 {
        let mut seen_here = 0;
        loop {
            seen_here |= self.look(cx);
            let produced = critical(|crit| {
                let (produced, token) = self.own.with(crit, |own| {
                    (own.pending.produced(), core::mem::take(&mut own.wake_token))
                });
                let over = deadline != abi::NO_DEADLINE
                    && (deadline == abi::POLL || timer::now() >= deadline);
                if token || over || produced != seen {
                    return Some(produced);
                }
                if !self.attention.any() {
                    let (far, due) = self.own.with(crit, |own| {
                        own.waiting = own.thread;
                        let due = core::mem::replace(&mut own.due, timer::NEVER);
                        (tick::is_far(own.interval), due)
                    });
                    if far {
                        timer::set_tick(crit, None);
                    }
                    let why = Why::on(Reason::Completion, self);
                    if deadline == abi::NO_DEADLINE {
                        thread::block(crit, cx, why)
                    } else {
                        thread::sleep_until(crit, cx, why, deadline)
                    }
                    self.own.with(crit, |own| own.waiting = None);
                    if far {
                        tick::go_on_by(crit, self, due);
                    }
                }
                None
            });
            if let Some(produced) = produced {
                // A tick that came in here is for the way to ring 3, which arms the next.
                self.attention.add(seen_here & Attention::TICK);
                return produced;
            }
        }
    }

    /// Does what wants attention, but the tick. In the owning context, outside critical sections; does not come back
    /// when the process ends.
    pub(crate) fn look(&self, cx: &mut MayBlock) -> u32 {
        let reasons = self.attention.take();
        if reasons & Attention::END != 0 {
            super::end::leave(cx, self);
        }
        if reasons & Attention::STAGED != 0 {
            answer::finish_staged(self);
        }
        reasons
    }

    /// Runs a copy from or to ring 3, giving pages of the range their frames when it faults.
    pub(crate) fn with_pages<R>(
        &self,
        range: UserRange,
        wanted: Use,
        mut copy: impl FnMut() -> Result<R, Fault>,
    ) -> Result<R, Failure> {
        if let Ok(done) = copy() {
            return Ok(done);
        }
        let first = range.start() as u64 & !(PAGE - 1);
        let last = (range.start() + range.bytes()) as u64;
        let present = self.process.with_space(|crit, space| {
            (first..last)
                .step_by(PAGE as usize)
                .try_for_each(|page| space.fault_in(crit, page, wanted))
        });
        match present {
            Some(Ok(())) => copy().map_err(|_| Failure::new(Error::Fault)),
            Some(Err(SpaceError::NoMemory)) => Err(Failure::new(Error::NoMemory)),
            Some(Err(_)) | None => Err(Failure::new(Error::Fault)),
        }
    }

    /// Says what becomes of it. Its thread is to be woken afterwards, and may give it back at once.
    pub(crate) fn decide(&self, fate: Fate) {
        // Pairs with: `fate`, acquire.
        self.fate.store(fate as u32, Ordering::Release);
    }

    /// Waits until it is decided what becomes of it. In its thread.
    pub(crate) fn fate(&self, cx: &mut MayBlock) -> Fate {
        let mut word = 0;
        thread::wait_until(cx, Why::on(Reason::Event, &*self.process), |_| {
            // Pairs with: `decide`, release.
            word = self.fate.load(Ordering::Acquire);
            word != 0
        });
        if word == Fate::Begin as u32 { Fate::Begin } else { Fate::GiveUp }
    }

    /// Makes the running thread of this CPU be this CPU process. Own CPU, in its thread.
    pub(crate) fn attach(&self, crit: &Crit) {
        thread::body(crit).carrier.set(self);
        let thread = here().scheduler.with(crit, |s| {
            s.set_rare(crit, s.current(), HAS_PROCESS);
            s.current()
        });
        self.own.with(crit, |own| own.thread = Some(thread));
        arrive(crit);
    }

    /// Gets a number in the table of its CPU, for answers; false without memory. Own CPU.
    pub(crate) fn enroll(&self, crit: &Crit) -> bool {
        let number = here().objects.with(crit, |o| o.carriers.insert(CarrierRef(self)));
        self.own.with(crit, |own| own.number = number.unwrap_or(0));
        number.is_some()
    }

    /// Gives the number back: from now on no answer finds it. Own CPU.
    pub(crate) fn strike_off(&self, crit: &Crit) {
        let number = self.own.with(crit, |own| core::mem::take(&mut own.number));
        here().objects.with(crit, |o| o.carriers.remove(number));
    }

    /// What of it is mapped into the process, and where.
    pub(crate) fn pinned(&self) -> [(u64, &Pages); 2] {
        [
            (abi::map::completions(self.index), &self.completions),
            (abi::map::carrier(self.index), &self.area),
        ]
    }
}

fn wake_here(crit: &Crit, address: usize, _: usize, _: usize) {
    let carrier = core::ptr::with_exposed_provenance::<Carrier>(address);
    // SAFETY: `wake` was called through the process, which outlives its CPU processes' last message: `end::take_apart`
    // synchronises with every CPU that could have sent one.
    let carrier = unsafe { &*carrier };
    carrier.own.with(crit, |own| own.wake_token = true);
    carrier.rouse(crit);
}

/// The CPU process of the running thread, if it has one.
pub(crate) fn current(crit: &Crit) -> Option<&'static Carrier> {
    of(thread::body(crit))
}

/// Whether the running thread is a CPU process.
pub(crate) fn is_current(crit: &Crit) -> bool {
    current(crit).is_some()
}

pub(super) fn of(body: &Body) -> Option<&'static Carrier> {
    // SAFETY: set while its thread lives (`attach`, `end::leave`).
    unsafe { body.carrier.get().as_ref() }
}

/// A thread with a CPU process has come to run: its stack, its address space, its place in ring 3.
pub(crate) fn arrive(crit: &Crit) {
    let body = thread::body(crit);
    // SAFETY: set while its thread lives.
    let Some(carrier) = (unsafe { body.carrier.get().as_ref() }) else { return };
    // SAFETY: this thread's own stack, in a critical section.
    unsafe { arch::cpu::set_kernel_stack(body.stack_top) };
    // SAFETY: the tables live until every CPU process of the process has left them (`end`).
    unsafe { arch::paging::activate_root(carrier.process.root()) };
    arch::user::set_gs_base(abi::map::carrier(carrier.index));
    tick::go_on(crit, carrier);
}
