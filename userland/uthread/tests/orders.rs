//! Run queues and timers against the simplest models, with random steps.
#![cfg(not(any(feature = "loom", feature = "shuttle")))]

mod common;

use std::collections::VecDeque;

use common::{Do, Machine, Object, Ref};
use percpu::sync::Ordering;
use proptest::prelude::*;
use uthread::{Carrier, Options, PRIORITIES, Semaphore, Tcb, Timers};

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Yield,
    Block,
    Wake,
    Priority(usize, u8),
    Exit,
}

fn step() -> impl Strategy<Value = Step> {
    let priority = 14u8..18;
    prop_oneof![
        3 => priority.clone().prop_map(Step::Create),
        4 => Just(Step::Yield),
        3 => Just(Step::Block),
        3 => Just(Step::Wake),
        2 => (any::<usize>(), priority).prop_map(|(which, priority)| Step::Priority(which, priority)),
        1 => Just(Step::Exit),
    ]
}

/// Queues of thread addresses: what a scheduler with priorities is.
struct Model {
    ready: Vec<VecDeque<usize>>,
    waiting: VecDeque<(usize, u8)>,
}

impl Model {
    fn highest(&mut self) -> Option<&mut VecDeque<usize>> {
        self.ready.iter_mut().rev().find(|queue| !queue.is_empty())
    }

    fn priority_of(&self, thread: usize) -> Option<u8> {
        self.ready.iter().position(|queue| queue.contains(&thread)).map(|priority| priority as u8)
    }
}

fn address(thread: &Tcb) -> usize {
    std::ptr::from_ref(thread) as usize
}

/// Leaves the layer as the assembly does.
fn leave(machine: &'static Machine, carrier: &'static Carrier, next: &'static Tcb) -> &'static Tcb {
    if std::ptr::eq(next, carrier.idle()) || carrier.pending.load(Ordering::Relaxed) != 0 {
        carrier.run(machine.kernel())
    } else {
        next
    }
}

fn with(priority: u8) -> Options {
    Options { priority: Some(priority), ..Options::USUAL }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_highest_first_then_first_come_first_served(steps in proptest::collection::vec(step(), 1..120)) {
        let machine = Machine::new(1);
        let (carrier, kernel) = (machine.carrier(0), machine.kernel());
        let gate = Object::new(Semaphore::local(0, carrier.inbox())).get();
        let mut model = Model { ready: vec![VecDeque::new(); PRIORITIES], waiting: VecDeque::new() };
        let mut all: Vec<Ref> = Vec::new();
        let create = |model: &mut Model, all: &mut Vec<Ref>, priority: u8| {
            let thread = machine.create(carrier, Box::new(|_| Do::Yield), with(priority));
            all.retain(|other| !std::ptr::eq(other.0, thread.0));
            all.push(thread);
            model.ready[priority as usize].push_back(address(thread.0));
        };
        create(&mut model, &mut all, 16);
        let mut running = carrier.run(kernel);
        for step in steps {
            let alone = model.ready.iter().map(VecDeque::len).sum::<usize>() == 1;
            let next = match step {
                Step::Create(priority) if all.len() < 40 => {
                    create(&mut model, &mut all, priority);
                    running
                }
                Step::Yield => {
                    model.highest().expect("one runs").rotate_left(1);
                    carrier.yield_now(running)
                }
                Step::Block if !alone => {
                    let priority = running.priority();
                    let thread = model.highest().and_then(VecDeque::pop_front).expect("one runs");
                    model.waiting.push_back((thread, priority));
                    gate.take_here(carrier, running).unwrap_or_else(|| gate.take(carrier, running, kernel))
                }
                Step::Wake if !model.waiting.is_empty() => {
                    let (thread, priority) = model.waiting.pop_front().expect("not empty");
                    model.ready[priority as usize].push_back(thread);
                    if gate.give_here(running) == uthread::Given::NotYet {
                        gate.give(carrier, kernel);
                    }
                    running
                }
                Step::Priority(which, priority) => {
                    let thread = all[which % all.len()].0;
                    if let Some(old) = model.priority_of(address(thread)) {
                        model.ready[old as usize].retain(|&other| other != address(thread));
                        let queue = &mut model.ready[priority as usize];
                        if std::ptr::eq(thread, running) { queue.push_front(address(thread)) } else { queue.push_back(address(thread)) }
                    } else if let Some(waiting) = model.waiting.iter_mut().find(|(other, _)| *other == address(thread)) {
                        waiting.1 = priority;
                    } else {
                        continue;
                    }
                    carrier.set_priority(thread, priority);
                    running
                }
                Step::Exit if !alone => {
                    model.highest().and_then(VecDeque::pop_front).expect("one runs");
                    carrier.exit(running, 0, kernel)
                }
                _ => running,
            };
            running = leave(machine, carrier, next);
            let expected = *model.highest().and_then(|queue| queue.front()).expect("one runs");
            prop_assert_eq!(address(running), expected);
            prop_assert_eq!(address(carrier.current.get()), expected);
        }
        machine.end();
    }

    #[test]
    fn the_earliest_first_and_equals_in_order(deadlines in proptest::collection::vec(0u64..20, 1..50), now in 0u64..25) {
        let machine = Machine::new(1);
        let carrier = machine.carrier(0);
        let timers = Timers::new();
        let mut model: Vec<(u64, usize)> = Vec::new();
        for &deadline in &deadlines {
            let thread = machine.create(carrier, Box::new(|_| Do::Yield), with(16));
            timers.add(thread.0, deadline);
            model.push((deadline, address(thread.0)));
        }
        model.sort_by_key(|&(deadline, _)| deadline);
        prop_assert_eq!(timers.next(), Some(model[0].0));
        let expired: Vec<usize> = std::iter::from_fn(|| timers.expired(now)).map(address).collect();
        let expected: Vec<usize> = model.iter().filter(|&&(deadline, _)| deadline <= now).map(|&(_, thread)| thread).collect();
        prop_assert_eq!(&expired, &expected);
        prop_assert_eq!(timers.next(), model.get(expected.len()).map(|&(deadline, _)| deadline));
        machine.end();
    }
}
