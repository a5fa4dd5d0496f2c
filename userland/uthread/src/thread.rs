//! The thread control block: what the layer knows of one user thread, in less than 448 bytes above its stack.
//!
//! ```text
//!  new ──1──▶ ready ◀──2──▶ running ──3──▶ waiting        1 create     2 yield, preempted / chosen
//!               ▲                │            │            3 any blocking call
//!               └───────4────────┼────────────┘            4 its object, completion, timer or mail
//!                                5──▶ dead ──6──▶ free     5 exit       6 join, detach
//! ```
//! A block lives at the top of its stack's highest page and is never unmapped while the process lives, so `&'static Tcb`
//! is the reference to a thread. Freed blocks keep what the next thread needs unchanged.
//!
//! Context law: a thread belongs to its home carrier; only that carrier touches its block, except while the thread
//! travels as [`Mail`]: then its block belongs to the mail's receiver.

use crate::{Carrier, Fifo, Inbox, Mail};
use abi::{Frame, SysMsg};
use core::cell::Cell;
use core::ptr::NonNull;

/// Most bytes that a block may take, so that a million threads cost what the goals say.
pub const TCB_LIMIT: usize = 448;

/// Number of priorities; 31 is the highest.
pub const PRIORITIES: usize = 32;
/// Priority of a process's first thread.
pub const DEFAULT_PRIORITY: u8 = 16;

/// What the first switch to a thread pops: it becomes `rbp`, `rbx`, and the address that is jumped to.
#[derive(Debug)]
#[repr(C)]
pub struct Start {
    /// Argument of the thread's function.
    pub argument: Cell<u64>,
    /// The thread's function.
    pub function: Cell<usize>,
    /// The trampoline; written once, when the stack is cut from its slab.
    pub trampoline: Cell<usize>,
}

/// What a switch to a preempted thread pops, and the registers that the code it jumps to loads.
#[derive(Debug)]
#[repr(C)]
pub struct Preempted {
    /// Becomes `rbp` and `rbx`, for a moment.
    scratch: Cell<[u64; 2]>,
    /// The code that loads `frame`; written once.
    pub resume: Cell<usize>,
    /// All registers at the interruption.
    pub frame: Cell<Frame>,
}

/// How a thread ends, in one word: the address of who waits for its end, and flags. No flag at all means that a thread of
/// the same carrier waits, the usual case, which is one test.
pub(crate) type End = usize;
/// Nobody has asked yet.
pub(crate) const OPEN: End = 1;
/// Nobody will ask for the result.
pub(crate) const DETACHED: End = 2;
/// The thread is dead, nobody has asked yet.
pub(crate) const EXITED: End = 4;
/// Who waits wants the stack kept for the result.
pub(crate) const KEEP: End = 8;
/// The stack was cut for another carrier.
pub(crate) const ABROAD: End = 16;
/// Who waits belongs to another carrier.
pub(crate) const FAR: End = 32;
/// All flags; blocks are aligned beyond them.
pub(crate) const FLAGS: End = align_of::<Tcb>() - 1;

/// A user thread.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Tcb {
    /// First: the stack pointer of a new thread points here.
    pub start: Start,
    /// Saved stack pointer; there lie `rbp`, `rbx` and the address to go on at.
    pub sp: Cell<usize>,
    /// Next thread of the list that this one is in.
    pub(crate) next: Cell<&'static Tcb>,
    /// Its run queue.
    pub(crate) queue: Cell<&'static Fifo>,
    /// The bit of its priority.
    pub(crate) bit: Cell<u32>,
    /// Its stack class.
    pub(crate) class: Cell<u8>,
    /// Its priority.
    pub(crate) priority: Cell<u8>,
    /// What its blocking call returns.
    pub result: Cell<u64>,

    /// See [`End`].
    pub(crate) end: Cell<End>,
    /// Its carrier.
    pub(crate) home: Cell<&'static Inbox>,
    /// The carrier that its stack was cut for.
    pub(crate) origin: Cell<&'static Inbox>,
    /// The list of free stacks that its own goes to.
    pub(crate) list: Cell<&'static Cell<Option<&'static Tcb>>>,
    /// Link of the list of free stacks.
    pub(crate) free: Cell<Option<&'static Tcb>>,
    /// The object or thread that its call is about, while it travels or waits.
    pub(crate) subject: Cell<usize>,
    /// Its seat in other carriers' mail.
    pub(crate) mail: Mail,
    /// Its place among the timers.
    pub(crate) timer: crate::timer::Node,

    /// Error of its last failed call, as the seed's `td_errno`.
    pub errno: Cell<i64>,
    /// Its prebuilt message, as the seed's `td_sysmsg`.
    pub sysmsg: Cell<SysMsg>,
    /// Registers, when preempted.
    pub preempted: Preempted,
}

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
static_assertions::const_assert!(size_of::<Tcb>() <= TCB_LIMIT);
// A thread belongs to a carrier; what others may touch of it travels as mail.
static_assertions::assert_not_impl_any!(Tcb: Send, Sync);

/// The two code addresses that a thread's block holds from the beginning: who makes blocks knows the assembly.
#[derive(Clone, Copy, Debug)]
pub struct Landing {
    /// Entered at the first switch: calls the function in `rbx` with the argument in `rbp`, then exits.
    pub trampoline: usize,
    /// Entered at the switch to a preempted thread, with the stack pointer at its frame.
    pub resume: usize,
}

impl Tcb {
    /// Makes a block at `at`, free, in class `class`, belonging to `carrier`.
    ///
    /// # Safety
    /// `at` is aligned, writable, big enough, nobody else's, and stays so while the process lives.
    pub(crate) unsafe fn make(
        at: NonNull<Tcb>,
        class: u8,
        carrier: &'static Carrier,
        landing: Landing,
    ) -> &'static Tcb {
        let queue = carrier.run_queue(DEFAULT_PRIORITY);
        // SAFETY: aligned, and about to be filled before anyone reads it through the reference (caller's promise).
        let this: &'static Tcb = unsafe { at.as_ref() };
        let block = Tcb {
            start: Start {
                argument: Cell::new(0),
                function: Cell::new(0),
                trampoline: Cell::new(landing.trampoline),
            },
            sp: Cell::new(at.as_ptr() as usize),
            next: Cell::new(this),
            queue: Cell::new(queue),
            bit: Cell::new(1 << DEFAULT_PRIORITY),
            class: Cell::new(class),
            priority: Cell::new(DEFAULT_PRIORITY),
            result: Cell::new(0),
            end: Cell::new(OPEN),
            home: Cell::new(carrier.inbox()),
            origin: Cell::new(carrier.inbox()),
            list: Cell::new(&carrier.free[class as usize]),
            free: Cell::new(None),
            subject: Cell::new(0),
            mail: Mail::new(),
            timer: crate::timer::Node::new(),
            errno: Cell::new(0),
            sysmsg: Cell::new(SysMsg::EMPTY),
            preempted: Preempted {
                scratch: Cell::new([0; 2]),
                resume: Cell::new(landing.resume),
                frame: Cell::new(Frame::default()),
            },
        };
        // SAFETY: writable and ours (caller's promise).
        unsafe { at.write(block) };
        this
    }

    /// Its priority.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority.get()
    }

    /// Its carrier.
    #[must_use]
    pub fn home(&self) -> &'static Inbox {
        self.home.get()
    }

    /// Points the saved stack pointer at the saved frame, so that the next switch goes on where it was interrupted.
    pub(crate) fn save_frame(&self, frame: Frame) {
        self.preempted.frame.set(frame);
        self.sp.set(&raw const self.preempted as usize);
    }
}
