//! Calls of the layer's entry points by their place in its table.

use abi::{Entry, Head, LayerCall, LayerHeader, Message, Raw, Receive, Sent};
use uarch::call::{answering_slot, receive_slot, send_slot, switching_slot};

/// Place of an entry point's address.
const fn slot(call: LayerCall) -> u64 {
    LayerHeader::slot(call)
}

macro_rules! stubs {
    ($( $(#[doc = $doc:literal])+ $name:ident = $kind:ident $call:ident ( $($argument:ident),* ); )+) => {
        $( $(#[doc = $doc])+
        ///
        /// # Safety
        /// What the arguments point to is what the entry point takes, and lives as long as it needs it.
        #[inline(always)]
        pub unsafe fn $name($($argument: u64),*) -> u64 {
            // SAFETY: the caller's promise.
            unsafe { stubs!($kind $call $($argument)*) }
        } )+
    };
    (switching $call:ident $($argument:ident)*) => { switching_slot::<{ slot(LayerCall::$call) }, _>([$($argument),*]) };
    (answering $call:ident $($argument:ident)*) => { answering_slot::<{ slot(LayerCall::$call) }, _>([$($argument),*]) };
}

stubs! {
    /// Makes a thread: function, argument, options; its block, or 0.
    thread_create = answering ThreadCreate(function, argument, options);
    /// Makes a thread run that was created held.
    thread_launch = answering ThreadLaunch(thread, function, argument);
    /// Waits for a thread's end; 1 keeps its stack.
    thread_join = switching ThreadJoin(thread, keep);
    /// Gives a kept stack back.
    thread_release = answering ThreadRelease(thread);
    /// Nobody will join a thread.
    thread_detach = switching ThreadDetach(thread);
    /// Ends the calling thread.
    thread_exit = switching ThreadExit(value);
    /// Yields.
    thread_yield = switching ThreadYield();
    /// The calling thread.
    thread_current = answering ThreadCurrent();
    /// Sets a thread's priority.
    thread_priority = answering ThreadPriority(thread, priority);
    /// Sleeps until a time.
    thread_sleep = switching ThreadSleep(deadline);
    /// Takes a unit.
    semaphore_wait = switching SemaphoreWait(semaphore);
    /// Gives a unit.
    semaphore_post = answering SemaphorePost(semaphore);
    /// Waits for a condition, giving the mutex back.
    condition_wait = switching ConditionWait(condition, mutex);
    /// Wakes one.
    condition_signal = answering ConditionSignal(condition);
    /// Wakes all.
    condition_broadcast = answering ConditionBroadcast(condition);
    /// Nanoseconds since boot.
    clock = answering Clock();
    /// Answered in the layer.
    probe = answering Probe();
    /// The null message in registers.
    null = switching Null();
    /// The null message, or any, in memory.
    do_message = switching DoMessage(message);
}

/// The layer as the one who sends messages: what has to wait blocks the calling thread, so nothing is ever asynchronous.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layer;

impl Entry for Layer {
    #[inline]
    fn send(&self, head: Head, _: u64, registers: [u64; 4]) -> Raw {
        // SAFETY: messages are typed; what they describe is borrowed until this returns.
        unsafe { send_slot::<{ slot(LayerCall::Send) }>(head.0, registers) }
    }

    #[inline]
    fn receive(&self, _: u64, request: Receive) -> Raw {
        // SAFETY: as above.
        unsafe {
            receive_slot::<{ slot(LayerCall::PortReceive) }>(
                request.port.0,
                request.into.address,
                request.into.length,
            )
        }
    }

    /// Threads do not wait for completions: the layer does.
    fn wait(&self, _: u64, _: u64) -> Raw {
        Raw { status: -(abi::Error::Denied as i64), value: 0, value2: 0 }
    }
}

/// Sends `message` and waits for its answer.
#[inline]
pub fn send<M: Message>(message: &M) -> Result<M::Answer, abi::Failure> {
    match message.send(&Layer, 0, 0)? {
        Sent::Now(answer) => Ok(answer),
        // The layer waits for completions itself; a status that says otherwise is its bug.
        Sent::Later => Err(abi::Failure::new(abi::Error::Cancelled)),
    }
}
