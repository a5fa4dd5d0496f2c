//! How a simulated CPU goes from one thread to another, and waits when there is none.

use percpu::Crit;
use shuttle::rand::Rng;

use super::{Machine, call, drain, gate, joined_here, keep, me};
use crate::{Left, Next, Rare, ThreadRef};

pub(super) fn go(crit: &Crit, next: Next) {
    match next {
        Next::Same => {}
        Next::Switch(next) => switch(crit, next),
        // Both ways to be idle, as chance has it.
        Next::Idle if shuttle::rand::thread_rng().gen_bool(0.5) => {
            switch(crit, me().with(|own| own.idle()))
        }
        Next::Idle => {
            let next = work(crit).expect("the machine stops when no thread is left");
            if next == me().thread { arrive(crit) } else { switch(crit, next) }
        }
    }
}

/// Waits, on whichever stack, until there is a thread to run. `None`: the machine stops.
pub(super) fn work(crit: &Crit) -> Option<ThreadRef> {
    loop {
        drain(crit);
        let own = me();
        if let Next::Switch(next) = own.with(|own| own.pick(crit)) {
            return Some(next);
        }
        let cpu = own.cpu();
        if let Some(deadline) = own.with(|own| own.next_deadline(crit)) {
            // Another CPU's message may come before the deadline, or not.
            shuttle::thread::yield_now();
            if cpu.inbox.lock().unwrap().0.is_empty() {
                cpu.clock.set(cpu.clock.get().max(deadline));
                own.with(|own| own.expire(crit, deadline).for_each(drop));
            }
            continue;
        }
        let mut inbox = cpu.inbox.lock().unwrap();
        while inbox.0.is_empty() {
            if inbox.1 {
                return None;
            }
            inbox = cpu.arrival.wait(inbox).unwrap();
        }
    }
}

pub(super) fn open(next: ThreadRef) {
    let gate = gate(next);
    *gate.open.lock().unwrap() = true;
    gate.change.notify_one();
}

pub(super) fn pass(me: ThreadRef) {
    let gate = gate(me);
    let mut is_open = gate.open.lock().unwrap();
    while !*is_open {
        is_open = gate.change.wait(is_open).unwrap();
    }
    *is_open = false;
}

/// Hands the CPU to `next`, and returns when it is handed back.
pub(super) fn switch(crit: &Crit, next: ThreadRef) {
    let me = me().thread;
    open(next);
    pass(me);
    arrive(crit);
}

pub(super) fn arrive(crit: &Crit) {
    let me = me();
    let Some((rare, left)) = me.with(|own| own.arrived(crit)) else { return };
    match left {
        None => {}
        Some(Left::Moved(thread, to)) => call(crit, to, acquire, [thread.into_word(), 0, 0]),
        Some(Left::Over(thread, joiner)) => {
            keep(thread);
            if let Some(joiner) = joiner {
                joined_here(crit, joiner.into_word(), 0, 0);
            }
            over(&me.machine);
        }
        Some(Left::Waits(_)) => over(&me.machine),
    }
    if rare.intersects(Rare::DEPARTS) {
        let next = me.with(|own| own.depart(crit));
        go(crit, next);
    }
}

pub(super) fn acquire(crit: &Crit, thread: usize, _: usize, _: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(thread) };
    me().with(|own| own.acquire(crit, thread));
}

/// A thread is over; with the last one the machine stops.
fn over(machine: &Machine) {
    let mut live = machine.live.lock().unwrap();
    *live -= 1;
    if *live == 0 {
        for cpu in &machine.cpus {
            cpu.inbox.lock().unwrap().1 = true;
            cpu.arrival.notify_all();
        }
    }
}
