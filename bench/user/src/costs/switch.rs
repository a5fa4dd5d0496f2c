//! What the bare switch between two stacks costs.

use core::cell::UnsafeCell;
use uarch::switch::{Context, prepare, switch};

/// The two contexts: each side saves itself in its own and goes on with the other.
struct Pair {
    here: Context,
    there: Context,
}

/// Room for the partner.
struct Stack(UnsafeCell<[u64; 512]>);

// SAFETY: benchmarks run one at a time; the partner's stack is used only while this one does.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; 512]));

/// Switches of the partner in one turn of its loop, so that the loop itself hardly counts.
const TURN: usize = 16;

/// Counts its turns in what it passes back.
extern "C" fn partner(pair: u64, mut passed: u64) -> ! {
    let pair = pair as *mut Pair;
    loop {
        passed += 1;
        for _ in 0..TURN {
            // SAFETY: both fields outlive the partner, which runs only while the measuring side is in `switch`.
            let pair = unsafe { &mut *pair };
            let (from, to) = (&mut pair.there, pair.here);
            // SAFETY: the measuring side does not run, and waits in `here`.
            passed = unsafe { switch(from, to, passed) };
        }
    }
}

bench_api::bench! {
    name: "user/switch",
    doc: "Two stacks hand over to each other, with no queue: two switches, a value passed each way.",
    goal: "G1",
    lies: "Live registers besides rsp, rbx, rbp are the compiler's to save around it; this loop has one.",
    shape: "flat in everything",
    run: |b| {
        let mut pair = Pair { here: Context::default(), there: Context::default() };
        let at = &raw mut pair;
        // SAFETY: nobody else uses the stack: benchmarks run one at a time.
        let stack = unsafe { &mut *STACK.0.get() };
        // SAFETY: the stack is a static, and the partner is abandoned before its next use.
        let there = unsafe { prepare(stack, partner, at as u64) };
        // SAFETY: the pair is this function's; the partner does not run yet.
        unsafe { (*at).there = there };
        let mut turns = 0;
        b.ops(2).batch(TURN as u64).iter(|| {
            // SAFETY: as in `partner`, seen from here.
            let pair = unsafe { &mut *at };
            let (from, to) = (&mut pair.here, pair.there);
            // SAFETY: the partner does not run, and waits in `there`.
            turns = unsafe { switch(from, to, turns) };
        });
        b.check(turns > 2, "each switch was answered by the partner");
    },
}
