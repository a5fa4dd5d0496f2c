//! The carrier area of a CPU process and the page its process shares: memory that the kernel and the layer both use.
//!
//! Ring 3 can write all of it, so the kernel believes nothing in it: what it reads, it checks; a wrong value harms only
//! the process that wrote it. The carrier is where the user's GS base points.

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

use static_assertions::{const_assert, const_assert_eq};

/// [`Carrier::pending`]: a tick met the program counter inside the layer.
pub const PENDING_TICK: u32 = 1;
/// [`Carrier::pending`]: there is something to look at, a completion among it.
pub const PENDING_LOOK: u32 = 2;

/// An interrupted ring-3 context: in the order in which `pop` of fifteen registers and `iretq` take it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// The carrier area, from its bottom; the stack of the idle loop and the upcall grows down from its top.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Carrier {
    /// Its own address: `mov rax, gs:[0]`.
    pub this: u64,
    /// Index of the CPU process in its process.
    pub index: u64,
    /// The user thread that runs here; the layer's.
    pub current: u64,
    /// Top of the idle and upcall stack.
    pub stack_top: u64,
    /// Set by the kernel to [`PENDING_TICK`], or to [`PENDING_LOOK`] where it was 0; tested and cleared when the layer is left.
    pub pending: AtomicU32,
    /// 1 while [`Carrier::frame`] holds a context that was not taken over yet: no upcall meanwhile, only `pending`.
    pub frame_full: AtomicU32,
    /// Completions that the layer has taken.
    pub seen: AtomicU64,
    reserved: [u64; 2],
    /// 1 from just before the CPU process looks a last time and waits; who takes it from 1 to 0 enters the kernel to wake.
    /// Its own line: other CPUs write it.
    pub asleep: AtomicU32,
    asleep_line: [u32; 15],
    /// The context that the last upcall interrupted, saved by the kernel.
    pub frame: Frame,
    frame_pad: [u64; 4],
    /// For the layer's own state of this CPU process.
    pub layer: [u64; 448],
}

/// What a layer that was built to be traced writes about its user threads, in the carrier area above [`Carrier`]. Ring 3's, so
/// the kernel believes nothing in it.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct UserLog {
    /// Switches so far; the last of them are in `switches`, each at its number modulo their count.
    pub written: AtomicU64,
    reserved: u64,
    /// Ticks, and the address of the user thread that goes on.
    pub switches: [[AtomicU64; 2]; UserLog::SWITCHES],
}

impl UserLog {
    /// Switches that are kept.
    pub const SWITCHES: usize = 1023;
    /// Where it is in the carrier area.
    pub const AT: usize = 4096;
}

/// Offset of the frame in the carrier area.
pub const CARRIER_FRAME: usize = offset_of!(Carrier, frame);

/// The page that all CPU processes of a process share; the kernel writes it before the first entry to ring 3, then no more.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Shared {
    /// Entry point of the program.
    pub program_entry: u64,
    /// Words for the program: its arguments, as the image gives them.
    pub arguments: [u64; 7],
    /// For the layer's own state of the process.
    pub layer: [AtomicU64; 504],
}

// Assembly of the kernel and of the layer knows these places.
const_assert_eq!(size_of::<Frame>(), 20 * 8);
const_assert_eq!(offset_of!(Frame, rax), 14 * 8);
const_assert_eq!(offset_of!(Frame, rip), 15 * 8);
const_assert_eq!(offset_of!(Frame, ss), 19 * 8);
const_assert_eq!(offset_of!(Carrier, this), 0);
const_assert_eq!(offset_of!(Carrier, index), 8);
const_assert_eq!(offset_of!(Carrier, current), 16);
const_assert_eq!(offset_of!(Carrier, stack_top), 24);
const_assert_eq!(offset_of!(Carrier, pending), 32);
const_assert_eq!(offset_of!(Carrier, frame_full), 36);
const_assert_eq!(offset_of!(Carrier, seen), 40);
const_assert_eq!(offset_of!(Carrier, asleep), 64);
const_assert_eq!(CARRIER_FRAME, 128);
const_assert_eq!(offset_of!(Carrier, layer), 320);
const_assert!(size_of::<Carrier>() <= UserLog::AT);
const_assert!(UserLog::AT + size_of::<UserLog>() <= crate::map::CARRIER_LENGTH as usize / 2);
const_assert_eq!(size_of::<Shared>(), 4096);
