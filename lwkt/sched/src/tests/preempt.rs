//! Borrowed switches, each way and each refusal by itself.

use percpu::CpuId;

use super::single::each_policy;
use super::{boot, crit, spawn, state};
use crate::queue::Chosen;
use crate::{
    Change, Conditions, Give, Left, Next, Priority, Rare, Reason, Refusal, RunQueue, Scheduler,
    State, Stays, ThreadRef, Wake, Why,
};

const WHY: Why = Why { reason: Reason::Event, address: 0x10 };
const LINE: Why = Why { reason: Reason::Interrupt, address: 0x20 };
const FREE: Conditions = Conditions { sections: 0, spin_locks: 0, syncs: 0, masked: false };

each_policy! {
    a_borrowed_switch_returns_to_its_victim a_sleep_and_an_exit_return_too
    each_refusal_has_its_reason what_was_refused_is_owed_and_made_up_for
    a_borrower_that_gives_way_lets_its_victim_run a_victim_that_was_taken_out_waits_after_the_return
    tokens_of_a_victim_stay_with_it a_borrower_steps_aside_for_its_victim
    a_wake_is_kept_for_a_borrower priorities_change_under_a_loan a_victim_arrives_without_its_conditions
    a_deadline_of_an_interrupts_thread_is_owed while_it_is_lent_nobody_leaves whom_the_queue_chose_leaves_later
    what_waits_here_is_not_given nobody_lends_nothing
}

/// A thread that waits for an interrupt; leaves the running thread alone but for a switch.
fn waiting<Q: RunQueue>(own: &mut Scheduler<Q>, name: &str, priority: u8) -> ThreadRef {
    let thread = spawn(own, name, priority);
    while own.current() != thread {
        assert!(matches!(own.yield_now(&crit()), Next::Switch(_)));
    }
    assert_ne!(own.block(&crit(), LINE), Next::Same);
    thread
}

fn a_borrowed_switch_returns_to_its_victim<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 28);
    let [victim, equal] = ["victim", "equal"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    let switches = own.switches();
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!((own.current(), own.lender()), (high, victim));
    assert_eq!((state(own, high), state(own, victim)), (State::Running, State::Preempted));
    own.check(&crit).unwrap();
    // Nothing is rare about the arrival of the borrower.
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    own.check(&crit).unwrap();
    // Something better than the victim comes, but not before it gives way.
    let better = spawn(own, "better", 20);
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    assert_eq!(own.arrived(&crit), None);
    assert_eq!(own.resumed(&crit), Next::Same);
    own.check(&crit).unwrap();
    assert_eq!((own.current(), own.lender()), (victim, victim));
    let counted = own.borrowed();
    assert_eq!((counted.direct, counted.late, counted.returns), (1, 0, 1));
    assert_eq!((counted.refusals(), own.switches() - switches), (0, 2));
    assert_eq!(own.yield_now(&crit), Next::Switch(better));
    assert_eq!(own.block(&crit, WHY), Next::Switch(equal));
    own.check(&crit).unwrap();
}

fn tokens_of_a_victim_stay_with_it<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 28);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    own.set_held(&crit, 3);
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    // Nothing is to be let go: the arrival says so, and the borrower counts from nothing.
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    assert_eq!(own.held(&crit), 0);
    own.set_held(&crit, 2);
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    // What the borrower held is let go on the victim's stack.
    let (rare, left) = own.arrived(&crit).unwrap();
    assert_eq!((rare.held(), left), (2, None));
    assert_eq!(own.resumed(&crit), Next::Same);
    assert_eq!(own.held(&crit), 3);
    own.check(&crit).unwrap();
}

fn a_borrower_steps_aside_for_its_victim<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 28);
    let [victim, equal] = ["victim", "equal"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    own.set_held(&crit, 1);
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    // It wants what its victim has, and is better than all others: a yield would let nobody run.
    assert_eq!(own.step_aside(&crit), Next::Switch(victim));
    let (rare, left) = own.arrived(&crit).unwrap();
    assert_eq!((rare.held(), left), (0, None));
    assert_eq!(own.resumed(&crit), Next::Same);
    own.check(&crit).unwrap();
    assert_eq!((own.held(&crit), state(own, high)), (1, State::Ready));
    own.set_held(&crit, 0);
    assert_eq!(own.yield_now(&crit), Next::Switch(high));
    // Without a victim it is a yield.
    assert_eq!(own.step_aside(&crit), Next::Same);
    assert_eq!(own.block(&crit, LINE), Next::Switch(equal));
    own.check(&crit).unwrap();
}

fn a_sleep_and_an_exit_return_too<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 28);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    spawn(own, "better", 20);
    assert_eq!(own.sleep(&crit, Why::SLEEP, 9), Next::Switch(victim));
    assert_eq!((state(own, high), own.next_deadline(&crit)), (State::Sleeping, Some(9)));
    own.check(&crit).unwrap();
    // It sleeps: no interrupt is what it waits for.
    assert_eq!(own.preempt(&crit, high, FREE), Err(Refusal::NotWaiting));
    assert_eq!(own.expire(&crit, 9).collect::<std::vec::Vec<_>>(), [high]);
    assert_eq!(own.pick(&crit), Next::Switch(high));
    // The wake that was refused is kept for the next wait, which is asked once more then.
    assert_eq!(own.block(&crit, LINE), Next::Same);
    let better = own.threads().next().unwrap().thread;
    assert_eq!(own.block(&crit, LINE), Next::Switch(better));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.exit(&crit), better);
    own.check(&crit).unwrap();
    let Some((rare, Some(Left::Over(memory, None)))) = own.arrived(&crit) else {
        panic!("not reaped")
    };
    assert!(rare.is_empty() && memory.thread() == high);
    assert_eq!(own.resumed(&crit), Next::Same);
    own.check(&crit).unwrap();
    assert_eq!((own.borrowed().direct, own.borrowed().returns), (2, 2));
}

fn each_refusal_has_its_reason<Q: RunQueue>() {
    let (own, there, crit) = (&mut boot::<Q>(0), &mut boot::<Q>(1), crit());
    let [high, higher, low] =
        [("high", 20), ("higher", 28), ("low", 4)].map(|(name, at)| waiting(own, name, at));
    let foreign = waiting(there, "foreign", 28);
    let mut expected = own.borrowed();
    let mut refused = |own: &mut Scheduler<Q>, target, conditions, why| {
        assert_eq!(own.preempt(&crit, target, conditions), Err(why));
        expected.refuse(why, 1);
        assert_eq!(own.borrowed(), expected);
        own.check(&crit).unwrap();
    };
    refused(own, foreign, FREE, Refusal::OtherCpu);
    assert_eq!(there.preempt(&crit, foreign, FREE), Err(Refusal::Idle));
    assert_eq!(there.pick(&crit), Next::Switch(foreign));
    // The CPU is idle: what is refused is ready, and first.
    refused(own, high, FREE, Refusal::Idle);
    assert_eq!(own.pick(&crit), Next::Switch(high));
    // It runs; it is ready; it waits for something else.
    refused(own, high, FREE, Refusal::NotWaiting);
    assert_eq!(own.block(&crit, LINE), Next::Same);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    refused(own, victim, FREE, Refusal::NotWaiting);
    assert_eq!(own.block(&crit, WHY), Next::Same);
    refused(own, low, FREE, Refusal::NotHigher);
    refused(own, low, FREE, Refusal::NotWaiting);
    let again = |own: &mut Scheduler<Q>| {
        // Lets the refused one have its turn, and wait again.
        assert_eq!(own.pick(&crit), Next::Switch(high));
        assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    };
    for (conditions, why) in [
        (Conditions { sections: 1, ..FREE }, Refusal::Critical),
        (Conditions { masked: true, ..FREE }, Refusal::Masked),
        (Conditions { syncs: 1, ..FREE }, Refusal::Sync),
        (Conditions { spin_locks: 2, ..FREE }, Refusal::SpinLock),
        (Conditions { sections: 1, spin_locks: 2, ..FREE }, Refusal::Critical),
    ] {
        refused(own, high, conditions, why);
        assert!(own.is_owed());
        again(own);
    }
    own.set_rare(&crit, high, Rare::TOKENS);
    refused(own, high, FREE, Refusal::Tokens);
    again(own);
    let _ = own.arrived(&crit);
    own.set_rare(&crit, high, Rare::NONE);
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    let mut expected = own.borrowed();
    assert_eq!(own.preempt(&crit, higher, FREE), Err(Refusal::Nested));
    expected.refuse(Refusal::Nested, 1);
    assert_eq!(own.borrowed(), expected);
    own.check(&crit).unwrap();
}

fn what_was_refused_is_owed_and_made_up_for<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let [high, higher] = [("high", 20), ("higher", 28)].map(|(name, at)| waiting(own, name, at));
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt_again(&crit, FREE), None);
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.preempt(&crit, higher, FREE), Err(Refusal::Nested));
    assert!(own.is_owed());
    // Still lent out: nothing but the mark stays.
    assert_eq!(own.preempt_again(&crit, FREE), None);
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    assert_eq!(own.preempt_again(&crit, Conditions { spin_locks: 1, ..FREE }), None);
    assert!(own.is_owed());
    assert_eq!(own.preempt_again(&crit, FREE), Some(higher));
    own.check(&crit).unwrap();
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    assert!(own.is_owed(), "until nobody is found to be");
    assert_eq!(own.preempt_again(&crit, FREE), None);
    assert!(!own.is_owed());
    let counted = own.borrowed();
    assert_eq!((counted.direct, counted.late, counted.returns, counted.refusals()), (1, 1, 2, 1));
    // What is owed is forgotten when it had its turn in another way.
    assert_eq!(
        own.preempt(&crit, high, Conditions { sections: 1, ..FREE }),
        Err(Refusal::Critical)
    );
    assert_eq!(own.yield_now(&crit), Next::Switch(high));
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    assert_eq!(own.preempt_again(&crit, FREE), None);
    assert!(!own.is_owed());
    // A thread that waited for anything but an interrupt is no reason to preempt.
    let better = spawn(own, "better", 30);
    assert_eq!(
        own.preempt(&crit, high, Conditions { sections: 1, ..FREE }),
        Err(Refusal::Critical)
    );
    assert_eq!(own.preempt_again(&crit, FREE), None);
    assert_eq!(own.yield_now(&crit), Next::Switch(better));
    own.check(&crit).unwrap();
}

fn a_borrower_that_gives_way_lets_its_victim_run<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 20);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    assert_eq!(own.yield_now(&crit), Next::Same);
    let equal = spawn(own, "equal", 20);
    own.set_rare(&crit, equal, Rare::KERNEL[0]);
    // The queue chooses the equal; it hands on to the victim, and is not taken to have arrived.
    assert_eq!(own.yield_now(&crit), Next::Switch(equal));
    assert_eq!(own.arrived(&crit), Some((Rare::LOAN | Rare::KERNEL[0], None)));
    assert_eq!(own.repay(&crit), Next::Switch(victim));
    assert_eq!(own.arrived(&crit), None);
    assert_eq!((own.resumed(&crit), own.repay(&crit)), (Next::Same, Next::Same));
    own.check(&crit).unwrap();
    assert_eq!((own.borrowed().direct, own.borrowed().returns), (1, 1));
    // Both are ready, as anybody.
    assert_eq!(own.pick(&crit), Next::Switch(equal));
    assert_eq!(own.arrived(&crit), Some((Rare::KERNEL[0], None)));
    assert_eq!(own.yield_now(&crit), Next::Switch(high));
    assert_eq!(own.arrived(&crit), None);
    assert_eq!(own.block(&crit, LINE), Next::Switch(equal));
    let _ = own.arrived(&crit);
    assert_eq!(own.block(&crit, WHY), Next::Switch(victim));
    own.check(&crit).unwrap();
}

fn a_victim_that_was_taken_out_waits_after_the_return<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 20);
    let [victim, other] = ["victim", "other"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    own.queue.remove(victim);
    victim.state.set(State::Blocked);
    own.check(&crit).unwrap();
    // Straight back all the same.
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    assert_eq!(own.resumed(&crit), Next::Switch(other));
    own.check(&crit).unwrap();
    assert_eq!(own.wake(&crit, victim), Wake::Local);
    assert_eq!(own.block(&crit, WHY), Next::Switch(victim));
    own.check(&crit).unwrap();
}

fn a_wake_is_kept_for_a_borrower<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 20);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.wake(&crit, high), Wake::Already);
    assert_eq!(own.block(&crit, LINE), Next::Same);
    own.check(&crit).unwrap();
    assert_eq!(own.wake(&crit, high), Wake::Already);
    assert_eq!(own.sleep(&crit, Why::SLEEP, 3), Next::Same);
    assert_eq!(own.next_deadline(&crit), None);
    assert_eq!(own.wake(&crit, victim), Wake::Already);
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    // The victim's own wake waits for its next wait.
    assert_eq!(own.block(&crit, WHY), Next::Same);
    own.check(&crit).unwrap();
}

fn priorities_change_under_a_loan<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 20);
    let [victim, equal] = ["victim", "equal"].map(|name| spawn(own, name, 5));
    let at = |number| Priority::new(number).unwrap();
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    own.set_priority(&crit, equal, at(6));
    for priority in [6, 20, 25, 5] {
        own.set_priority(&crit, victim, at(priority));
        own.check(&crit).unwrap();
    }
    own.set_priority(&crit, high, at(6));
    own.check(&crit).unwrap();
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    own.check(&crit).unwrap();
    assert_eq!(own.pick(&crit), Next::Switch(equal));
}

fn a_victim_arrives_without_its_conditions<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 20);
    let victim = spawn(own, "victim", 5);
    own.set_rare(&crit, victim, Rare::KERNEL[0] | Rare::TRACE);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.arrived(&crit), Some((Rare::KERNEL[0] | Rare::TRACE, None)));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    // What it needs is in force since it came first; a trace wants each arrival.
    assert_eq!(own.arrived(&crit), Some((Rare::TRACE, None)));
    assert_eq!(own.block(&crit, WHY), Next::Idle);
    assert_eq!(own.wake(&crit, victim), Wake::Local);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.arrived(&crit), Some((Rare::KERNEL[0] | Rare::TRACE, None)));
}

fn a_deadline_of_an_interrupts_thread_is_owed<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let [high, other] = [20, 25].map(|priority| spawn(own, "sleeper", priority));
    assert_eq!(own.pick(&crit), Next::Switch(other));
    assert_eq!(own.sleep(&crit, WHY, 7), Next::Switch(high));
    assert_eq!(own.sleep(&crit, LINE, 7), Next::Idle);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    // Asleep, it is asked by its deadline alone.
    assert_eq!(own.preempt(&crit, high, FREE), Err(Refusal::NotWaiting));
    assert_eq!(own.expire(&crit, 7).next(), Some(other));
    assert!(!own.is_owed());
    assert_eq!(own.pick(&crit), Next::Switch(other));
    assert_eq!(own.block(&crit, WHY), Next::Switch(victim));
    assert_eq!(own.expire(&crit, 7).next(), Some(high));
    assert!(own.is_owed());
    assert_eq!(own.preempt_again(&crit, FREE), Some(high));
    assert!(own.timed_out(&crit));
    own.check(&crit).unwrap();
}

#[test]
fn counts_of_cpus_add_up() {
    let (mut one, mut other) = (boot::<Chosen>(0).borrowed(), boot::<Chosen>(1).borrowed());
    one.refuse(Refusal::Nested, 2);
    other.refuse(Refusal::Nested, 3);
    other.refuse(Refusal::Tokens, 1);
    other.direct = 7;
    one.add(&other);
    assert_eq!((one.direct, one.refusals()), (7, 6));
    assert_eq!((one.refused(Refusal::Nested), one.refused(Refusal::Tokens)), (5, 1));
    let words: std::collections::BTreeSet<_> = Refusal::ALL.iter().map(|one| one.word()).collect();
    assert_eq!(words.len(), Refusal::ALL.len());
    for (number, why) in Refusal::ALL.iter().enumerate() {
        assert_eq!(*why as usize, number);
    }
}

fn while_it_is_lent_nobody_leaves<Q: RunQueue>() {
    let (own, crit, to) = (&mut boot::<Q>(0), crit(), CpuId::at(1));
    let high = waiting(own, "high", 28);
    let [victim, other] = ["victim", "other"].map(|name| spawn(own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    for thread in [high, victim] {
        assert_eq!(own.give(&crit, thread, to), Give::Refused(Stays::Runs));
        assert_eq!(own.deschedule(&crit, thread), Change::Later);
    }
    assert!(own.evict(&crit, victim, to));
    assert!(!own.tick(&crit), "a borrower has no turn");
    assert_eq!(own.yield_now(&crit), Next::Same);
    assert_eq!(own.depart(&crit), Next::Same);
    own.check(&crit).unwrap();
    // The victim goes on until it gives way.
    assert_eq!(own.block(&crit, LINE), Next::Switch(victim));
    assert_eq!((own.arrived(&crit), own.resumed(&crit)), (None, Next::Same));
    assert_eq!(own.yield_now(&crit), Next::Switch(other));
    assert_eq!(own.arrived(&crit), None);
    assert_eq!(own.yield_now(&crit), Next::Switch(victim));
    assert_eq!(own.arrived(&crit), Some((Rare::DESCHEDULE | Rare::EVICT, None)));
    assert_eq!(own.depart(&crit), Next::Switch(other));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, Some(Left::Moved(victim, to)))));
    // The borrower stops in its own time, so it must not come in another's.
    assert_eq!(own.preempt(&crit, high, FREE), Err(Refusal::Departs));
    assert!(!own.is_owed());
    assert_eq!(own.pick(&crit), Next::Switch(high));
    assert_eq!(own.arrived(&crit), Some((Rare::DESCHEDULE, None)));
    assert_eq!(own.depart(&crit), Next::Switch(other));
    assert_eq!(state(own, high), State::Descheduled);
    assert_eq!(own.preempt(&crit, high, FREE), Err(Refusal::NotWaiting));
    own.check(&crit).unwrap();
    assert_eq!(own.schedule(&crit, high), Change::Done);
    assert_eq!(own.pick(&crit), Next::Switch(high));
    assert_eq!(own.block(&crit, LINE), Next::Same);
    assert_eq!(own.block(&crit, LINE), Next::Switch(other));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    own.check(&crit).unwrap();
}

fn whom_the_queue_chose_leaves_later<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 28);
    let equal = spawn(own, "equal", 28);
    assert_eq!(own.pick(&crit), Next::Switch(equal));
    assert_eq!(own.block(&crit, WHY), Next::Idle);
    let victim = spawn(own, "victim", 5);
    assert_eq!(own.pick(&crit), Next::Switch(victim));
    assert_eq!(own.preempt(&crit, high, FREE), Ok(high));
    assert_eq!(own.arrived(&crit), Some((Rare::NONE, None)));
    assert_eq!(own.deschedule(&crit, equal), Change::Later);
    assert_eq!(own.wake(&crit, equal), Wake::Local);
    assert_eq!(own.yield_now(&crit), Next::Switch(equal));
    assert_eq!(own.arrived(&crit), Some((Rare::LOAN | Rare::DESCHEDULE, None)));
    assert_eq!(own.give(&crit, equal, CpuId::at(1)), Give::Refused(Stays::Runs));
    assert_eq!(own.depart(&crit), Next::Same);
    assert_eq!(own.repay(&crit), Next::Switch(victim));
    assert_eq!((own.arrived(&crit), own.resumed(&crit)), (None, Next::Same));
    own.check(&crit).unwrap();
    assert_eq!(own.pick(&crit), Next::Switch(equal));
    assert_eq!(own.arrived(&crit), Some((Rare::DESCHEDULE, None)));
    assert_eq!(own.depart(&crit), Next::Switch(high));
    own.check(&crit).unwrap();
}

fn what_waits_here_is_not_given<Q: RunQueue>() {
    let (own, crit, to) = (&mut boot::<Q>(0), crit(), CpuId::at(1));
    let other = spawn(own, "other", 5);
    for reason in [Reason::Queue, Reason::Interrupt] {
        for deadline in [None, Some(9)] {
            let waits = spawn(own, "waits", 6);
            let why = Why { reason, address: 0x30 };
            assert_eq!(own.pick(&crit), Next::Switch(waits));
            let next = match deadline {
                None => own.block(&crit, why),
                Some(deadline) => own.sleep(&crit, why, deadline),
            };
            assert_eq!(next, Next::Switch(other));
            assert!(own.waits_here(&crit, waits));
            assert_eq!(own.give(&crit, waits, to), Give::Refused(Stays::Waits));
            // It goes when it comes to run.
            assert!(own.evict(&crit, waits, to));
            assert_eq!(own.wake(&crit, waits), Wake::Local);
            assert!(!own.waits_here(&crit, waits));
            assert_eq!(own.pick(&crit), Next::Switch(waits));
            assert_eq!(own.arrived(&crit), Some((Rare::EVICT, None)));
            assert_eq!(own.depart(&crit), Next::Switch(other));
            assert_eq!(own.arrived(&crit), Some((Rare::NONE, Some(Left::Moved(waits, to)))));
            own.check(&crit).unwrap();
        }
    }
}

fn nobody_lends_nothing<Q: RunQueue>() {
    let (own, crit) = (&mut boot::<Q>(0), crit());
    let high = waiting(own, "high", 28);
    let sleeper = spawn(own, "sleeper", 5);
    assert_eq!(own.pick(&crit), Next::Switch(sleeper));
    assert_eq!(own.block(&crit, WHY), Next::Idle);
    own.step_off(&crit);
    assert_eq!(own.preempt(&crit, high, FREE), Err(Refusal::Idle));
    own.check(&crit).unwrap();
    assert_eq!(own.pick(&crit), Next::Switch(high));
}
