//! Tokens and spin locks that nobody else wants, on a host thread that plays a CPU; beside the standard library's mutex.

use crate::clock::ticks;
use lwkt_sched::MayBlock;
use lwkt_token::{Exec, Held, SpinLock, Token};
use percpu::{CpuId, Crit};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Mutex;

/// Pairs per measurement.
const PAIRS: u64 = 50_000;

/// A kernel of one thread, which is its CPU.
enum Alone {}

/// What a CPU of the kernel has at hand by one instruction: constants of the thread, which a linked program reads likewise.
struct Cpu {
    depth: Cell<u32>,
    pending: Cell<bool>,
    word: Cell<usize>,
    ranks: Cell<u32>,
    held: Held,
}

std::thread_local! {
    static CPU: Cpu = const {
        Cpu {
            depth: Cell::new(0),
            pending: Cell::new(false),
            word: Cell::new(0),
            ranks: Cell::new(0),
            held: Held::new::<Alone>(),
        }
    };
}

// SAFETY: each host thread has its own word, depth and list, and is the only thread of its CPU.
unsafe impl Exec for Alone {
    fn me() -> &'static Held {
        // SAFETY: constant thread-locals without a destructor live as long as their thread, and the reference stays with it.
        CPU.with(|cpu| unsafe { &*core::ptr::from_ref(&cpu.held) })
    }

    fn word() -> usize {
        CPU.with(|cpu| cpu.word.get())
    }

    fn took() {
        CPU.with(|cpu| cpu.word.set(cpu.word.get() + 1));
    }

    fn gave() {
        CPU.with(|cpu| cpu.word.set(cpu.word.get() - 1));
    }

    fn let_go(_: &Crit) {
        unreachable!("nobody else wants the token");
    }

    fn taken_again(_: &Crit, _: usize) {
        unreachable!("the token was never let go");
    }

    fn relax(_: &Crit) {
        unreachable!("nobody else wants the lock");
    }

    fn step_aside(_: &Crit) {
        unreachable!("nobody else wants the token");
    }

    unsafe fn enter() -> Crit {
        CPU.with(|cpu| cpu.depth.set(cpu.depth.get() + 1));
        // SAFETY: the caller ends the section.
        unsafe { Crit::assume() }
    }

    unsafe fn leave() {
        CPU.with(|cpu| {
            cpu.depth.set(cpu.depth.get() - 1);
            // What came meanwhile, the kernel would look at here.
            if cpu.depth.get() == 0 && cpu.pending.get() {
                black_box(cpu.pending.replace(false));
            }
        });
    }

    fn here(_: &Crit) -> CpuId {
        CpuId::BOOT
    }

    fn ranks(_: &Crit) -> u32 {
        CPU.with(|cpu| cpu.ranks.get())
    }

    fn set_ranks(_: &Crit, ranks: u32) {
        CPU.with(|cpu| cpu.ranks.set(ranks));
    }
}

/// Ticks for each turn of `pair`, which counts in a number that the lock guards.
#[inline(always)]
fn each(mut pair: impl FnMut() -> u64) -> f64 {
    let before = pair();
    let start = ticks();
    for _ in 1..PAIRS {
        pair();
    }
    let end = ticks();
    assert_eq!(pair(), before + PAIRS);
    (end - start) as f64 / (PAIRS - 1) as f64
}

/// A token is taken exclusively and let go.
#[inline(never)]
pub fn token() -> f64 {
    static TOKEN: Token<Alone, Cell<u64>> = Token::new(Cell::new(0));
    // SAFETY: a host thread in no critical section.
    let mut cx = unsafe { MayBlock::assume() };
    each(|| {
        let number = black_box(&TOKEN).lock(&mut cx);
        number.set(number.get() + 1);
        number.get()
    })
}

/// A spin lock is taken and let go.
#[inline(never)]
pub fn spin_lock() -> f64 {
    static LOCK: SpinLock<Alone, u64> = SpinLock::new(0, 0);
    each(|| {
        let mut number = black_box(&LOCK).lock();
        *number += 1;
        *number
    })
}

/// A mutex of the standard library is locked and unlocked.
#[inline(never)]
pub fn std_mutex() -> f64 {
    static MUTEX: Mutex<u64> = Mutex::new(0);
    each(|| {
        let mut number = black_box(&MUTEX).lock().expect("nobody panics with it");
        *number += 1;
        *number
    })
}
