//! A thread's saved stack pointer, and the switch from one to another.
//!
//! A switched-out thread's stack, from its saved pointer up:
//! ```text
//! sp ->  resume address | rbx | rbp | the compiler's own frame ...
//! ```
//! The other callee-saved registers are clobbers: the compiler saves those that are live, which at
//! most call sites are none. The way back is a jump, not a `ret`: its target is nearly always the same.
//! Context law: both contexts belong to this CPU, inside a critical section or with interrupts off.

use core::arch::{asm, naked_asm};

use static_assertions::assert_eq_size;

/// Where a thread that does not run continues.
#[derive(Debug)]
#[repr(transparent)]
pub struct Context {
    sp: usize,
}

assert_eq_size!(Context, usize);

/// Where a thread begins: its argument, and the context that was left for it.
pub type Entry = extern "C" fn(usize, *mut Context) -> !;

impl Context {
    /// Returns a context for a thread that has not been switched out yet.
    pub const fn empty() -> Self {
        Context { sp: 0 }
    }

    /// Prepares a thread that will call `entry(argument, left)` on the stack below `stack_top`; `left` is the context that
    /// was left for it.
    ///
    /// # Safety
    /// 1. `stack_top` is 16-aligned, the memory below it is mapped, writable and nobody else's.
    /// 2. It stays so until the thread has been left for the last time.
    pub unsafe fn new(stack_top: usize, entry: Entry, argument: usize) -> Self {
        let sp = stack_top - 4 * size_of::<usize>();
        let words = [first_run as *const () as usize, argument, entry as usize, 0];
        // SAFETY: four words below the top, the caller's fact 1.
        unsafe { (sp as *mut [usize; 4]).write(words) };
        Context { sp }
    }

    /// Returns the saved stack pointer: what an observer unwinds from.
    pub fn stack_pointer(&self) -> usize {
        self.sp
    }
}

/// Saves where this thread is into `from` and continues at `to`. Returns, when this thread is switched to again, the
/// context that was left for it then: it stays in its register over the switch.
///
/// # Safety
/// 1. `from` is the running thread's, `to` another's that is switched out or new, both of this CPU.
/// 2. Nothing switches on this CPU meanwhile (critical section, or interrupts off).
#[inline(always)]
pub unsafe fn switch(from: *mut Context, to: *const Context) -> *mut Context {
    let left;
    // SAFETY:
    // 1. All registers are outputs, clobbers, or rbx and rbp, which are pushed.
    // 2. The words popped are those that this code or `Context::new` pushed (caller's fact 1).
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rsi], rsp",
            "mov rsp, [rdi]",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rbx",
            "pop rbp",
            inout("rsi") from => left, inout("rdi") to => _,
            out("rax") _, out("rcx") _, out("rdx") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        )
    };
    left
}

/// Where a new thread comes alive: argument and entry lie where a switched thread has rbx and rbp. What was left is in rsi,
/// the second argument.
#[unsafe(naked)]
extern "C" fn first_run() -> ! {
    naked_asm!("pop rdi", "pop rax", "xor ebp, ebp", "call rax", "ud2")
}
