//! The law of every policy, whatever it prefers: each of the table is held to it, by being there.
//!
//! Who comes before whom is no law but a habit that those promise that the tests in `single`, `preempt` and `model` name.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::vec::Vec;

use proptest::prelude::*;

use super::{boot_with, crit, spawn, state};
use crate::queue::{self, NAMES, Use};
use crate::{
    Change, Conditions, Next, Priority, Reason, RunQueue, Scheduler, State, ThreadRef, Wake, Why,
};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

const EVENT: Why = Why { reason: Reason::Event, address: 1 };
const LINE: Why = Why { reason: Reason::Interrupt, address: 2 };
const FREE: Conditions = Conditions { sections: 0, spin_locks: 0, syncs: 0, masked: false };
const MOST: usize = 12;
/// Ticks after which a turn is over, in any policy that shares the CPU out.
const LONG: u64 = 10_000;

#[derive(Clone, Debug)]
enum Step {
    Spawn(u8),
    Yield,
    /// For an event, or for an interrupt.
    Wait(Why),
    Wake(usize),
    /// Borrows the CPU for a thread that waits for an interrupt, and gives it back.
    Interrupt(usize),
    SetPriority(usize, u8),
    Deschedule(usize),
    Schedule(usize),
    /// So much time has passed, and a tick says so.
    Tick(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop_oneof![1..4u8, Just(31)];
    let thread = 0..MOST;
    prop_oneof![
        3 => priority.clone().prop_map(Step::Spawn),
        4 => Just(Step::Yield),
        3 => Just(Step::Wait(EVENT)),
        2 => Just(Step::Wait(LINE)),
        5 => thread.clone().prop_map(Step::Wake),
        3 => thread.clone().prop_map(Step::Interrupt),
        1 => (thread.clone(), priority).prop_map(|(thread, priority)| Step::SetPriority(thread, priority)),
        2 => thread.clone().prop_map(Step::Deschedule),
        3 => thread.prop_map(Step::Schedule),
        3 => (0..100u64).prop_map(Step::Tick),
    ]
}

struct Holds(Vec<Step>);

impl Use for Holds {
    type Result = Result<(), TestCaseError>;

    fn with<Q: RunQueue>(self) -> Self::Result {
        NOW.set(0);
        let mut own = boot_with::<Q>(0, || NOW.get());
        let (mut threads, mut ready) = (Vec::new(), BTreeSet::new());
        for step in self.0 {
            take(&mut own, &mut threads, &mut ready, step)?;
            holds(&own, &threads, &ready)?;
        }
        Ok(())
    }
}

/// Does what the step says; `ready` are the numbers of the threads that have to be in the queue.
fn take<Q: RunQueue>(
    own: &mut Scheduler<Q>,
    threads: &mut Vec<ThreadRef>,
    ready: &mut BTreeSet<usize>,
    step: Step,
) -> Result<(), TestCaseError> {
    let crit = crit();
    let running = threads.iter().position(|thread| *thread == own.current());
    match step {
        Step::Spawn(priority) if threads.len() < MOST => {
            ready.insert(threads.len());
            threads.push(spawn(own, "", priority));
        }
        Step::Yield => {
            let contended = own.contended(&crit);
            let switches = own.yield_now(&crit) != Next::Same;
            prop_assert_eq!(switches, contended, "contended says whether another would run");
        }
        Step::Wait(why) => {
            if let Some(me) = running
                && own.block(&crit, why) != Next::Same
            {
                ready.remove(&me);
            }
        }
        Step::Wake(at) if at < threads.len() => {
            if own.wake(&crit, threads[at]) == Wake::Local {
                ready.insert(at);
            }
        }
        Step::Interrupt(at) if at < threads.len() && running.is_some_and(|me| me != at) => {
            let victim = own.current();
            if own.preempt(&crit, threads[at], FREE).is_ok() {
                let _ = own.arrived(&crit);
                ready.insert(at);
                holds(own, threads, ready)?;
                prop_assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
                ready.remove(&at);
                prop_assert_eq!(own.resumed(&crit), Next::Same);
            } else if state(own, threads[at]) == State::Ready {
                // Refused: it was woken as others are.
                ready.insert(at);
            }
        }
        Step::SetPriority(at, priority) if at < threads.len() => {
            let priority = Priority::new(priority).expect("one that there is");
            own.set_priority(&crit, threads[at], priority);
        }
        Step::Deschedule(at) if running != Some(at) && ready.remove(&at) => {
            prop_assert_eq!(own.deschedule(&crit, threads[at]), Change::Done);
        }
        Step::Schedule(at) if at < threads.len() => {
            let was = state(own, threads[at]);
            prop_assert_eq!(own.schedule(&crit, threads[at]), Change::Done);
            if was == State::Descheduled {
                ready.insert(at);
            }
        }
        Step::Tick(time) => {
            NOW.set(NOW.get() + time);
            if own.tick(&crit) {
                let _ = own.yield_now(&crit);
            } else if own.contended(&crit) {
                // Whoever has others beside it is asked to give way some time, if it runs on.
                let mut ticks = 0..LONG;
                let asked = ticks.any(|_| {
                    NOW.set(NOW.get() + 10);
                    own.tick(&crit)
                });
                prop_assert!(asked, "a turn beside others does not end");
            }
        }
        _ => {}
    }
    Ok(())
}

/// What has to hold of a queue at every moment.
fn holds<Q: RunQueue>(
    own: &Scheduler<Q>,
    threads: &[ThreadRef],
    ready: &BTreeSet<usize>,
) -> Result<(), TestCaseError> {
    let mut queued = Vec::new();
    own.queue.visit(|thread| {
        // First of all: whatever else walks along it would not come back.
        let policy = core::any::type_name::<Q>();
        assert!(queued.len() <= threads.len(), "{policy}: a visit does not end");
        queued.push(thread);
    });
    prop_assert_eq!(own.check(&crit()), Ok(()));
    let number = |thread: &ThreadRef| threads.iter().position(|one| one == thread);
    let numbers: Vec<_> = queued.iter().filter_map(number).collect();
    let once: BTreeSet<_> = numbers.iter().copied().collect();
    prop_assert_eq!((&once, numbers.len()), (ready, ready.len()), "each ready thread once");
    let idle = queued.iter().filter(|thread| **thread == own.idle()).count();
    prop_assert_eq!((idle, queued.len()), (1, numbers.len() + 1), "the idle thread, once");
    prop_assert_eq!(queued[0], own.queue.best(), "the best is visited first");
    prop_assert_eq!(own.queue.best() == own.idle(), ready.is_empty(), "idle when nobody else is");
    Ok(())
}

proptest! {
    // Whoever tries a policy wants no file of it.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_policy_of_the_table_holds(steps in prop::collection::vec(step(), 1..200)) {
        for name in NAMES {
            let held = queue::by_name(name, Holds(steps.clone())).expect("it is in the table");
            held.map_err(|error| TestCaseError::fail(std::format!("{name}: {error}")))?;
        }
    }
}
