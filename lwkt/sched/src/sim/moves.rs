//! Threads of the simulated machine that come to other CPUs, and out of their queues and back.

use std::boxed::Box;

use percpu::{CpuId, Crit};
use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::handover::{acquire, switch};
use super::{after, call, crit, me};
use crate::{Change, Give, MayBlock, Stays, ThreadRef};

/// Goes to CPU `to`; waits until it may.
pub fn migrate(_: &mut MayBlock, to: usize) {
    loop {
        let gone = crit(|crit| match me().with(|own| own.migrate(crit, CpuId::at(to))) {
            Ok(Some(next)) => {
                switch(crit, next);
                true
            }
            Ok(None) => true,
            Err(stays) => {
                assert_eq!(stays, Stays::Chased);
                false
            }
        });
        if gone {
            return;
        }
        shuttle::thread::yield_now();
    }
}

/// Wants `thread` on CPU `to`: its CPU gives it away, if it can now.
pub fn pull(crit: &Crit, thread: ThreadRef, to: usize) {
    pull_here(crit, thread.into_word(), to, 0);
}

fn pull_here(crit: &Crit, word: usize, to: usize, chase: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    if after(crit, thread, chase, pull_here, to) {
        return;
    }
    let own = me();
    // This CPU waits on the stack of `thread`: that must not run elsewhere.
    if own.thread == thread && own.with(|own| own.is_idle()) {
        return own.with(|own| own.step_off(crit));
    }
    if own.with(|own| own.give(crit, thread, CpuId::at(to))) == Give::Given {
        call(crit, CpuId::at(to), acquire, [word, 0, 0]);
    }
}

/// Asks a thread of this CPU, if it runs, to go to CPU `to` when it gives way.
pub fn evict(crit: &Crit, thread: ThreadRef, to: usize) {
    evict_here(crit, thread.into_word(), to, 0);
}

fn evict_here(crit: &Crit, word: usize, to: usize, chase: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    if !after(crit, thread, chase, evict_here, to) {
        me().with(|own| own.evict(crit, thread, CpuId::at(to)));
    }
}

/// Takes a thread out of its queue, wherever it is, and returns when it is out, or marked.
pub fn deschedule(thread: ThreadRef) {
    ask(thread, deschedule_here);
}

fn deschedule_here(crit: &Crit, word: usize, done: usize, chase: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    if !after(crit, thread, chase, deschedule_here, done) {
        let change = me().with(|own| own.deschedule(crit, thread));
        assert!(!matches!(change, Change::Remote(_)));
        answer(done);
    }
}

/// Puts a thread back, wherever it is.
pub fn schedule(thread: ThreadRef) {
    ask(thread, schedule_here);
}

fn schedule_here(crit: &Crit, word: usize, done: usize, chase: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    if !after(crit, thread, chase, schedule_here, done) {
        let change = me().with(|own| own.schedule(crit, thread));
        assert!(!matches!(change, Change::Remote(_)));
        answer(done);
    }
}

/// Has the home of `thread` call `func`, and waits for its answer: of two requests of one thread the second must not overtake
/// the first, which it could when the thread moves.
fn ask(thread: ThreadRef, func: fn(&Crit, usize, usize, usize)) {
    let done: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
    crit(|crit| func(crit, thread.into_word(), core::ptr::from_ref(done).expose_provenance(), 0));
    while done.load(SeqCst) == 0 {
        shuttle::thread::yield_now();
        crit(|_| ());
    }
}

fn answer(done: usize) {
    // SAFETY: `ask` leaked it.
    let done = unsafe { &*core::ptr::with_exposed_provenance::<AtomicUsize>(done) };
    done.store(1, SeqCst);
}

/// The most forwards that a message of this machine needed.
pub fn forwards() -> usize {
    *me().machine.forwards.lock().unwrap()
}
