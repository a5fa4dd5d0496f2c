//! The layer's image as the kernel and the programs see it: a header and a table of entry points at its very start.

use static_assertions::{const_assert, const_assert_eq};

/// First word of the image.
pub const MAGIC: u64 = u64::from_le_bytes(*b"damselfl");
/// Version of the table: entries are only added, at the end.
pub const VERSION: u32 = 1;
/// Most entries; the table has room for all.
pub const MAX_CALLS: usize = 126;

macro_rules! calls {
    ($( $number:literal $Name:ident $doc:literal, )+) => {
        /// Entry points of the layer by their index in its table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum LayerCall { $( #[doc = $doc] $Name = $number, )+ }

        impl LayerCall {
            /// All entry points, in the order of the table.
            pub const ALL: &[LayerCall] = &[$( LayerCall::$Name, )+];
            /// Number of entry points.
            pub const COUNT: usize = Self::ALL.len();

            /// Name of the entry point.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $( LayerCall::$Name => stringify!($Name), )+ } }
        }
    };
}

calls! {
    0 Start "The kernel enters here on a fresh CPU process: rdi = its index; the first one starts the program.",
    1 Upcall "The kernel enters here with the tick's upcall, on the carrier's stack, after it saved the frame.",
    2 Foreign "Kept for the reflection of foreign system calls.",
    3 ThreadCreate "Makes a thread: function, argument, priority, CPU process.",
    4 ThreadJoin "Waits for a thread's end and takes its value.",
    5 ThreadExit "Ends the calling thread.",
    6 ThreadYield "Lets the next thread of the same priority run.",
    7 ThreadCurrent "The calling thread.",
    8 ThreadPriority "Sets a thread's priority.",
    9 ThreadSleep "Sleeps until a time.",
    10 MutexLock "Takes a mutex.",
    11 MutexUnlock "Gives a mutex back.",
    12 ConditionWait "Waits for a condition variable.",
    13 ConditionSignal "Wakes one waiter of a condition variable.",
    14 ConditionBroadcast "Wakes all waiters of a condition variable.",
    15 SemaphoreWait "Takes one from a semaphore.",
    16 SemaphorePost "Gives one to a semaphore.",
    17 ConsoleWrite "Writes text to the console.",
    18 Clock "Nanoseconds since boot, without an entry.",
    19 Exit "Ends the process.",
    20 Rfork "Adds a CPU process.",
    21 Map "Maps memory.",
    22 Unmap "Unmaps memory.",
    23 Pipe "Makes a pipe.",
    24 Read "Reads; blocks the calling thread only.",
    25 Write "Writes; blocks the calling thread only.",
    26 Close "Gives a handle back.",
    27 PortCreate "Makes a named port.",
    28 PortOpen "Opens a named port.",
    29 PortCall "Calls a port; blocks the calling thread only.",
    30 PortReceive "Takes a port's next request; blocks the calling thread only.",
    31 Reply "Answers a request.",
    32 SetTick "Sets the interval of preemption.",
    33 Record "Hands a benchmark record to the runner.",
    34 Info "CPUs of the machine; index of this CPU process.",
    35 Stats "Figures of the kernel.",
    36 Null "The null message in registers.",
    37 NullMessage "The null message as a message in memory, result written back.",
    38 DoMessage "Sends any message in memory and waits for its result; blocks the calling thread only.",
    39 Abort "Asks that a pending call be given up.",
    40 Probe "Answered in the layer: what a call costs that needs no kernel.",
    41 Send "Sends any message: registers as for the real entry, without the cookie; blocks the calling thread only.",
    42 ThreadDetach "Nobody will join a thread: its stack is free when it ends.",
    43 ThreadRelease "Gives back the stack of a thread that was joined with its stack kept.",
    44 ThreadLaunch "Makes a thread run that was created held: thread, function, argument.",
}

/// What stands at the start of the layer's image.
#[derive(Debug)]
#[repr(C)]
pub struct LayerHeader {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// Number of entries that are filled in.
    pub count: u32,
    /// Addresses of the entry points, by [`LayerCall`].
    pub calls: [u64; MAX_CALLS],
}

impl LayerHeader {
    /// Address of the table's entry for `call`.
    #[must_use]
    pub const fn slot(call: LayerCall) -> u64 {
        crate::map::LAYER + core::mem::offset_of!(LayerHeader, calls) as u64 + 8 * call as u64
    }
}

const_assert_eq!(core::mem::size_of::<LayerHeader>(), 1024);
const_assert!(LayerCall::COUNT <= MAX_CALLS);
