//! The scheduler against the plainest model of it: 32 `VecDeque`s and a list of deadlines.

use std::collections::VecDeque;
use std::format;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::{boot, crit, thread};
use crate::{
    Change, Give, Left, Life, Next, Priority, Rare, Reason, RunQueue, Scheduler, Stays, ThreadRef,
    Unstarted, Wake, Why,
    queue::{Bitmap, Fair, List},
};

#[derive(Clone, Debug)]
enum Step {
    Spawn(u8),
    Yield,
    Pick,
    Block,
    Sleep(u64),
    Wake(usize),
    Expire(u64),
    Exit,
    SetPriority(usize, u8),
    Deschedule(usize),
    Schedule(usize),
    /// To another CPU and back; woken on the way, or not.
    Give(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    // Few priorities, so that there are equals.
    let priority = prop_oneof![1..4u8, Just(31)];
    prop_oneof![
        2 => priority.clone().prop_map(Step::Spawn),
        3 => Just(Step::Yield),
        1 => Just(Step::Pick),
        3 => Just(Step::Block),
        3 => (0..50u64).prop_map(Step::Sleep),
        5 => (0..16usize).prop_map(Step::Wake),
        2 => (0..20u64).prop_map(Step::Expire),
        1 => Just(Step::Exit),
        2 => (0..16usize).prop_map(Step::Deschedule),
        3 => (0..16usize).prop_map(Step::Schedule),
        2 => (0..16usize, any::<bool>()).prop_map(|(thread, woken)| Step::Give(thread, woken)),
        1 => (0..16usize, priority).prop_map(|(thread, priority)| Step::SetPriority(thread, priority)),
    ]
}

#[derive(Default)]
struct Model {
    queues: [VecDeque<usize>; 32],
    current: Option<usize>,
    priority: Vec<u8>,
    token: Vec<bool>,
    waits: Vec<bool>,
    /// To be out of the queue, and whether it is so already.
    stop: Vec<bool>,
    stopped: Vec<bool>,
    over: Vec<bool>,
    /// (deadline, turn, thread), in order of both.
    deadlines: Vec<(u64, usize, usize)>,
    turn: usize,
}

impl Model {
    fn best(&self) -> Option<usize> {
        self.queues.iter().rev().find_map(|queue| queue.front().copied())
    }

    fn queue(&mut self, thread: usize) -> &mut VecDeque<usize> {
        &mut self.queues[self.priority[thread] as usize]
    }

    /// What the scheduler has to answer when the best is to run.
    fn next(&mut self) -> Option<Option<usize>> {
        let best = self.best();
        let same = best == self.current;
        self.current = best;
        (!same).then_some(best)
    }

    fn wake(&mut self, thread: usize) -> bool {
        if self.over[thread] {
            return false;
        }
        if !core::mem::take(&mut self.waits[thread]) {
            self.token[thread] = true;
            return false;
        }
        self.deadlines.retain(|&(_, _, one)| one != thread);
        self.queue(thread).push_back(thread);
        true
    }

    /// The running thread leaves its queue without waiting.
    fn stop(&mut self) -> Option<Option<usize>> {
        let me = self.current.unwrap();
        (self.stop[me], self.stopped[me]) = (false, true);
        assert_eq!(self.queue(me).pop_front(), Some(me));
        self.next()
    }

    fn is_queued(&self, thread: usize) -> bool {
        !self.waits[thread] && !self.stopped[thread]
    }

    fn wait(&mut self) -> Option<Option<usize>> {
        let me = self.current.unwrap();
        self.waits[me] = true;
        assert_eq!(self.queue(me).pop_front(), Some(me));
        self.next()
    }

    fn sleep(&mut self, deadline: u64) -> Option<Option<usize>> {
        self.turn += 1;
        self.deadlines.push((deadline, self.turn, self.current.unwrap()));
        self.wait()
    }
}

fn follows<Q: RunQueue>(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (own, crit) = (&mut boot::<Q>(0) as &mut Scheduler<Q>, crit());
    let other = &mut boot::<Q>(1) as &mut Scheduler<Q>;
    let mut model = Model::default();
    let mut threads: Vec<ThreadRef> = Vec::new();
    let mut free: Vec<Unstarted> = Vec::new();
    let mut now = 0;
    let why = Why { reason: Reason::Event, address: 1 };
    for step in steps {
        // What came out, and what should have, as `None` = the same, `Some(None)` = idle.
        let mut outcome = None;
        // What is rare about the arrival, as far as it was asked already.
        let mut left = Rare::NONE;
        match step {
            Step::Spawn(priority) if threads.len() < 16 => {
                let mut fresh = free.pop().unwrap_or_else(|| thread("", 1, Life::Detached));
                let name = crate::Name::new(&format!("{}", threads.len()));
                fresh.prepare(
                    name,
                    Priority::new(priority).unwrap(),
                    Life::Detached,
                    Default::default(),
                );
                let thread = own.spawn(&crit, fresh);
                // Reused memory: its old number is over for good.
                threads.push(thread);
                model.priority.push(priority);
                model.token.push(false);
                model.waits.push(false);
                model.stop.push(false);
                model.stopped.push(false);
                model.over.push(false);
                model.queues[priority as usize].push_back(threads.len() - 1);
            }
            Step::Yield => {
                if let Some(me) = model.current {
                    let queue = model.queue(me);
                    prop_assert_eq!(queue.pop_front(), Some(me));
                    queue.push_back(me);
                }
                let mut expected = model.next();
                if expected.is_none() && model.current.is_some_and(|me| model.stop[me]) {
                    expected = model.stop();
                }
                let next = match own.yield_now(&crit) {
                    Next::Same => own.depart(&crit),
                    next => next,
                };
                outcome = Some((next, expected));
            }
            Step::Pick => outcome = Some((own.pick(&crit), model.next())),
            Step::Block if !own.is_idle() => {
                let me = model.current.unwrap();
                let goes_on = core::mem::take(&mut model.token[me]);
                let expected = if goes_on { None } else { model.wait() };
                outcome = Some((own.block(&crit, why), expected));
            }
            Step::Sleep(span) if !own.is_idle() => {
                let me = model.current.unwrap();
                let goes_on = core::mem::take(&mut model.token[me]);
                let expected = if goes_on { None } else { model.sleep(now + span) };
                outcome = Some((own.sleep(&crit, why, now + span), expected));
            }
            Step::Wake(thread) if thread < threads.len() && !model.over[thread] => {
                let expected = if model.wake(thread) { Wake::Local } else { Wake::Already };
                prop_assert_eq!(own.wake(&crit, threads[thread]), expected);
            }
            Step::Expire(span) => {
                now += span;
                model.deadlines.sort_unstable();
                let due: Vec<_> = model
                    .deadlines
                    .iter()
                    .filter(|one| one.0 <= now)
                    .map(|&(_, _, thread)| thread)
                    .collect();
                for &thread in &due {
                    model.wake(thread);
                }
                let due: Vec<_> = due.into_iter().map(|thread| threads[thread]).collect();
                prop_assert_eq!(own.expire(&crit, now).collect::<Vec<_>>(), due);
                let first = model.deadlines.iter().map(|one| one.0).min();
                prop_assert_eq!(own.next_deadline(&crit), first);
            }
            Step::Exit if !own.is_idle() => {
                let me = model.current.unwrap();
                model.over[me] = true;
                prop_assert_eq!(model.queue(me).pop_front(), Some(me));
                let next = own.exit(&crit);
                let next = if next == own.idle() { Next::Idle } else { Next::Switch(next) };
                outcome = Some((next, model.next()));
                own.check(&crit).unwrap();
                let Some((rare, Some(Left::Over(memory, None)))) = own.arrived(&crit) else {
                    panic!("not reaped")
                };
                free.push(memory);
                left = rare;
            }
            Step::SetPriority(thread, priority)
                if thread < threads.len() && !model.over[thread] =>
            {
                let running = model.current == Some(thread);
                let queued = model.is_queued(thread);
                model.queue(thread).retain(|&one| one != thread);
                model.priority[thread] = priority;
                match (queued, running) {
                    (true, true) => model.queue(thread).push_front(thread),
                    (true, false) => model.queue(thread).push_back(thread),
                    (false, _) => {}
                }
                own.set_priority(&crit, threads[thread], Priority::new(priority).unwrap());
            }
            Step::Deschedule(thread) if thread < threads.len() && !model.over[thread] => {
                let expected = if model.stopped[thread] {
                    Change::Done
                } else if model.waits[thread] || model.current == Some(thread) {
                    model.stop[thread] = true;
                    Change::Later
                } else {
                    model.queue(thread).retain(|&one| one != thread);
                    model.stopped[thread] = true;
                    Change::Done
                };
                prop_assert_eq!(own.deschedule(&crit, threads[thread]), expected);
            }
            Step::Schedule(thread) if thread < threads.len() && !model.over[thread] => {
                model.stop[thread] = false;
                if core::mem::take(&mut model.stopped[thread]) {
                    model.queue(thread).push_back(thread);
                }
                prop_assert_eq!(own.schedule(&crit, threads[thread]), Change::Done);
            }
            Step::Give(number, woken) if number < threads.len() && !model.over[number] => {
                let thread = threads[number];
                if model.current == Some(number) {
                    let given = own.give(&crit, thread, other.cpu());
                    prop_assert_eq!(given, Give::Refused(Stays::Runs));
                } else {
                    prop_assert_eq!(own.give(&crit, thread, other.cpu()), Give::Given);
                    if woken {
                        prop_assert_eq!(other.wake(&crit, thread), Wake::Already);
                    }
                    other.acquire(&crit, thread);
                    prop_assert_eq!(other.check(&crit), Ok(()));
                    prop_assert_eq!(other.give(&crit, thread, own.cpu()), Give::Given);
                    own.acquire(&crit, thread);
                    if model.is_queued(number) {
                        model.queue(number).retain(|&one| one != number);
                        model.queue(number).push_back(number);
                    }
                    model.turn += 1;
                    let turn = model.turn;
                    let mine = |deadline: &&mut (u64, usize, usize)| deadline.2 == number;
                    model.deadlines.iter_mut().filter(mine).for_each(|one| one.1 = turn);
                    if woken {
                        model.wake(number);
                    }
                }
            }
            _ => {}
        }
        if let Some((next, expected)) = outcome {
            let named = |expected: Option<Option<usize>>| match expected {
                None => Next::Same,
                Some(None) => Next::Idle,
                Some(Some(thread)) => Next::Switch(threads[thread]),
            };
            prop_assert_eq!(next, named(expected));
            // Who comes to run and should not leaves again.
            while let Some(rare) = own
                .arrived(&crit)
                .map_or((!left.is_empty()).then(|| core::mem::take(&mut left)), |(rare, _)| {
                    Some(rare)
                })
            {
                let me = model.current.unwrap();
                prop_assert!(rare == Rare::DESCHEDULE && model.stop[me]);
                let expected = model.stop();
                prop_assert_eq!(own.depart(&crit), named(expected));
            }
            prop_assert!(expected.is_none() || model.current.is_none_or(|me| !model.stop[me]));
        }
        let current = model.current.map_or(own.idle(), |thread| threads[thread]);
        prop_assert_eq!(own.current(), current);
        prop_assert_eq!(own.contended(&crit), contended(&model));
        prop_assert_eq!(own.check(&crit), Ok(()));
        prop_assert_eq!(own.arrived(&crit), None);
    }
    Ok(())
}

/// Whether a yield would bring another thread.
fn contended(model: &Model) -> bool {
    match model.current {
        None => model.best().is_some(),
        Some(me) => model.best() != Some(me) || model.queues[model.priority[me] as usize].len() > 1,
    }
}

proptest! {
    #[test]
    fn bitmap_follows_the_model(steps in prop::collection::vec(step(), 1..200)) {
        follows::<Bitmap>(steps)?;
    }

    #[test]
    fn list_follows_the_model(steps in prop::collection::vec(step(), 1..200)) {
        follows::<List>(steps)?;
    }

    /// While no time passes.
    #[test]
    fn fair_follows_the_model(steps in prop::collection::vec(step(), 1..200)) {
        follows::<Fair>(steps)?;
    }
}
