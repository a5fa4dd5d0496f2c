//! A carrier: one CPU process as the layer sees it, with its run queues.
//!
//! The memory is the carrier area that the kernel also knows ([`abi::Carrier`]); this is the same layout with the layer's
//! own part filled in. The running thread stays the head of its queue, so that to yield is to rotate. A decision returns whom
//! to run; whoever carries it out looks at `pending` first, and runs the carrier's own loop instead when it is set.
//!
//! Context law: a `&Carrier` is in the hands of its own CPU process alone (it is not `Sync`), and the layer is never
//! interrupted by an upcall, so nothing here needs an atomic; other carriers reach the [`Inbox`] only.

use crate::fifo::{Fifo, Removed, Was};
use crate::process::{CLASSES, Process};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::thread::{DEFAULT_PRIORITY, Landing, PRIORITIES, Tcb};
use crate::timer::Timers;
use crate::{Inbox, Kernel};
use abi::{Completions, Frame};
use core::cell::Cell;
use core::ptr::NonNull;

pub use abi::{PENDING_LOOK as LOOK, PENDING_TICK as TICK};

/// The part of a carrier area that the kernel and the assembly know by its offsets, then the layer's own.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Carrier {
    this: Cell<usize>,
    index: Cell<u64>,
    /// The thread that runs here; the carrier's own loop when none does.
    pub current: Cell<&'static Tcb>,
    /// Top of the stack of the carrier's own loop.
    pub stack_top: Cell<usize>,
    /// Nonzero: something to do when the layer is left. Hints only; the loop looks at everything.
    pub pending: AtomicU32,
    /// See [`abi::Carrier`].
    pub frame_full: AtomicU32,
    pub(crate) seen: AtomicU64,
    /// Where the preempted thread that is being resumed goes on, for the last instruction of that.
    pub resume_at: Cell<u64>,
    reserved: u64,
    pub(crate) inbox: Inbox,
    /// Where the kernel saved what an upcall interrupted.
    pub frame: Cell<Frame>,
    frame_pad: [u64; 4],

    ready: Cell<u32>,
    /// One for each priority, and the place of the carrier's own loop, always empty.
    queues: [Fifo; PRIORITIES + 1],
    pub(crate) free: [Cell<Option<&'static Tcb>>; CLASSES],
    pub(crate) timers: Timers,
    pub(crate) completions: &'static Completions,
    pub(crate) process: &'static Process,
    pub(crate) landing: Landing,
    pub(crate) counters: Counters,
    idle: Tcb,
}

/// What a carrier counted.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Counters {
    /// Times that the carrier's own loop ran.
    pub loops: Cell<u64>,
    /// Times that it waited in the kernel.
    pub sleeps: Cell<u64>,
    /// Completions taken.
    pub completions: Cell<u64>,
    /// Mail taken from other carriers.
    pub mail: Cell<u64>,
    /// Threads preempted by an upcall.
    pub preempted: Cell<u64>,
}

/// Adds one.
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// The kernel's view of the carrier area, and ours.
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
mod layout {
    use super::Carrier;
    use core::mem::offset_of;
    use static_assertions::{const_assert, const_assert_eq};

    macro_rules! same_places {
        ($($ours:ident = $theirs:ident),+) => {
            $( const_assert_eq!(offset_of!(Carrier, $ours), offset_of!(abi::Carrier, $theirs)); )+
        };
    }
    same_places! {
        this = this, index = index, current = current, stack_top = stack_top, pending = pending,
        frame_full = frame_full, seen = seen, inbox = asleep, frame = frame, ready = layer
    }
    const_assert!(size_of::<Carrier>() <= size_of::<abi::Carrier>());
}

// Whoever holds a reference is the CPU process itself; others have its inbox.
static_assertions::assert_not_impl_any!(Carrier: Send, Sync);
static_assertions::assert_impl_all!(crate::Inbox: Sync);

impl Carrier {
    /// Makes the carrier of CPU process `index` in its area and enters it in the list of `process`.
    ///
    /// # Safety
    /// `at` is the carrier area: writable, aligned, nobody else's, there as long as the process. `landing` are the addresses
    /// of code that keeps the promises of [`Landing`], `loop_entry` that of code that runs the loop on the stack whose
    /// top is `stack_top`.
    pub unsafe fn make(
        at: NonNull<Carrier>,
        index: u64,
        stack_top: usize,
        completions: &'static Completions,
        process: &'static Process,
        landing: Landing,
        loop_entry: usize,
    ) -> &'static Carrier {
        let address = at.as_ptr() as usize;
        // SAFETY: aligned, there for ever, and filled in before it is read (caller's promise).
        let this: &'static Carrier = unsafe { at.as_ref() };
        // SAFETY: the block lies inside the area, which is ours.
        let idle_at = unsafe { NonNull::new_unchecked((&raw const this.idle).cast_mut()) };
        // SAFETY: as above; what `make` reads of the carrier are addresses.
        let idle = unsafe {
            Tcb::make(idle_at, 0, this, Landing { trampoline: loop_entry, resume: landing.resume })
        };
        idle.bit.set(0);
        idle.queue.set(&this.queues[PRIORITIES]);
        // SAFETY: the block was just made; it is moved out and back in as part of the whole.
        let idle_block = unsafe { idle_at.read() };
        let carrier = Carrier {
            this: Cell::new(address),
            index: Cell::new(index),
            current: Cell::new(idle),
            stack_top: Cell::new(stack_top),
            pending: AtomicU32::new(0),
            frame_full: AtomicU32::new(0),
            seen: AtomicU64::new(completions.count()),
            resume_at: Cell::new(0),
            reserved: 0,
            inbox: Inbox::new(index as u32, &raw const this.pending),
            frame: Cell::new(Frame::default()),
            frame_pad: [0; 4],
            ready: Cell::new(0),
            queues: [const { Fifo::new() }; PRIORITIES + 1],
            free: [const { Cell::new(None) }; CLASSES],
            timers: Timers::new(),
            completions,
            process,
            landing,
            counters: Counters::default(),
            idle: idle_block,
        };
        // SAFETY: writable and ours (caller's promise).
        unsafe { at.write(carrier) };
        process.enter(this);
        this
    }

    /// Index of its CPU process.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index.get()
    }

    /// What other carriers may touch.
    #[must_use]
    pub fn inbox(&'static self) -> &'static Inbox {
        &self.inbox
    }

    /// Is `inbox` this carrier's?
    #[inline(always)]
    pub(crate) fn is(&self, inbox: &Inbox) -> bool {
        core::ptr::eq(&raw const self.inbox, inbox)
    }

    /// The carrier's own loop as a thread.
    #[must_use]
    pub fn idle(&'static self) -> &'static Tcb {
        &self.idle
    }

    /// The pages that the kernel writes for it.
    #[must_use]
    pub fn completions(&self) -> &'static Completions {
        self.completions
    }

    /// What it counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// `thread` runs from now on.
    #[inline(always)]
    pub(crate) fn go(&self, thread: &'static Tcb) {
        probe::user(probe::low(core::ptr::from_ref(thread).addr()), 0);
        self.current.set(thread);
    }

    /// The run queue of a priority.
    pub(crate) fn run_queue(&'static self, priority: u8) -> &'static Fifo {
        &self.queues[priority as usize % PRIORITIES]
    }

    /// Marks that there is something to look at when the layer is left.
    #[inline(always)]
    pub(crate) fn look(&self) {
        self.pending.store(LOOK, Ordering::Relaxed);
    }

    /// Makes `thread`, which is in no list, ready (edges 1 and 4).
    #[inline(always)]
    pub(crate) fn ready(&self, thread: &'static Tcb) {
        let (queue, running) = (thread.queue.get(), self.current.get());
        if core::ptr::eq(queue, running.queue.get()) {
            queue.push_behind(running, thread);
        } else {
            self.ready_other(thread, queue);
        }
    }

    /// Of another priority than the running thread: its queue may be empty, and it may be the higher one.
    #[inline(never)]
    fn ready_other(&self, thread: &'static Tcb, queue: &'static Fifo) {
        if queue.push(thread) == Was::Empty {
            self.ready.set(self.ready.get() | thread.bit.get());
        }
        // Queues lie in the order of their priorities, that of the carrier's own loop above them all.
        if &raw const *queue > &raw const *self.current.get().queue.get() {
            self.look();
        }
    }

    /// First half of leaving: takes the running thread out of its queue. It may go into another list before the second half.
    #[inline(always)]
    pub(crate) fn unlink(&self, running: &'static Tcb) -> &'static Tcb {
        running.queue.get().unlink_head(running)
    }

    /// Second half of leaving: chooses whom to run, `next` being the rest of the queue. Nothing may become ready in between.
    #[inline(always)]
    pub(crate) fn choose(&'static self, running: &'static Tcb, next: &'static Tcb) -> &'static Tcb {
        if core::ptr::eq(running, next) {
            return self.last_left(running);
        }
        self.go(next);
        next
    }

    /// Is nobody else of the running thread's priority ready?
    #[inline(always)]
    pub(crate) fn is_alone(&self, running: &'static Tcb) -> bool {
        core::ptr::eq(running.next.get(), running)
    }

    /// Takes the running thread out of its queue and chooses the next (edges 3 and 5). It may go into another list now.
    #[inline(always)]
    pub(crate) fn leave(&'static self, running: &'static Tcb) -> &'static Tcb {
        let next = self.unlink(running);
        self.choose(running, next)
    }

    /// The running thread was the last of its priority.
    #[inline(never)]
    pub(crate) fn last_left(&'static self, running: &'static Tcb) -> &'static Tcb {
        running.queue.get().clear();
        self.ready.set(self.ready.get() & !running.bit.get());
        let next = self.first().unwrap_or(self.idle());
        self.go(next);
        next
    }

    /// The first thread of the highest priority.
    #[inline]
    pub(crate) fn first(&self) -> Option<&'static Tcb> {
        let highest = self.ready.get().checked_ilog2()?;
        self.queues[highest as usize].head()
    }

    /// The running thread lets the next of its priority run (edge 2).
    #[inline(always)]
    pub fn yield_now(&'static self, running: &'static Tcb) -> &'static Tcb {
        let head = running.queue.get().rotate(running);
        self.go(head);
        head
    }

    /// The layer is left and `pending` is set: the carrier's own loop looks.
    #[inline(never)]
    pub fn attend(&'static self) -> &'static Tcb {
        if self.pending.load(Ordering::Relaxed) == TICK {
            let running = self.current.get();
            running.queue.get().rotate(running);
        }
        self.go(self.idle());
        self.idle()
    }

    /// A tick interrupted the running thread outside the layer: keeps its registers in its block, and rotates.
    pub fn preempted(&'static self) {
        let running = self.current.get();
        running.save_frame(self.frame.get());
        // Pairs with: the kernel's look at it, on this CPU: the registers are read before it may write others.
        self.frame_full.store(0, Ordering::Release);
        running.queue.get().rotate(running);
        count(&self.counters.preempted);
        self.go(self.idle());
    }

    /// Sets the priority of `thread`, of this carrier. The running thread gives way at once if it has to.
    pub fn set_priority(&'static self, thread: &'static Tcb, priority: u8) {
        let removed = thread.queue.get().remove(thread);
        if removed == Removed::Last {
            self.ready.set(self.ready.get() & !thread.bit.get());
        }
        self.assign(thread, priority);
        if removed != Removed::Absent {
            let queue = thread.queue.get();
            let running = core::ptr::eq(thread, self.current.get());
            let was = if running { queue.push_front(thread) } else { queue.push(thread) };
            if was == Was::Empty {
                self.ready.set(self.ready.get() | thread.bit.get());
            }
            self.look();
        }
    }

    /// Gives `thread`, which is in no run queue, a priority.
    pub(crate) fn assign(&'static self, thread: &'static Tcb, priority: u8) {
        let priority = priority % PRIORITIES as u8;
        thread.priority.set(priority);
        thread.bit.set(1 << priority);
        thread.queue.set(self.run_queue(priority));
    }

    /// The carrier's own loop: looks at completions, mail and timers, sleeps when there is nothing, returns whom to run.
    /// It runs in place of whom a decision chose when `pending` is set: the chosen thread stays the head of its queue.
    pub fn run<K: Kernel>(&'static self, kernel: K) -> &'static Tcb {
        self.go(self.idle());
        count(&self.counters.loops);
        loop {
            self.look_around(kernel);
            if let Some(next) = self.first() {
                self.go(next);
                return next;
            }
            self.sleep(kernel);
        }
    }
}

/// Priority of a new process's first thread, for who creates it.
pub const FIRST_PRIORITY: u8 = DEFAULT_PRIORITY;
