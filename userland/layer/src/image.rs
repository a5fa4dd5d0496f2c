//! The header and the table of entry points, at the very start of the image.

use crate::native::Native;
use abi::layer::{LayerHeader, MAGIC, MAX_CALLS, VERSION};
use abi::{FLAG_REGISTERS, Head, LayerCall, Number};
use core::mem::offset_of;
use static_assertions::{assert_eq_size, const_assert_eq};
use uarch::{entry, message, upcall};

/// Address of an entry point; its registers are its own affair.
#[repr(transparent)]
struct Entry(*const ());

// SAFETY: an address of code.
unsafe impl Sync for Entry {}

/// [`LayerHeader`] as the linker fills it in.
#[repr(C)]
struct Header {
    magic: u64,
    version: u32,
    count: u32,
    calls: [Entry; MAX_CALLS],
}

assert_eq_size!(Header, LayerHeader);
const_assert_eq!(offset_of!(Header, calls), offset_of!(LayerHeader, calls));

#[used]
#[unsafe(link_section = ".layer.header")]
static HEADER: Header =
    Header { magic: MAGIC, version: VERSION, count: LayerCall::COUNT as u32, calls: calls() };

/// Head of a message in registers.
const fn head(number: Number) -> u64 {
    Head::new(number as u16, FLAG_REGISTERS, 0).0
}

macro_rules! table {
    ($( $call:ident => $entry:expr, )+) => {
        const fn calls() -> [Entry; MAX_CALLS] {
            let mut calls = [const { Entry(core::ptr::null()) }; MAX_CALLS];
            $( calls[LayerCall::$call as usize] = Entry($entry as *const ()); )+
            calls
        }
    };
}

table! {
    Start => message::start::<Native, Native>,
    Upcall => upcall::upcall::<Native>,
    ThreadCreate => entry::create::<Native>,
    ThreadJoin => entry::join::<Native>,
    ThreadExit => entry::exit::<Native>,
    ThreadYield => entry::yield_now::<Native>,
    ThreadCurrent => entry::current::<Native>,
    ThreadPriority => entry::set_priority::<Native>,
    ThreadSleep => entry::sleep::<Native>,
    ThreadDetach => entry::detach::<Native>,
    ThreadRelease => entry::release::<Native>,
    ThreadLaunch => entry::launch::<Native>,
    MutexLock => entry::semaphore_wait::<Native>,
    MutexUnlock => entry::semaphore_post::<Native>,
    ConditionWait => entry::condition_wait::<Native>,
    ConditionSignal => entry::condition_signal::<Native>,
    ConditionBroadcast => entry::condition_broadcast::<Native>,
    SemaphoreWait => entry::semaphore_wait::<Native>,
    SemaphorePost => entry::semaphore_post::<Native>,
    Clock => entry::clock::<Native>,
    Probe => entry::current::<Native>,
    Null => message::null::<Native>,
    NullMessage => message::do_message::<Native>,
    DoMessage => message::do_message::<Native>,
    Send => message::send::<Native>,
    PortReceive => message::receive::<Native>,
    ConsoleWrite => message::send_fixed::<Native, { head(Number::ConsoleWrite) }>,
    Exit => message::send_fixed::<Native, { head(Number::Exit) }>,
    Rfork => message::send_fixed::<Native, { head(Number::Rfork) }>,
    Map => message::send_fixed::<Native, { head(Number::Map) }>,
    Unmap => message::send_fixed::<Native, { head(Number::Unmap) }>,
    Pipe => message::send_fixed::<Native, { head(Number::Pipe) }>,
    Read => message::send_fixed::<Native, { head(Number::Read) }>,
    Write => message::send_fixed::<Native, { head(Number::Write) }>,
    Close => message::send_fixed::<Native, { head(Number::Close) }>,
    PortCreate => message::send::<Native>,
    PortOpen => message::send::<Native>,
    PortCall => message::send::<Native>,
    Reply => message::send_fixed::<Native, { head(Number::Reply) }>,
    SetTick => message::send_fixed::<Native, { head(Number::SetTick) }>,
    Record => message::send_fixed::<Native, { head(Number::Record) }>,
    Info => message::send_fixed::<Native, { head(Number::Info) }>,
    Stats => message::send_fixed::<Native, { head(Number::Stats) }>,
    Abort => message::send_fixed::<Native, { head(Number::Abort) }>,
}

/// The image's nominal entry; the kernel uses the table.
#[unsafe(no_mangle)]
extern "C" fn layer_start() -> ! {
    crate::native::fail("damselfly layer: not a program\n")
}
