//! Each call by itself, on one host thread.

use std::format;
use std::string::ToString;
use std::vec::Vec;

use percpu::CpuId;

use super::{boot, crit, memory, spawn, state, thread};
use crate::{
    Change, Chase, Give, Join, Left, Life, MOST_FORWARDS, Name, Next, Priority, Rare, Reason,
    RunQueue, Scheduler, State, Stays, ThreadCache, ThreadRef, Wake, Why,
    queue::{Bitmap, List},
};

const WHY: Why = Why { reason: Reason::Event, address: 0x10 };

/// Runs a test with each policy in which better threads go first and equals take turns.
macro_rules! each_policy {
    ($($name:ident)*) => {
        mod bitmap { $(#[test] fn $name() { super::$name::<crate::queue::Bitmap>() })* }
        mod list { $(#[test] fn $name() { super::$name::<crate::queue::List>() })* }
        // While no time passes it is first come, first served, too.
        mod fair { $(#[test] fn $name() { super::$name::<crate::queue::Fair>() })* }
    };
}
pub(super) use each_policy;

each_policy! {
    equals_take_turns betters_go_first a_wake_before_a_block_is_kept a_foreign_thread_is_remote
    deadlines_in_order a_wake_cancels_a_deadline exit_is_reaped_from_another_stack joining_before_and_after
    migration_changes_home_when_off_the_stack what_is_given_goes_on_elsewhere what_stays_is_not_given
    a_cpu_steps_off_a_stack who_is_next_is_not_to_spare
    descheduled_until_scheduled descheduled_while_it_waits_or_runs evicted_where_it_gives_way
    priorities_change_in_place rare_conditions_are_tested_once
    the_report_names_all
}

fn equals_take_turns<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    assert!(own.is_idle() && !own.contended(&crit));
    assert_eq!(own.yield_now(&crit), Next::Same);
    let [a, b, c] = ["a", "b", "c"].map(|name| spawn(own, name, 5));
    assert!(own.contended(&crit));
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.pick(&crit), Next::Same);
    for next in [b, c, a, b] {
        assert!(own.contended(&crit));
        assert_eq!(own.yield_now(&crit), Next::Switch(next));
        own.check(&crit).unwrap();
    }
    assert_eq!((own.switches(), own.waits()), (5, 0));
    assert_eq!(own.block(&crit, WHY), Next::Switch(c));
    assert_eq!(own.block(&crit, WHY), Next::Switch(a));
    assert!(!own.contended(&crit));
    assert_eq!(own.block(&crit, WHY), Next::Idle);
    assert!(own.is_idle());
    assert_eq!((own.switches(), own.waits()), (8, 3));
    own.check(&crit).unwrap();
}

fn betters_go_first<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let low = spawn(own, "low", 1);
    assert_eq!(own.pick(&crit), Next::Switch(low));
    let high = spawn(own, "high", 31);
    // No preemption: the running thread goes on until it asks.
    assert_eq!(own.current(), low);
    own.check(&crit).unwrap();
    assert!(own.contended(&crit));
    assert_eq!(own.yield_now(&crit), Next::Switch(high));
    assert_eq!(own.yield_now(&crit), Next::Same);
    assert_eq!(own.block(&crit, WHY), Next::Switch(low));
    assert_eq!(own.wake(&crit, high), Wake::Local);
    assert_eq!(own.pick(&crit), Next::Switch(high));
}

fn a_wake_before_a_block_is_kept<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let a = spawn(own, "a", 5);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.wake(&crit, a), Wake::Already);
    assert_eq!(own.wake(&crit, a), Wake::Already);
    assert_eq!(own.block(&crit, WHY), Next::Same);
    // One token, whatever the number of wakes.
    assert_eq!(own.block(&crit, WHY), Next::Idle);
    assert_eq!(state(own, a), State::Blocked);
    assert_eq!(own.wake(&crit, a), Wake::Local);
    assert_eq!(own.wake(&crit, a), Wake::Already);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.sleep(&crit, WHY, 7), Next::Same);
    assert!(!own.timed_out(&crit));
    assert_eq!(own.next_deadline(&crit), None);
}

fn a_foreign_thread_is_remote<Q: RunQueue>() {
    let (here, there, crit) = (&mut boot::<Q>(0), &mut boot::<Q>(1), crit());
    let a = spawn(there, "a", 5);
    assert_eq!(a.home(), CpuId::at(1));
    assert_eq!(here.wake(&crit, a), Wake::Remote(CpuId::at(1)));
    assert_eq!(here.join(&crit, a, here.idle()), Join::Remote(CpuId::at(1)));
    assert_eq!(here.joined(&crit, a), Wake::Remote(CpuId::at(1)));
    // Nothing was touched.
    assert_eq!(there.pick(&crit), Next::Switch(a));
    assert_eq!(there.block(&crit, WHY), Next::Idle);
}

fn deadlines_in_order<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let sleepers: Vec<_> = (0..5).map(|i| spawn(own, &format!("{i}"), 5)).collect();
    assert_eq!(own.pick(&crit), Next::Switch(sleepers[0]));
    for deadline in [30, 10, 20, 10, 40] {
        let _ = own.sleep(&crit, Why::SLEEP, deadline);
        own.check(&crit).unwrap();
    }
    assert!(own.is_idle());
    assert_eq!(own.next_deadline(&crit), Some(10));
    assert_eq!(own.expire(&crit, 9).count(), 0);
    let woken: Vec<_> = own.expire(&crit, 30).collect();
    assert_eq!(woken, [1, 3, 2, 0].map(|i| sleepers[i]));
    assert_eq!(own.next_deadline(&crit), Some(40));
    assert_eq!(own.pick(&crit), Next::Switch(sleepers[1]));
    assert!(own.timed_out(&crit));
    own.check(&crit).unwrap();
}

fn a_wake_cancels_a_deadline<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let a = spawn(own, "a", 5);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.sleep(&crit, Why::SLEEP, 10), Next::Idle);
    assert_eq!(own.wake(&crit, a), Wake::Local);
    assert_eq!(own.next_deadline(&crit), None);
    assert_eq!(own.expire(&crit, 100).next(), None);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert!(!own.timed_out(&crit));
}

fn exit_is_reaped_from_another_stack<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let a = spawn(own, "a", 5);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.arrived(&crit), None);
    assert_eq!(own.exit(&crit), own.idle());
    own.check(&crit).unwrap();
    assert_eq!(state(own, a), State::Exited);
    assert_eq!(own.wake(&crit, a), Wake::Already);
    let Some((rare, Some(Left::Over(memory, None)))) = own.arrived(&crit) else {
        panic!("not reaped")
    };
    assert!(rare.is_empty() && memory.thread() == a);
    assert_eq!(own.arrived(&crit), None);
    assert_eq!(own.threads().count(), 1);
    // A wake that comes late finds nothing, also in what becomes of the memory.
    assert_eq!(own.wake(&crit, a), Wake::Already);
    let again = own.spawn(&crit, memory);
    assert_eq!(again, a);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.block(&crit, WHY), Next::Idle);
}

fn joining_before_and_after<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let joiner = spawn(own, "joiner", 5);
    let a = own.spawn(&crit, thread("a", 5, Life::Joinable));
    let b = own.spawn(&crit, thread("b", 5, Life::Joinable));
    assert_eq!(own.pick(&crit), Next::Switch(joiner));
    assert_eq!(own.join(&crit, a, joiner), Join::Waiting);
    assert!(!own.take_joined(&crit));
    assert_eq!(own.block(&crit, Why::on(Reason::Join, &*a)), Next::Switch(a));
    assert_eq!(own.exit(&crit), b);
    // Not before it is off its stack.
    assert_eq!(state(own, joiner), State::Blocked);
    let Some((_, Some(Left::Over(_, Some(told))))) = own.arrived(&crit) else {
        panic!("not reaped")
    };
    assert_eq!(told, joiner);
    assert_eq!(own.joined(&crit, told), Wake::Local);
    assert_eq!(own.exit(&crit), joiner);
    let arrived = own.arrived(&crit);
    assert!(matches!(arrived, Some((_, Some(Left::Waits(left)))) if left == b));
    assert!(own.take_joined(&crit) && !own.take_joined(&crit));
    assert_eq!(state(own, b), State::Exited);
    let Join::Over(memory) = own.join(&crit, b, joiner) else { panic!("it is over") };
    assert_eq!(memory.thread(), b);
    assert_eq!(own.threads().count(), 2);
    own.check(&crit).unwrap();
}

fn migration_changes_home_when_off_the_stack<Q: RunQueue>() {
    let (here, there, crit) = (&mut boot::<Q>(0), &mut boot::<Q>(1), crit());
    let a = spawn(here, "a", 5);
    assert_eq!(here.pick(&crit), Next::Switch(a));
    assert_eq!(here.migrate(&crit, CpuId::at(0)), Ok(None));
    assert_eq!(here.migrate(&crit, CpuId::at(1)), Ok(Some(here.idle())));
    assert_eq!((a.home(), state(here, a)), (CpuId::at(0), State::Migrating));
    here.check(&crit).unwrap();
    assert_eq!(here.arrived(&crit), Some((Rare::NONE, Some(Left::Moved(a, CpuId::at(1))))));
    assert_eq!(here.wake(&crit, a), Wake::Remote(CpuId::at(1)));
    // The wake may be there before the thread.
    assert_eq!(there.wake(&crit, a), Wake::Already);
    there.acquire(&crit, a);
    assert_eq!(there.pick(&crit), Next::Switch(a));
    assert_eq!(there.block(&crit, WHY), Next::Same);
    here.check(&crit).unwrap();
    there.check(&crit).unwrap();
}

/// A scheduler of CPU 0 with a thread in each state that can be given away: ready, blocked, sleeping, descheduled; and one
/// that runs.
fn in_each_state<Q: RunQueue>(own: &mut Scheduler<Q>) -> [ThreadRef; 5] {
    let crit = crit();
    let threads =
        ["blocked", "sleeps", "runs", "ready", "descheduled"].map(|name| spawn(own, name, 5));
    let [blocked, sleeps, runs, ready, descheduled] = threads;
    assert_eq!(own.pick(&crit), Next::Switch(blocked));
    assert_eq!(own.block(&crit, WHY), Next::Switch(sleeps));
    assert_eq!(own.sleep(&crit, WHY, 50), Next::Switch(runs));
    assert_eq!(own.deschedule(&crit, descheduled), Change::Done);
    own.check(&crit).unwrap();
    [runs, ready, blocked, sleeps, descheduled]
}

fn what_is_given_goes_on_elsewhere<Q: RunQueue>() {
    let (here, there, crit) = (&mut boot::<Q>(0), &mut boot::<Q>(1), crit());
    let to = CpuId::at(1);
    let [runs, ready, blocked, sleeps, descheduled] = in_each_state(here);
    for thread in [ready, blocked, sleeps, descheduled] {
        assert_eq!(here.give(&crit, thread, CpuId::at(0)), Give::There);
        assert_eq!(there.give(&crit, thread, CpuId::at(0)), Give::Remote(CpuId::at(0)));
        assert_eq!(here.give(&crit, thread, to), Give::Given);
        here.check(&crit).unwrap();
        assert_eq!((thread.home(), here.wake(&crit, thread)), (to, Wake::Remote(to)));
        there.acquire(&crit, thread);
        there.check(&crit).unwrap();
    }
    assert_eq!((here.next_deadline(&crit), there.next_deadline(&crit)), (None, Some(50)));
    let states = [ready, blocked, sleeps, descheduled].map(|thread| state(there, thread));
    assert_eq!(states, [State::Ready, State::Blocked, State::Sleeping, State::Descheduled]);
    assert_eq!(there.pick(&crit), Next::Switch(ready));
    // A wake that is there before the thread ends its wait.
    assert_eq!(there.give(&crit, blocked, CpuId::at(0)), Give::Given);
    assert_eq!(there.give(&crit, sleeps, CpuId::at(0)), Give::Given);
    assert_eq!(here.wake(&crit, blocked), Wake::Already);
    assert_eq!(here.wake(&crit, sleeps), Wake::Already);
    here.acquire(&crit, sleeps);
    here.acquire(&crit, blocked);
    assert_eq!((state(here, blocked), state(here, sleeps)), (State::Ready, State::Ready));
    assert_eq!(here.next_deadline(&crit), None);
    assert_eq!(here.block(&crit, WHY), Next::Switch(sleeps));
    assert!(!here.timed_out(&crit));
    // The wake was used up: no token is left over.
    assert_eq!(here.block(&crit, WHY), Next::Switch(blocked));
    assert_eq!(here.current(), blocked);
    assert_eq!(state(here, runs), State::Blocked);
    here.check(&crit).unwrap();
}

fn what_stays_is_not_given<Q: RunQueue>() {
    let (here, crit, to) = (&mut boot::<Q>(0), crit(), CpuId::at(1));
    let [runs, ready, blocked, ..] = in_each_state(here);
    assert_eq!(here.give(&crit, runs, to), Give::Refused(Stays::Runs));
    assert_eq!(here.give(&crit, here.idle(), to), Give::Refused(Stays::Bound));
    here.bind(&crit, blocked);
    assert!(here.is_bound(&crit, blocked) && !here.is_bound(&crit, ready));
    assert_eq!(here.give(&crit, blocked, to), Give::Refused(Stays::Bound));
    ready.hold_still();
    assert_eq!(here.give(&crit, ready, to), Give::Refused(Stays::Chased));
    ready.let_go();
    assert_eq!(here.migrate(&crit, to), Ok(Some(ready)));
    assert_eq!(here.give(&crit, runs, to), Give::Refused(Stays::Left));
    let Some((_, Some(Left::Moved(..)))) = here.arrived(&crit) else { panic!("not gone") };
    ready.hold_still();
    assert_eq!(here.migrate(&crit, to), Err(Stays::Chased));
    ready.let_go();
    here.bind(&crit, ready);
    assert_eq!(here.migrate(&crit, to), Err(Stays::Bound));
    assert!(!here.evict(&crit, ready, to));
    assert_eq!(here.exit(&crit), here.idle());
    let Some((_, Some(Left::Over(memory, None)))) = here.arrived(&crit) else { panic!("there") };
    assert_eq!(here.give(&crit, memory.thread(), to), Give::Refused(Stays::Over));
    // What was bound is so no more in its next life.
    let again = here.spawn(&crit, memory);
    assert!(!here.is_bound(&crit, again));
}

fn who_is_next_is_not_to_spare<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let spare = |own: &Scheduler<Q>| own.spare(&crit, |_| true);
    assert_eq!(spare(own), None);
    let [a, b, c] = ["a", "b", "c"].map(|name| spawn(own, name, 5));
    assert_eq!(spare(own), Some(c));
    assert_eq!(own.spare(&crit, |thread| thread != c), Some(b));
    own.bind(&crit, c);
    assert_eq!(spare(own), Some(b));
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.give(&crit, b, CpuId::at(1)), Give::Given);
    // One is bound, one runs.
    assert_eq!(spare(own), None);
    let [low, high] = [4, 6].map(|priority| spawn(own, "d", priority));
    assert_eq!(spare(own), Some(low));
    assert_eq!(own.give(&crit, low, CpuId::at(1)), Give::Given);
    // The better one is to run next; who runs does not wait.
    assert_eq!((spare(own), own.yield_now(&crit)), (None, Next::Switch(high)));
    assert_eq!(spare(own), Some(a));
}

fn a_cpu_steps_off_a_stack<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let a = spawn(own, "a", 5);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    for woken in [false, true] {
        assert_eq!(own.block(&crit, WHY), Next::Idle);
        assert_eq!(own.pick(&crit), Next::Same);
        own.step_off(&crit);
        own.step_off(&crit);
        assert!(own.is_idle());
        if woken {
            assert_eq!(own.wake(&crit, a), Wake::Local);
            assert_eq!(own.pick(&crit), Next::Switch(a));
        } else {
            assert_eq!(own.pick(&crit), Next::Switch(own.idle()));
            assert_eq!(own.pick(&crit), Next::Same);
            assert_eq!(own.wake(&crit, a), Wake::Local);
            assert_eq!(own.pick(&crit), Next::Switch(a));
        }
        own.check(&crit).unwrap();
    }
}

fn descheduled_until_scheduled<Q: RunQueue>() {
    let (own, other, crit) = (&mut boot::<Q>(0), &mut boot::<Q>(1), crit());
    let [a, b] = ["a", "b"].map(|name| spawn(own, name, 5));
    assert_eq!(other.deschedule(&crit, a), Change::Remote(CpuId::at(0)));
    assert_eq!(other.schedule(&crit, a), Change::Remote(CpuId::at(0)));
    assert_eq!(own.deschedule(&crit, own.idle()), Change::Never);
    assert_eq!(own.deschedule(&crit, a), Change::Done);
    assert_eq!(own.deschedule(&crit, a), Change::Done);
    assert_eq!(own.wake(&crit, a), Wake::Already);
    assert_eq!(state(own, a), State::Descheduled);
    assert_eq!(own.pick(&crit), Next::Switch(b));
    assert_eq!(own.yield_now(&crit), Next::Same);
    own.check(&crit).unwrap();
    assert_eq!(own.schedule(&crit, a), Change::Done);
    assert_eq!(own.yield_now(&crit), Next::Switch(a));
    // The wake of before was kept.
    assert_eq!(own.block(&crit, WHY), Next::Same);
    assert_eq!(own.schedule(&crit, b), Change::Done);
    own.check(&crit).unwrap();
    // On its way, too.
    assert_eq!(own.give(&crit, b, CpuId::at(1)), Give::Given);
    assert_eq!(other.deschedule(&crit, b), Change::Done);
    other.acquire(&crit, b);
    assert_eq!(other.pick(&crit), Next::Same);
    assert_eq!(other.give(&crit, b, CpuId::at(0)), Give::Given);
    assert_eq!(own.schedule(&crit, b), Change::Done);
    own.acquire(&crit, b);
    assert_eq!(own.yield_now(&crit), Next::Switch(b));
}

fn descheduled_while_it_waits_or_runs<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let [a, b] = ["a", "b"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.block(&crit, WHY), Next::Switch(b));
    // It waits: its wake ends the wait, and it stops where it comes to run.
    assert_eq!(own.deschedule(&crit, a), Change::Later);
    assert_eq!(own.wake(&crit, a), Wake::Local);
    assert_eq!(own.yield_now(&crit), Next::Switch(a));
    let Some((rare, None)) = own.arrived(&crit) else { panic!("nothing is rare") };
    assert_eq!(rare, Rare::DESCHEDULE);
    assert_eq!(own.depart(&crit), Next::Switch(b));
    assert_eq!((own.arrived(&crit), state(own, a)), (None, State::Descheduled));
    // It runs, alone: it stops where it gives way.
    assert_eq!(own.deschedule(&crit, b), Change::Later);
    assert_eq!(own.pick(&crit), Next::Same);
    assert_eq!(own.yield_now(&crit), Next::Same);
    assert_eq!(own.depart(&crit), Next::Idle);
    assert_eq!((own.arrived(&crit), state(own, b)), (None, State::Descheduled));
    own.check(&crit).unwrap();
    // What was asked is taken back before it came to that.
    assert_eq!(own.schedule(&crit, b), Change::Done);
    assert_eq!(own.pick(&crit), Next::Switch(b));
    assert_eq!(own.deschedule(&crit, b), Change::Later);
    own.set_rare(&crit, b, Rare::TRACE);
    assert_eq!(own.rare(&crit, b), Rare::TRACE | Rare::DESCHEDULE);
    assert_eq!(own.schedule(&crit, b), Change::Done);
    assert_eq!(own.yield_now(&crit), Next::Same);
    assert_eq!(own.depart(&crit), Next::Same);
}

fn evicted_where_it_gives_way<Q: RunQueue>() {
    let (here, there, crit) = (&mut boot::<Q>(0), &mut boot::<Q>(1), crit());
    let to = CpuId::at(1);
    let [a, b] = ["a", "b"].map(|name| spawn(here, name, 5));
    assert_eq!(here.pick(&crit), Next::Switch(a));
    assert!(here.evict(&crit, a, to) && !here.evict(&crit, b, to));
    // To the equal first; where it comes back it goes.
    assert_eq!(here.yield_now(&crit), Next::Switch(b));
    assert_eq!(here.arrived(&crit), None);
    assert_eq!(here.yield_now(&crit), Next::Switch(a));
    assert_eq!(here.arrived(&crit), Some((Rare::EVICT, None)));
    // A chased one goes the next time.
    a.hold_still();
    assert_eq!(here.depart(&crit), Next::Same);
    a.let_go();
    assert_eq!(here.deschedule(&crit, a), Change::Later);
    assert_eq!(here.depart(&crit), Next::Switch(b));
    assert_eq!(here.arrived(&crit), Some((Rare::NONE, Some(Left::Moved(a, to)))));
    there.acquire(&crit, a);
    // The rest of what was asked of it goes with it.
    assert_eq!(there.pick(&crit), Next::Switch(a));
    assert_eq!(there.arrived(&crit), Some((Rare::DESCHEDULE, None)));
    assert_eq!(there.depart(&crit), Next::Idle);
    here.check(&crit).unwrap();
    there.check(&crit).unwrap();
}

#[test]
fn a_tick_asks_for_another() {
    asks_for_another::<Bitmap>();
    asks_for_another::<List>();
}

fn asks_for_another<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let a = spawn(own, "a", 5);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    spawn(own, "lower", 4);
    assert!(!own.tick(&crit));
    let b = spawn(own, "b", 5);
    assert!(own.tick(&crit));
    // It goes on meanwhile, and may wait instead.
    own.check(&crit).unwrap();
    assert_eq!(own.block(&crit, WHY), Next::Switch(b));
    own.check(&crit).unwrap();
}

fn priorities_change_in_place<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let [a, b, c] = ["a", "b", "c"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(a));
    own.set_priority(&crit, b, Priority::new(4).unwrap());
    own.check(&crit).unwrap();
    own.set_priority(&crit, a, Priority::new(4).unwrap());
    own.check(&crit).unwrap();
    assert_eq!(own.yield_now(&crit), Next::Switch(c));
    assert_eq!(own.block(&crit, WHY), Next::Switch(b));
    own.set_priority(&crit, c, Priority::MAX);
    assert_eq!(own.yield_now(&crit), Next::Switch(a));
    assert_eq!(own.wake(&crit, c), Wake::Local);
    assert_eq!(own.yield_now(&crit), Next::Switch(c));
    own.check(&crit).unwrap();
}

fn rare_conditions_are_tested_once<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let [a, b] = ["a", "b"].map(|name| spawn(own, name, 5));
    own.set_rare(&crit, b, Rare::TRACE | Rare::KERNEL[0]);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.arrived(&crit), None);
    // The thread that is left goes for good, and the one that arrives is traced.
    assert_eq!(own.exit(&crit), b);
    let Some((rare, Some(Left::Over(..)))) = own.arrived(&crit) else { panic!("not reaped") };
    assert_eq!(rare, Rare::TRACE | Rare::KERNEL[0]);
    assert_eq!(own.rare(&crit, b), rare);
    assert_eq!(own.arrived(&crit), None);
}

fn the_report_names_all<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let [a, _, c] = ["blocked one", "sleeper", "ready"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(a));
    let _ = own.block(&crit, Why { reason: Reason::Message, address: 0x1f00 });
    let _ = own.sleep(&crit, Why::SLEEP, 55);
    spawn(own, "other", 6);
    assert_eq!(own.current(), c);
    let report: Vec<_> = own.threads().map(|thread| thread.to_string()).collect();
    assert_eq!(
        report,
        [
            "other (priority 6) is ready",
            "ready (priority 5) runs",
            "sleeper (priority 5) waits for time, until 55",
            "blocked one (priority 5) waits for the reply to message 0x1f00",
            "idle (priority 0) is ready",
        ]
    );
}

#[test]
#[should_panic = "touched by cpu0"]
#[cfg(debug_assertions)]
fn a_foreign_touch_ends_a_debug_build() {
    let (here, there, crit) = (&mut boot::<Bitmap>(0), &mut boot::<Bitmap>(1), crit());
    let a = spawn(there, "a", 5);
    here.set_priority(&crit, a, Priority::MAX);
}

/// A thread that leaves whenever it may, each time just before the message comes.
#[test]
fn a_chase_ends() {
    let (own, crit) = (&mut [boot::<Bitmap>(0), boot::<Bitmap>(1)], crit());
    let nomad = spawn(&mut own[0], "nomad", 5);
    let (mut at, mut forwards, mut chase) = (0, 0, Chase::NONE);
    let mut leave = |from: usize| match own[from].give(&crit, nomad, CpuId::at(1 - from)) {
        Give::Given => {
            own[1 - from].acquire(&crit, nomad);
            true
        }
        refused => {
            assert_eq!(refused, Give::Refused(Stays::Chased));
            false
        }
    };
    while leave(at) {
        let (to, next) = chase.forward(nomad);
        (at, chase, forwards) = (to.index(), next, forwards + 1);
        assert_eq!(Chase::from_word(chase.into_word()), chase);
    }
    assert!(forwards <= MOST_FORWARDS && chase.holds());
    chase.caught(nomad);
    assert!(leave(at));
}

#[test]
fn the_cache_gives_the_warmest() {
    let mut cache: ThreadCache<_, 2> = ThreadCache::new();
    assert_eq!(cache.take(), None::<usize>);
    assert_eq!((cache.put(1), cache.put(2), cache.put(3)), (Ok(()), Ok(()), Err(3)));
    assert_eq!(
        (cache.len(), cache.take(), cache.take(), cache.take()),
        (2, Some(2), Some(1), None)
    );
    assert!(cache.is_empty());
}

#[test]
fn names_are_cut_between_characters() {
    assert_eq!(Name::new("short").as_str(), "short");
    assert_eq!(Name::new("12345678901234567890123tail").as_str(), "12345678901234567890123");
    assert_eq!(Name::new("1234567890123456789012é").as_str(), "1234567890123456789012");
    assert_eq!(Name::new("123456789012345678901é").as_str(), "123456789012345678901é");
}

#[test]
fn what_a_switch_touches_is_one_line() {
    use core::mem::offset_of;

    use crate::Thread;
    assert_eq!((align_of::<Thread>(), Thread::CONTEXT), (64, 0));
    for offset in [offset_of!(Thread, next), offset_of!(Thread, rare), offset_of!(Thread, state)] {
        assert!(offset < 64);
    }
    let mut memory = memory();
    assert_eq!(memory.set_ext(7).ext(), 7);
    assert!(Priority::new(0).is_none() && Priority::new(32).is_none());
}
