//! How a simulated CPU goes from one thread to another, and waits when there is none.

use percpu::Crit;
use shuttle::rand::Rng;

use super::{Machine, TOKENS, call, drain, gate, joined_here, keep, me, ring};
use crate::{Conditions, Left, Next, Rare, Refusal, ThreadRef};

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
        while let Some(target) = own.cpu().due.borrow_mut().pop_front() {
            let refused = own.with(|own| own.preempt(crit, target, Conditions::default()));
            assert!(matches!(refused, Err(Refusal::Idle | Refusal::NotWaiting)), "{refused:?}");
        }
        if let Next::Switch(next) = own.with(|own| own.pick(crit)) {
            return Some(next);
        }
        let cpu = own.cpu();
        let alarm = cpu.alarm.get().map(|(deadline, _)| deadline);
        let sleeper = own.with(|own| own.next_deadline(crit));
        if let Some(deadline) = sleeper.into_iter().chain(alarm).min() {
            // Another CPU's message may come before the deadline, or not.
            shuttle::thread::yield_now();
            let (is_empty, stops) = {
                let inbox = cpu.inbox.lock().unwrap();
                (inbox.0.is_empty(), inbox.1)
            };
            if is_empty && stops {
                return None;
            }
            if is_empty {
                cpu.clock.set(cpu.clock.get().max(deadline));
                own.with(|own| own.expire(crit, deadline).for_each(drop));
                if alarm.is_some_and(|alarm| alarm <= deadline) {
                    ring(crit);
                }
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

/// Has the interrupts' threads that are due run in the time of this thread, whose outermost critical section ends.
pub(super) fn preempt_due(crit: &Crit) {
    loop {
        let own = me();
        let due = own.cpu().due.borrow_mut().pop_front();
        let to = match due {
            Some(target) => own.with(|own| own.preempt(crit, target, Conditions::default())).ok(),
            None => own.with(|own| own.preempt_again(crit, Conditions::default())),
        };
        match to {
            Some(to) => {
                switch(crit, to);
                let next = me().with(|own| own.resumed(crit));
                go(crit, next);
                drain(crit);
            }
            None if due.is_none() => return,
            None => {}
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
    leave(next);
    arrive(crit);
}

fn leave(next: ThreadRef) {
    let me = me();
    me.cpu().left.set(Some(me.thread));
    open(next);
    pass(me.thread);
}

/// As the kernel's: see there.
pub(super) fn step_aside(crit: &Crit) {
    let mut next = me().with(|own| own.step_aside(crit));
    while let Next::Switch(to) = next {
        leave(to);
        if !settle(crit).contains(Rare::LOAN) {
            return;
        }
        next = me().with(|own| own.repay(crit));
    }
}

/// As the kernel's `rarely`: see there.
pub(super) fn arrive(crit: &Crit) {
    let rare = loop {
        let rare = settle(crit);
        if !rare.contains(Rare::LOAN) {
            break rare;
        }
        let Next::Switch(victim) = me().with(|own| own.repay(crit)) else { return };
        leave(victim);
    };
    if rare.intersects(Rare::DEPARTS) {
        let next = me().with(|own| own.depart(crit));
        if next != Next::Same {
            return go(crit, next);
        }
    }
    if rare.contains(Rare::TOKENS) {
        TOKENS.get().expect("somebody who holds tokens").1(crit);
    }
}

/// Does what the thread that was left could not do itself; answers what is left to do for the one that came.
fn settle(crit: &Crit) -> Rare {
    let me = me();
    let from = me.cpu().left.take();
    let Some((rare, left)) = me.with(|own| own.arrived(crit)) else { return Rare::NONE };
    if let (1.., Some(from)) = (rare.held(), from) {
        TOKENS.get().expect("somebody who holds tokens").0(crit, from, rare.held());
    }
    match left {
        None => {}
        Some(Left::Moved(thread, to)) => call(crit, to, acquire, [thread.into_word(), 0, 0]),
        Some(Left::Over(thread, joiner)) => {
            keep(thread);
            if let Some(joiner) = joiner {
                joined_here(crit, joiner.into_word(), 0, 0);
            }
            over_one(&me.machine);
        }
        Some(Left::Waits(_)) => over_one(&me.machine),
    }
    rare
}

pub(super) fn acquire(crit: &Crit, thread: usize, _: usize, _: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(thread) };
    me().with(|own| own.acquire(crit, thread));
}

/// A thread is over; with the last one the machine stops.
fn over_one(machine: &Machine) {
    let mut live = machine.live.lock().unwrap();
    *live -= 1;
    if *live == 0 {
        for cpu in &machine.cpus {
            cpu.inbox.lock().unwrap().1 = true;
            cpu.arrival.notify_all();
        }
    }
}
