//! The entry points of the layer that concern threads: naked stubs that call a decision and switch.

use crate::{Static, carrier};
use core::arch::{asm, naked_asm};
use core::mem::offset_of;
use uthread::{Carrier, Condition, Given, Join, Semaphore, Tcb};

/// Leaves the layer to `next`, whose blocking call returns its `result`; or to the carrier's own loop when something is pending.
///
/// # Safety
/// At the end of an entry point, which has saved its caller: nothing of this stack is needed but what was saved.
#[inline(always)]
pub(crate) unsafe fn go_on<K: Static>(next: &'static Tcb) -> ! {
    // SAFETY: the saved stack pointer of a thread that does not run, or of the caller, leads to the three words of the crate's head.
    unsafe {
        asm!(
            "cmp dword ptr gs:[{pending}], 0",
            "jne {own_loop}",
            "mov rsp, [rax + {sp}]",
            "mov rax, [rax + {result}]",
            "pop rbp",
            "pop rbx",
            "pop rcx",
            "jmp rcx",
            in("rax") next,
            sp = const offset_of!(Tcb, sp),
            result = const offset_of!(Tcb, result),
            pending = const offset_of!(Carrier, pending),
            own_loop = sym crate::upcall::own_loop::<K>,
            options(noreturn, nostack),
        )
    }
}

/// A switching entry point: saves the caller, asks whom to run, goes on with it. The running thread is the fourth argument.
macro_rules! switching {
    ($(#[$doc:meta])* $name:ident = $decide:ident ( $first:ident : $type1:ty, $second:ident : $type2:ty )
        |$carrier:ident, $running:ident, $kernel:ident| $body:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Called as the crate's head says, by a user thread; objects live until their last waiter has run.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name<K: Static>() {
            naked_asm!(
                "push rbx",
                "push rbp",
                "mov rcx, gs:[{current}]",
                "mov [rcx + {sp}], rsp",
                "jmp {decide}",
                decide = sym $decide::<K>,
                current = const offset_of!(Carrier, current),
                sp = const offset_of!(Tcb, sp),
            )
        }

        extern "C" fn $decide<K: Static>($first: $type1, $second: $type2, _: u64, $running: &'static Tcb) -> ! {
            let ($carrier, $kernel) = (carrier(), K::default());
            let next = $body;
            // SAFETY: the stub saved its caller.
            unsafe { go_on::<K>(next) }
        }
    };
}

/// A switching entry point with a short way: `here` decides the usual case without a stack, or says that nothing has
/// happened yet; then `far` decides.
macro_rules! switching_here {
    ($(#[$doc:meta])* $name:ident = $decide:ident, $decide_far:ident ( $first:ident : $type1:ty, $second:ident : $type2:ty )
        |$carrier:ident, $running:ident, $kernel:ident| $here:expr, far $far:expr) => {
        switching! {
            $(#[$doc])*
            $name = $decide($first: $type1, $second: $type2) |$carrier, $running, $kernel| {
                extern "C" fn $decide_far<K: Static>($first: $type1, $second: $type2, _: u64, $running: &'static Tcb) -> ! {
                    let ($carrier, $kernel) = (carrier(), K::default());
                    let next = $far;
                    // SAFETY: the stub saved its caller.
                    unsafe { go_on::<K>(next) }
                }
                let _: K = $kernel;
                match $here {
                    Some(next) => next,
                    // SAFETY: a jump to a function that does not return either, with its arguments in their registers.
                    None => unsafe {
                        asm!(
                            "jmp {far}",
                            far = sym $decide_far::<K>,
                            in("rdi") $first, in("rsi") $second, in("rcx") $running,
                            options(noreturn, nostack),
                        )
                    },
                }
            }
        }
    };
}

/// Leaves the layer from an answering entry point.
macro_rules! answer {
    ($K:ident, $result:expr) => {{
        let result = $result;
        // SAFETY: the context law: the GS base is a carrier area. A hint, read in one piece.
        unsafe {
            asm!(
                "cmp dword ptr gs:[{}], 0",
                "jne {}",
                const offset_of!(Carrier, pending),
                label { return look_around::<$K, _>(result) },
                options(readonly, nostack),
            );
        }
        result
    }};
}

/// An answering entry point: a function, which looks around at its end when something is pending.
macro_rules! answering {
    ($(#[$doc:meta])* $name:ident ( $($argument:ident : $type:ty),* ) -> $result:ty, |$carrier:ident, $kernel:ident| $body:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Called by a user thread; objects live until their last waiter has run.
        pub unsafe extern "C" fn $name<K: Static>($($argument: $type),*) -> $result {
            let ($carrier, $kernel) = (carrier(), K::default());
            answer!(K, $body)
        }
    };
}

switching! {
    /// Yields to the next thread of the same priority.
    yield_now = decide_yield(_none: u64, _none2: u64) |carrier, running, _kernel| carrier.yield_now(running)
}
switching! {
    /// Something is pending: the carrier's own loop looks.
    attend = decide_attend(_none: u64, _none2: u64) |carrier, _running, _kernel| carrier.attend()
}
switching_here! {
    /// `rdi` = semaphore: takes a unit.
    semaphore_wait = decide_wait, decide_wait_far(semaphore: &'static Semaphore, _none: u64)
        |carrier, running, kernel| semaphore.take_here(carrier, running), far semaphore.take(carrier, running, kernel)
}
switching! {
    /// `rdi` = condition, `rsi` = mutex: waits. The caller takes the mutex again afterwards.
    condition_wait = decide_condition(condition: &'static Condition, mutex: &'static Semaphore)
        |carrier, running, kernel| condition.wait(mutex, carrier, running, kernel)
}
switching_here! {
    /// `rdi` = thread, `rsi` = 0, or 1 to keep its stack: waits for its end; `rax` = its value.
    join = decide_join, decide_join_far(thread: &'static Tcb, keep: u64)
        |carrier, running, kernel| if keep == 0 { carrier.join_here(running, thread) } else { None },
        far carrier.join(running, thread, if keep == 0 { Join::Free } else { Join::Keep }, kernel)
}
switching! {
    /// `rdi` = thread: nobody will join it.
    detach = decide_detach(thread: &'static Tcb, _none: u64) |carrier, running, kernel| carrier.detach(running, thread, kernel)
}
switching! {
    /// `rdi` = value: ends the thread; does not come back.
    exit = decide_exit(value: u64, _none: u64) |carrier, running, _kernel| match carrier.exit_here(running, value) {
        Some(next) => next,
        // SAFETY: 1. the top of the carrier's own stack, which the carrier's loop alone uses otherwise, from the top each time;
        // 2. a jump to a function that does not return either, with its arguments in their registers.
        None => unsafe {
            asm!(
                "mov rsp, gs:[{top}]",
                "push 0",
                "jmp {far}",
                top = const offset_of!(Carrier, stack_top),
                far = sym exit_far::<K>,
                in("rdi") value, in("rsi") running,
                options(noreturn, nostack),
            )
        },
    }
}

/// On the carrier's own stack: the thread's is given away on the way, maybe to another carrier, which may use it at once.
extern "C" fn exit_far<K: Static>(value: u64, running: &'static Tcb) -> ! {
    let next = carrier().exit(running, value, K::default());
    // SAFETY: nothing is needed of the carrier's stack.
    unsafe { go_on::<K>(next) }
}

switching! {
    /// `rdi` = nanoseconds since boot: sleeps until then.
    sleep = decide_sleep(deadline: u64, _none: u64) |carrier, running, _kernel| carrier.sleep_until(running, deadline)
}
switching! {
    /// The call in the thread's message is under way: waits for its completion.
    await_completion = decide_completion(_none: u64, _none2: u64) |carrier, running, _kernel| carrier.await_completion(running)
}

/// `rdi` = semaphore: gives a unit.
///
/// # Safety
/// Called by a user thread; the semaphore lives until its last waiter has run.
pub unsafe extern "C" fn semaphore_post<K: Static>(semaphore: &'static Semaphore) {
    if semaphore.give_here(crate::current()) == Given::NotYet {
        return post_far::<K>(semaphore);
    }
    answer!(K, ())
}

#[inline(never)]
extern "C" fn post_far<K: Static>(semaphore: &'static Semaphore) {
    semaphore.give(carrier(), K::default());
    answer!(K, ())
}

answering! {
    /// `rdi` = condition: wakes one.
    condition_signal(condition: &'static Condition) -> (), |carrier, kernel| condition.notify_one(carrier, kernel)
}
answering! {
    /// `rdi` = condition: wakes all.
    condition_broadcast(condition: &'static Condition) -> (), |carrier, kernel| condition.notify_all(carrier, kernel)
}
/// `rdi` = function, `rsi` = argument, `rdx` = options: a new thread; `rax` = it, or 0.
///
/// # Safety
/// Called by a user thread; the function takes the argument.
pub unsafe extern "C" fn create<K: Static>(
    function: usize,
    argument: u64,
    options: u64,
) -> Option<&'static Tcb> {
    match carrier().create_here(function, argument, options) {
        None => create_far::<K>(function, argument, options),
        thread => answer!(K, thread),
    }
}

#[inline(never)]
extern "C" fn create_far<K: Static>(
    function: usize,
    argument: u64,
    options: u64,
) -> Option<&'static Tcb> {
    answer!(K, carrier().create(function, argument, options, K::default()))
}

answering! {
    /// `rdi` = thread created held, `rsi` = function, `rdx` = argument: it runs.
    launch(thread: &'static Tcb, function: usize, argument: u64) -> (),
        |carrier, kernel| carrier.launch(thread, function, argument, kernel)
}
answering! {
    /// `rdi` = thread, joined with its stack kept: gives the stack back.
    release(thread: &'static Tcb) -> (), |carrier, kernel| carrier.release(thread, kernel)
}
answering! {
    /// `rdi` = thread of this carrier, `rsi` = priority.
    set_priority(thread: &'static Tcb, priority: u64) -> (), |carrier, _kernel| carrier.set_priority(thread, priority as u8)
}
answering! {
    /// `rax` = nanoseconds since boot.
    clock() -> u64, |carrier, kernel| kernel.now(carrier)
}

answering! {
    /// Answered in the layer: the calling thread.
    current() -> &'static Tcb, |carrier, _kernel| carrier.current.get()
}

/// Something is pending: the carrier's own loop looks, then the answer is given.
#[cold]
#[inline(never)]
extern "C" fn look_around<K: Static, R>(answer: R) -> R {
    // SAFETY: called by a user thread from a C function; what it may change besides is given up.
    unsafe { crate::call::switching(attend::<K> as *const (), [0; 2]) };
    answer
}

/// A message stub is about to return and something is pending: keeps its answer.
///
/// # Safety
/// Jumped to in place of the `ret` of a stub that keeps only `rsp`, `rbp`, `rbx`, or of the null message's.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave_pending<K: Static>() {
    naked_asm!(
        "push rax",
        "push rdx",
        "push r10",
        "call {attend}",
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
        "mov rcx, gs:[{current}]",
        "push rax",
        "jmp {decide_exit}",
        decide_exit = sym decide_exit::<K>,
        current = const offset_of!(Carrier, current),
        start = const size_of::<uthread::Start>(),
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
