//! Small programs in ring 3, each ended by what it provokes.
//!
//! A case runs on a context of its own, whose stack is used again by the next: whatever ends the program
//! switches back to the main context for good.

use core::arch::global_asm;
use core::sync::atomic::Ordering;

use arch::context::Context;
use arch::layout::{LAYER_START, PAGE, Phys, USER_END};
use arch::paging::{self, Access, AddressSpace, FrameSource};
use arch::upcall::Answer;
use arch::user::{self, UserRange};
use arch::{Frame, irq, stack, textln, time, trap};

use crate::kernel::{Bump, FIRED, Own, Pair};

const PROGRAM: usize = 0x40_0000;
const DATA: usize = 0x50_0000;

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Exception: vector, offset of its instruction, error code.
    Exception(u64, u64, u64),
    /// Entry 1 from the layer, with this argument.
    Receive(u64),
    /// The timer came.
    Timer,
}

static PAIR: Pair = Pair::new();
static END: Own<End> = Own::new(End::Timer);
static FOREIGN: Own<u32> = Own::new(0);
static SENT: Own<[u64; 6]> = Own::new([0; 6]);

global_asm!(
    ".pushsection .rodata.programs, \"a\"",
    ".balign 4096",
    "programs:",
    // Null messages from the layer, 1000, then the ticks they took.
    "program_null:",
    "rdtsc", "mov ebp, eax", "mov ebx, 1000",
    "2: xor eax, eax", "syscall", "dec ebx", "jnz 2b",
    "rdtsc", "sub eax, ebp", "mov edi, eax", "mov eax, 1", "syscall", "ud2",
    // What an entry preserves, clears and answers.
    "program_registers:",
    "mov rbx, 0x11", "mov rbp, 0x22", "mov r12, rsp",
    "mov edi, 1", "mov esi, 2", "mov edx, 3", "mov r10d, 4", "mov r8d, 5", "mov r9d, 6",
    "xor eax, eax", "syscall",
    "cmp rax, 7", "jne 3f", "cmp rdx, 8", "jne 3f", "cmp rbx, 0x11", "jne 3f", "cmp rbp, 0x22", "jne 3f",
    "cmp rsp, r12", "jne 3f",
    "mov rax, rdi", "or rax, rsi", "or rax, r8", "or rax, r9", "or rax, r10", "jnz 3f",
    "mov edi, 99", "mov eax, 1", "syscall",
    "3: ud2",
    // Entries that are not the layer's: both are reflected, and may rewrite the frame.
    "program_foreign:",
    "mov eax, 0", "syscall", "cmp eax, 77", "jne 3f",
    "mov eax, 5", "int 0x80", "cmp eax, 77", "jne 3f", "int3",
    "3: ud2",
    "program_privileged:", "cli", "ud2",
    "program_kernel_read:", "movabs rax, offset programs", "mov rax, [rax]", "ud2",
    "program_direct_map:", "mov rax, 0xffff800000200000", "mov rax, [rax]", "ud2",
    "program_write_code:", "lea rax, [rip]", "mov [rax], al", "ud2",
    "program_run_data:", "mov eax, {data}", "jmp rax",
    "program_non_canonical:", "mov rax, 0x0000800000000000", "jmp rax",
    "program_vector:", "pxor xmm0, xmm0", "ud2",
    "program_float:", "fldz", "ud2",
    "program_bad_stack:", "movabs rsp, offset programs + 8", "push rax", "ud2",
    "program_trap_flag:", "pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop", "ud2",
    "program_trap_flag_entry:", "pushfq", "or qword ptr [rsp], 0x100", "popfq", "syscall", "ud2",
    "program_gs:", "mov rax, gs:[8]", "rdgsbase rdx", "cmp rdx, {data}", "jne 3f", "cmp rax, 0x5a5a", "jne 3f", "int3", "3: ud2",
    "program_own_gs:", "mov rax, 0xffffffff80200000", "wrgsbase rax", "mov eax, 5", "int 0x80", "rdgsbase rdx", "cmp rax, rdx", "ud2",
    "program_forever:", "2: jmp 2b",
    "programs_end:",
    ".popsection",
    data = const DATA,
);

macro_rules! program {
    ($name:ident) => {{
        unsafe extern "C" {
            static programs: u8;
            static $name: u8;
        }
        (&raw const $name) as usize - (&raw const programs) as usize
    }};
}

fn pages(frames: &mut Bump) -> AddressSpace {
    unsafe extern "C" {
        static programs: u8;
        static programs_end: u8;
    }
    let mut space = AddressSpace::new(frames).expect("memory");
    let code = frames.take().expect("memory");
    let bytes = (&raw const programs_end) as usize - (&raw const programs) as usize;
    assert!(bytes <= PAGE);
    // SAFETY: a frame of ours; the programs lie in read-only memory.
    unsafe { code.as_ptr::<u8>().copy_from_nonoverlapping(&raw const programs, bytes) };
    let data = frames.take().expect("memory");
    space.map(PROGRAM, code, Access::USER_EXECUTE, frames).expect("free");
    space.map(LAYER_START, code, Access::USER_EXECUTE, frames).expect("free");
    space.map(DATA, data, Access::USER_WRITE, frames).expect("free");
    assert!(space.map(DATA, data, Access::USER_WRITE, frames).is_err());
    assert_eq!(space.translate(DATA + 5), Some((Phys(data.0 + 5), Access::USER_WRITE)));
    // SAFETY: never destroyed.
    unsafe { space.activate() };
    space
}

extern "C" fn enter(rip: usize, _: *mut Context) -> ! {
    let frame = user::fresh_frame(rip as u64, (DATA + PAGE) as u64, 0);
    // SAFETY: interrupts are off, the pages are active, `run_case` set the kernel stack.
    unsafe { user::enter(frame) }
}

/// Runs a program until it ends.
fn run_case(stack_top: usize, rip: usize) -> End {
    // SAFETY: the stack is this case's.
    unsafe { arch::cpu::set_kernel_stack(stack_top) };
    // The context's own frames lie below what an entry from ring 3 may write meanwhile: it never returns to them.
    // SAFETY: mapped, and no other case runs.
    let context = unsafe { Context::new(stack_top, enter, rip) };
    PAIR.run(Some(context));
    END.get()
}

fn finish(end: End) -> ! {
    END.set(end);
    PAIR.back();
    unreachable!("a case that ended does not run again")
}

/// Runs all cases.
pub fn run(frames: &mut Bump) {
    let mut space = pages(frames);
    // SAFETY: this CPU's own region.
    let stack_top =
        unsafe { stack::map(arch::cpu_id(), stack::FIRST_SLOT + 1, frames) }.expect("memory");
    copies(frames, &mut space);
    user::set_gs_base(DATA as u64);
    entries(stack_top);
    faults(stack_top);
    interrupted(stack_top);
    paging::activate_kernel();
    let mut given = 0;
    // SAFETY: left above; no other CPU used it.
    unsafe { space.destroy(frames, |_, _| given += 1) };
    assert_eq!(given, 3 + 1, "three pages here, one of the copies'");
}

fn entries(stack_top: usize) {
    let End::Receive(ticks) = run_case(stack_top, LAYER_START + program!(program_null)) else {
        panic!("no answer")
    };
    textln!("machine: null entry and return {} (with the loop's three instructions)", ticks / 1000);
    let end = run_case(stack_top, LAYER_START + program!(program_registers));
    assert_eq!(end, End::Receive(99));
    assert_eq!(SENT.get(), [1, 2, 3, 4, 5, 6]);
    let end = run_case(stack_top, PROGRAM + program!(program_foreign));
    assert!(matches!(end, End::Exception(3, _, 0)), "{end:?}");
    assert_eq!(FOREIGN.get(), 2);
}

fn faults(stack_top: usize) {
    let cases = [
        ("privileged", program!(program_privileged), 13, 0),
        ("kernel_read", program!(program_kernel_read), 14, 5),
        ("direct_map", program!(program_direct_map), 14, 5),
        ("write_code", program!(program_write_code), 14, 7),
        ("run_data", program!(program_run_data), 14, 0x15),
        ("vector", program!(program_vector), 6, 0),
        ("float", program!(program_float), 7, 0),
        ("bad_stack", program!(program_bad_stack), 14, 7),
        ("trap_flag", program!(program_trap_flag), 1, 0),
        ("gs", program!(program_gs), 3, 0),
        ("own_gs", program!(program_own_gs), 6, 0),
    ];
    for (name, offset, vector, error) in cases {
        user::set_gs_base(DATA as u64);
        let end = run_case(stack_top, PROGRAM + offset);
        assert!(
            matches!(end, End::Exception(v, _, e) if v == vector && e == error),
            "{name}: {end:?}"
        );
    }
    let end = run_case(stack_top, PROGRAM + program!(program_non_canonical));
    assert!(matches!(end, End::Exception(13 | 14, ..)), "{end:?}");
    let end = run_case(stack_top, PROGRAM + program!(program_trap_flag_entry));
    assert!(matches!(end, End::Exception(1 | 6, ..)), "{end:?}");
    // A return address that the kernel itself made up wrong.
    for rip in [0x0000_8000_0000_0000, 0xffff_ffff_8020_0000, USER_END] {
        let end = run_case(stack_top, rip);
        assert!(matches!(end, End::Exception(13, ..)), "{rip:#x}: {end:?}");
    }
}

/// The timer takes a program that never yields.
fn interrupted(stack_top: usize) {
    let before = FIRED.load(Ordering::Acquire);
    apic::arm_timer((time::rates().timer / 10_000) as u32);
    let end = run_case(stack_top, PROGRAM + program!(program_forever));
    assert_eq!(end, End::Timer);
    assert_eq!(FIRED.load(Ordering::Acquire), before + 1);
    assert!(!irq::enabled());
}

/// Copies that work, and copies that fault.
fn copies(frames: &mut Bump, space: &mut AddressSpace) {
    let range = |start: usize, bytes| UserRange::new(start as u64, bytes).expect("below the end");
    assert!(UserRange::new(USER_END as u64, 1).is_err());
    assert!(UserRange::new(u64::MAX, 1).is_err());
    assert!(UserRange::new(1, usize::MAX).is_err());
    assert!(UserRange::new(0x0000_8000_0000_0000, 0).is_err());
    let text = *b"thirteen byte";
    user::copy_to_user(range(DATA + 3, text.len()), &text).expect("mapped");
    let mut back = [0; 13];
    user::copy_from_user(&mut back, range(DATA + 3, text.len())).expect("mapped");
    assert_eq!(back, text);
    assert!(user::copy_from_user(&mut back, range(DATA, 12)).is_err(), "lengths differ");
    assert!(user::copy_from_user(&mut back, range(DATA + PAGE - 5, 13)).is_err(), "straddles");
    assert!(user::copy_from_user(&mut back, range(8, 13)).is_err(), "unmapped");
    assert!(user::copy_to_user(range(PROGRAM, 13), &text).is_err(), "read-only");
    assert!(user::copy_to_user(range(DATA + PAGE - 8, 13), &text).is_err(), "straddles");
    user::write_word(DATA as u64 + 8, 0x5a5a).expect("mapped");
    assert_eq!(user::read_word(DATA as u64 + 8), Ok(0x5a5a));
    assert!(user::read_word(16).is_err());
    assert!(user::write_word(PROGRAM as u64, 1).is_err());
    let extra = frames.take().expect("memory");
    let page = 0x1_0000_0000;
    space.map(page, extra, Access::USER_WRITE, frames).expect("free");
    user::write_word(page as u64, 1).expect("mapped");
    space.protect(page, Access::USER_READ).expect("mapped");
    paging::flush_page(page);
    assert!(user::write_word(page as u64, 2).is_err());
    assert_eq!(space.unmap(page), Some(extra));
    paging::flush_user();
    assert!(user::read_word(page as u64).is_err());
    space.map(page, extra, Access::USER_WRITE, frames).expect("free again");
    assert_eq!(user::read_word(page as u64), Ok(1));
    let copied = crate::cases::count(|| {
        let _ = core::hint::black_box(user::read_word(core::hint::black_box(page as u64)));
    });
    textln!("machine: one word from ring 3 {copied}");
}

#[unsafe(no_mangle)]
fn core_exception(frame: &mut Frame) {
    if !frame.from_user() && frame.vector != trap::vector::PROTECTION {
        let address = trap::fault_address();
        arch::panic::die(format_args!("exception {} at {address:#x}", frame.vector), Some(frame));
    }
    finish(End::Exception(frame.vector, frame.rip.wrapping_sub(PROGRAM as u64), frame.error))
}

#[unsafe(no_mangle)]
fn core_return_to_user(_: &mut Frame) {
    if FIRED.load(Ordering::Acquire) == 2 {
        finish(End::Timer);
    }
}

#[unsafe(no_mangle)]
fn core_foreign_syscall(frame: &mut Frame) {
    FOREIGN.set(FOREIGN.get() + 1);
    frame.rax = 77;
}

#[unsafe(no_mangle)]
extern "C" fn core_syscall_send(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> Answer {
    if a == 1 {
        SENT.set([a, b, c, d, e, f]);
    }
    Answer { status: 7, value: 8 }
}

#[unsafe(no_mangle)]
extern "C" fn core_syscall_receive(a: u64, _: u64, _: u64, _: u64, _: u64, _: u64) -> Answer {
    finish(End::Receive(a))
}

#[unsafe(no_mangle)]
extern "C" fn core_syscall_wait(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64) -> Answer {
    unreachable!("no case waits")
}
