//! A line: a source of interrupts, and its thread on each CPU from registering to the end.
//!
//! Law: a slot is its CPU's. What was raised and the thread has not taken is what there is to handle: it looks at that in
//! the critical section in which it goes to wait, so no raise is left behind.

use super::{Counted, LINES};
use crate::cpu::{self, critical, here};
use crate::fallible::{self, Shared};
use crate::thread::{self, Handle};
use crate::{ipi, timer};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use lwkt_sched::{Limiter, MayBlock, Name, Pace, Priority, Rates, Reason, ThreadRef, Why};
use percpu::{CpuId, Crit, MAX_CPUS};

/// A line by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line(u8);

impl Line {
    /// The line of a number that [`number`](Self::number) gave: raising one that is closed does no harm.
    pub fn numbered(number: usize) -> Self {
        Self((number % LINES) as u8)
    }

    /// Its number.
    #[inline]
    pub fn number(self) -> usize {
        usize::from(self.0) % LINES
    }
}

/// What one CPU knows about one line. Its own CPU alone touches it, its handlers `raised` only.
pub(super) struct Slot {
    /// Raises so far, and those that the thread has taken; both wrap.
    pub(super) raised: AtomicU32,
    taken: AtomicU32,
    /// Times that the thread has taken some.
    takes: AtomicU64,
    /// Times that the line was too fast; and whether its thread looks by the clock, since it is.
    limited: AtomicU64,
    paced: AtomicBool,
    /// The thread as a word; 0 for none.
    thread: AtomicUsize,
    priority: AtomicU8,
    closing: AtomicBool,
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            raised: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            takes: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            paced: AtomicBool::new(false),
            thread: AtomicUsize::new(0),
            priority: AtomicU8::new(0),
            closing: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn priority(&self) -> u8 {
        self.priority.load(Ordering::Relaxed)
    }

    #[inline]
    fn left(&self) -> u32 {
        self.raised.load(Ordering::Relaxed).wrapping_sub(self.taken.load(Ordering::Relaxed))
    }

    /// The thread, if it is to be asked to run.
    #[inline]
    pub(super) fn wanted(&self) -> Option<ThreadRef> {
        let something = self.left() != 0 || self.closing.load(Ordering::Relaxed);
        if !something || self.paced.load(Ordering::Relaxed) {
            return None;
        }
        let word = self.thread.load(Ordering::Relaxed);
        // SAFETY: `begin` made the word from a thread.
        (word != 0).then(|| unsafe { ThreadRef::from_word(word) })
    }

    /// The running thread is the line's from now on, and looks at what was raised before it waits.
    fn begin(&self, _: &Crit, priority: Priority) {
        self.priority.store(priority.get(), Ordering::Relaxed);
        self.thread.store(thread::current().into_word(), Ordering::Relaxed);
    }

    /// The line has no thread any more; raises that are left are nobody's.
    fn end(&self, _: &Crit) {
        self.thread.store(0, Ordering::Relaxed);
        self.closing.store(false, Ordering::Relaxed);
        self.taken.store(self.raised.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Takes what was raised.
    #[inline]
    fn take(&self, _: &Crit) -> u32 {
        let left = self.left();
        if left != 0 {
            self.taken
                .store(self.taken.load(Ordering::Relaxed).wrapping_add(left), Ordering::Relaxed);
            self.takes.store(self.takes.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        left
    }

    /// Waits until something was raised and takes it; `None` when the line closes.
    #[inline]
    fn wait(&self, cx: &mut MayBlock) -> Option<u32> {
        critical(|crit| {
            loop {
                let left = self.take(crit);
                if left != 0 {
                    return Some(left);
                }
                if self.closing.load(Ordering::Relaxed) {
                    return None;
                }
                thread::block(crit, cx, Why::on(Reason::Interrupt, self));
            }
        })
    }

    pub(super) fn count(&self, counted: &mut Counted) {
        counted.raised += u64::from(self.raised.load(Ordering::Relaxed));
        counted.taken += self.takes.load(Ordering::Relaxed);
        counted.limited += self.limited.load(Ordering::Relaxed);
    }
}

/// What the thread of a line does on its CPU, until the line closes.
fn serve(
    cx: &mut MayBlock,
    line: Line,
    (priority, rates): (Priority, Rates),
    handler: &impl Fn(&mut MayBlock, u32),
) {
    let slot = here().interrupts.slot(line);
    critical(|crit| slot.begin(crit, priority));
    let mut limiter = Limiter::new(rates, timer::now());
    while let Some(count) = slot.wait(cx) {
        probe::handles(line.number() as u32, count.into());
        handler(cx, count);
        if let Pace::Until(deadline) = limiter.came(count.into(), timer::now) {
            paced(cx, (line, slot), &mut limiter, deadline, handler);
        }
    }
    critical(|crit| slot.end(crit));
}

/// Handles what is raised by the clock, until that is slow enough: what preempts meanwhile is the clock alone.
#[cold]
fn paced(
    cx: &mut MayBlock,
    (line, slot): (Line, &Slot),
    limiter: &mut Limiter,
    mut deadline: u64,
    handler: &impl Fn(&mut MayBlock, u32),
) {
    slot.limited.store(limiter.times(), Ordering::Relaxed);
    slot.paced.store(true, Ordering::Relaxed);
    loop {
        let count = critical(|crit| {
            while timer::now() < deadline {
                thread::sleep_until(crit, cx, Why::on(Reason::Interrupt, slot), deadline);
            }
            slot.take(crit)
        });
        if count != 0 {
            probe::handles(line.number() as u32, count.into());
            handler(cx, count);
        }
        match limiter.came(count.into(), timer::now) {
            Pace::Until(next) if !slot.closing.load(Ordering::Relaxed) => deadline = next,
            _ => break,
        }
    }
    // What comes between this and the wait is found by the wait.
    slot.paced.store(false, Ordering::Relaxed);
}

/// Why a line cannot be registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterError {
    /// All lines are taken.
    NoLine,
    /// No memory for its threads.
    NoMemory,
}

/// A line that is registered, and its threads.
#[must_use = "a line that is not closed keeps its threads"]
#[derive(Debug)]
pub struct Registered {
    line: Line,
    threads: Box<[Option<Handle>; MAX_CPUS]>,
}

/// Lines that are taken.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Gives a line a thread on each CPU, of this priority, which calls `handler` with how many times the line was raised
/// since the last call. The handler may wait.
///
/// # Errors
/// When there is no line or no memory left.
pub fn register<F>(
    cx: &mut MayBlock,
    name: Name,
    priority: Priority,
    rates: Rates,
    handler: F,
) -> Result<Registered, RegisterError>
where
    F: Fn(&mut MayBlock, u32) + Send + Sync + 'static,
{
    let threads = [const { None }; MAX_CPUS];
    let threads = fallible::boxed(threads).map_err(|_| RegisterError::NoMemory)?;
    let handler = Shared::new(handler).map_err(|_| RegisterError::NoMemory)?;
    let line = claim().ok_or(RegisterError::NoLine)?;
    let mut registered = Registered { line, threads };
    for cpu in cpu::all() {
        let handler = handler.clone();
        let started = thread::spawn_bound(cpu.id(), name, priority, move |cx| {
            serve(cx, line, (priority, rates), &*handler);
        });
        match started {
            Ok(thread) => registered.threads[cpu.id().index()] = Some(thread),
            Err(_) => {
                registered.close(cx);
                return Err(RegisterError::NoMemory);
            }
        }
    }
    Ok(registered)
}

fn claim() -> Option<Line> {
    let free = |taken: u32| {
        let line = taken.trailing_ones();
        (line < LINES as u32).then_some(taken | 1 << line)
    };
    let before = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
    Some(Line::numbered(before.trailing_ones() as usize))
}

impl Registered {
    /// The line, to raise it.
    pub fn line(&self) -> Line {
        self.line
    }

    /// Its thread on a CPU.
    pub fn thread_on(&self, cpu: CpuId) -> Option<ThreadRef> {
        self.threads[cpu.index()].as_ref().map(Handle::thread)
    }

    /// Ends its threads, each when it has handled what was raised, and gives the line back. A raise that comes later is
    /// lost, or the next one's.
    pub fn close(self, cx: &mut MayBlock) {
        let Self { line, threads } = self;
        for thread in threads.into_iter().flatten() {
            ipi::call(thread.thread().home(), |_| {
                here().leave_mark(|cpu| {
                    cpu.interrupts.slot(line).closing.store(true, Ordering::Relaxed);
                    arch::irq::set_bits(&cpu.interrupts.due, 1 << line.number());
                });
            });
            thread.join(cx);
        }
        TAKEN.fetch_and(!(1 << line.number()), Ordering::Relaxed);
    }
}
