//! The entry points of the layer that concern threads: naked stubs that call a decision and switch.

use crate::{Static, carrier};
use core::arch::naked_asm;
use core::mem::offset_of;
use uthread::{Carrier, Condition, Join, Semaphore, Tcb};

/// Keeps the stack of the host's compiler aligned; the layer's compiler needs no alignment.
#[cfg(target_os = "none")]
macro_rules! align {
    () => {
        ""
    };
}
#[cfg(not(target_os = "none"))]
macro_rules! align {
    () => {
        "push rax"
    };
}
#[cfg(target_os = "none")]
macro_rules! unalign {
    () => {
        ""
    };
}
#[cfg(not(target_os = "none"))]
macro_rules! unalign {
    () => {
        "pop rcx"
    };
}

/// Goes on with the thread in `rax`: its blocking call returns its `result`.
macro_rules! go_on {
    () => {
        "mov rsp, [rax + {sp}]
         mov rax, [rax + {result}]
         pop rbp
         pop rbx
         pop rcx
         jmp rcx"
    };
}
pub(crate) use go_on;

/// A switching entry point: saves the caller, asks whom to run, goes on with it.
macro_rules! switching {
    ($(#[$doc:meta])* $name:ident = $decide:ident ( $($argument:ident : $type:ty),* ) $body:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Called as the crate's head says, by a user thread; objects live until their last waiter has run.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name<K: Static>() {
            extern "C" fn $decide<K: Static>($($argument: $type),*) -> &'static Tcb {
                let decide: fn(&'static Carrier, K, $($type),*) -> &'static Tcb = $body;
                decide(carrier(), K::default(), $($argument),*)
            }
            naked_asm!(
                "push rbx",
                "push rbp",
                "mov rcx, gs:[{current}]",
                "mov [rcx + {sp}], rsp",
                align!(),
                "call {decide}",
                go_on!(),
                decide = sym $decide::<K>,
                current = const offset_of!(Carrier, current),
                sp = const offset_of!(Tcb, sp),
                result = const offset_of!(Tcb, result),
            )
        }
    };
}

/// An answering entry point: calls a function, and looks around when something is pending.
macro_rules! answering {
    ($(#[$doc:meta])* $name:ident = $decide:ident ( $($argument:ident : $type:ty),* ) -> $result:ty, $body:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Called as a C function by a user thread; objects live until their last waiter has run.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name<K: Static>() {
            extern "C" fn $decide<K: Static>($($argument: $type),*) -> $result {
                let decide: fn(&'static Carrier, K, $($type),*) -> $result = $body;
                decide(carrier(), K::default(), $($argument),*)
            }
            naked_asm!(
                align!(),
                "call {decide}",
                unalign!(),
                "cmp dword ptr gs:[{pending}], 0",
                "jne {leave}",
                "ret",
                decide = sym $decide::<K>,
                leave = sym leave_pending::<K>,
                pending = const offset_of!(Carrier, pending),
            )
        }
    };
}

switching! {
    /// Yields to the next thread of the same priority.
    yield_now = decide_yield() |carrier, _| carrier.yield_now()
}
switching! {
    /// Something is pending: the carrier's own loop looks.
    attend = decide_attend() |carrier, _| carrier.attend()
}
switching! {
    /// `rdi` = semaphore: takes a unit.
    semaphore_wait = decide_wait(semaphore: &'static Semaphore) |carrier, kernel, semaphore| semaphore.take(carrier, kernel)
}
switching! {
    /// `rdi` = condition, `rsi` = mutex: waits. The caller takes the mutex again afterwards.
    condition_wait = decide_condition(condition: &'static Condition, mutex: &'static Semaphore)
        |carrier, kernel, condition, mutex| condition.wait(mutex, carrier, kernel)
}
switching! {
    /// `rdi` = thread, `rsi` = 0, or 1 to keep its stack: waits for its end; `rax` = its value.
    join = decide_join(thread: &'static Tcb, keep: u64) |carrier, kernel, thread, keep| {
        carrier.join(thread, if keep == 0 { Join::Free } else { Join::Keep }, kernel)
    }
}
switching! {
    /// `rdi` = thread: nobody will join it.
    detach = decide_detach(thread: &'static Tcb) |carrier, kernel, thread| carrier.detach(thread, kernel)
}
switching! {
    /// `rdi` = value: ends the thread; does not come back.
    exit = decide_exit(value: u64) |carrier, kernel, value| carrier.exit(value, kernel)
}
switching! {
    /// `rdi` = nanoseconds since boot: sleeps until then.
    sleep = decide_sleep(deadline: u64) |carrier, _, deadline| carrier.sleep_until(deadline)
}
switching! {
    /// The call in the thread's message is under way: waits for its completion.
    await_completion = decide_completion() |carrier, _| carrier.await_completion()
}

answering! {
    /// `rdi` = semaphore: gives a unit.
    semaphore_post = decide_post(semaphore: &'static Semaphore) -> (), |carrier, kernel, semaphore| semaphore.give(carrier, kernel)
}
answering! {
    /// `rdi` = condition: wakes one.
    condition_signal = decide_signal(condition: &'static Condition) -> (), |carrier, kernel, condition| condition.notify_one(carrier, kernel)
}
answering! {
    /// `rdi` = condition: wakes all.
    condition_broadcast = decide_broadcast(condition: &'static Condition) -> (), |carrier, kernel, condition| condition.notify_all(carrier, kernel)
}
answering! {
    /// `rdi` = function, `rsi` = argument, `rdx` = options: a new thread; `rax` = it, or 0.
    create = decide_create(function: usize, argument: u64, options: u64) -> Option<&'static Tcb>,
        |carrier, kernel, function, argument, options| carrier.create(function, argument, options, kernel)
}
answering! {
    /// `rdi` = thread created held, `rsi` = function, `rdx` = argument: it runs.
    launch = decide_launch(thread: &'static Tcb, function: usize, argument: u64) -> (),
        |carrier, kernel, thread, function, argument| carrier.launch(thread, function, argument, kernel)
}
answering! {
    /// `rdi` = thread, joined with its stack kept: gives the stack back.
    release = decide_release(thread: &'static Tcb) -> (), |carrier, kernel, thread| carrier.release(thread, kernel)
}
answering! {
    /// `rdi` = thread of this carrier, `rsi` = priority.
    set_priority = decide_priority(thread: &'static Tcb, priority: u64) -> (), |carrier, _, thread, priority| carrier.set_priority(thread, priority as u8)
}
answering! {
    /// `rax` = nanoseconds since boot.
    clock = decide_clock() -> u64, |carrier, kernel| kernel.now(carrier)
}

/// Answered in the layer: `rax` = the calling thread.
///
/// # Safety
/// Called as a C function by a user thread.
#[unsafe(naked)]
pub unsafe extern "C" fn current<K: Static>() {
    naked_asm!(
        "mov rax, gs:[{current}]",
        "cmp dword ptr gs:[{pending}], 0",
        "jne {leave}",
        "ret",
        current = const offset_of!(Carrier, current),
        pending = const offset_of!(Carrier, pending),
        leave = sym leave_pending::<K>,
    )
}

/// An answering entry point is about to return and something is pending: keeps all that a C function keeps, and its answer.
///
/// # Safety
/// Jumped to in place of the `ret` of an answering entry point.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave_pending<K: Static>() {
    naked_asm!(
        "push rax",
        "push rdx",
        "push r10",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "call {attend}",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r10",
        "pop rdx",
        "pop rax",
        "ret",
        attend = sym attend::<K>,
    )
}

/// Where a new thread begins: `rbx` = function, `rbp` = argument, the stack pointer just above them in its block,
/// which is the top of its stack.
///
/// # Safety
/// Only the switch to a new thread comes here.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn first_run<K: Static>() {
    naked_asm!(
        "sub rsp, {start}",
        "mov rdi, rbp",
        "xor ebp, ebp",
        "call rbx",
        "mov rdi, rax",
        "call {decide}",
        go_on!(),
        decide = sym ended::<K>,
        start = const size_of::<uthread::Start>(),
        sp = const offset_of!(Tcb, sp),
        result = const offset_of!(Tcb, result),
    )
}

/// A thread's function for who put something on its stack: `rdi` = argument, 16-byte aligned on the new stack, which goes on
/// below it. Its first word is the function that gets the argument.
///
/// # Safety
/// The function of a new thread, whose argument points to such a thing at the top of its stack.
#[unsafe(naked)]
pub unsafe extern "C" fn below_argument(argument: u64) -> u64 {
    naked_asm!("mov rax, [rsp]", "mov rsp, rdi", "push rax", "jmp qword ptr [rdi]")
}

extern "C" fn ended<K: Static>(value: u64) -> &'static Tcb {
    carrier().exit(value, K::default())
}
