//! What fair shares promise: equals get equal time, whatever their turns; sleepers save nothing up; nobody starves.

use std::cell::Cell;
use std::vec::Vec;

use proptest::prelude::*;

use super::{boot_with, crit, spawn};
use crate::{Next, Reason, Scheduler, ThreadRef, Wake, Why, queue::Fair};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

const WHY: Why = Why { reason: Reason::Event, address: 1 };
/// The longest turn.
const LONGEST: u64 = 100;

fn fair() -> Scheduler<Fair> {
    NOW.set(0);
    boot_with(0, || NOW.get())
}

/// No thread of these tests is an interrupt's, and none changes its priority.
fn check(own: &Scheduler<Fair>) {
    own.check(&crit()).unwrap();
    assert!(own.queue.is_by_merit());
}

fn pass(time: u64) {
    NOW.set(NOW.get() + time);
}

/// Lets time pass in these steps, with a tick after each; what each thread has had.
fn run(own: &mut Scheduler<Fair>, threads: &[ThreadRef], steps: &[u64]) -> Vec<u64> {
    let crit = crit();
    let mut had: Vec<u64> = threads.iter().map(|_| 0).collect();
    let _ = own.pick(&crit);
    for step in steps {
        let at = threads.iter().position(|thread| *thread == own.current()).unwrap();
        pass(*step);
        had[at] += step;
        if own.tick(&crit) {
            let _ = own.yield_now(&crit);
        }
        check(own);
    }
    had
}

proptest! {
    /// Of threads that always want to run, none is ever more than the longest turn ahead of another.
    #[test]
    fn equals_get_equal_time(count in 2..8usize, steps in prop::collection::vec(1..=LONGEST, 1..400)) {
        let mut own = fair();
        let threads: Vec<_> = (0..count).map(|_| spawn(&mut own, "", 5)).collect();
        let had = run(&mut own, &threads, &steps);
        let (least, most) = (had.iter().min().unwrap(), had.iter().max().unwrap());
        prop_assert!(most - least <= LONGEST, "{had:?}");
    }
}

/// Two that never use up a tick get more turns, against one that does: time counts, not turns.
#[test]
fn short_turns_come_more_often() {
    let (mut own, crit) = (fair(), crit());
    let [short, other, long] = ["short", "other", "long"].map(|name| spawn(&mut own, name, 5));
    let mut had = [0u64; 3];
    let _ = own.pick(&crit);
    for _ in 0..3000 {
        let at = [short, other, long].iter().position(|one| *one == own.current()).unwrap();
        let turn = [10, 10, 20][at];
        pass(turn);
        had[at] += turn;
        let _ = own.yield_now(&crit);
        check(&own);
    }
    assert!(had.iter().all(|one| one.abs_diff(had[0]) <= 40), "{had:?}");
}

#[test]
fn who_has_slept_saves_nothing_up() {
    let (mut own, crit) = (fair(), crit());
    let [a, b] = ["a", "b"].map(|name| spawn(&mut own, name, 5));
    assert_eq!(own.pick(&crit), Next::Switch(a));
    assert_eq!(own.block(&crit, WHY), Next::Switch(b));
    let c = spawn(&mut own, "c", 5);
    let had = run(&mut own, &[b, c], &[10; 100]);
    assert_eq!(had, [500, 500]);
    assert_eq!(own.wake(&crit, a), Wake::Local);
    let had = run(&mut own, &[a, b, c], &[10; 30]);
    assert!(had.iter().all(|had| *had == 100), "{had:?}");
}

#[test]
fn a_tick_asks_who_has_had_more_than_somebody_who_waits() {
    let (mut own, crit) = (fair(), crit());
    let a = spawn(&mut own, "a", 5);
    assert_eq!(own.pick(&crit), Next::Switch(a));
    pass(10);
    assert!(!own.tick(&crit), "nobody waits");
    let b = spawn(&mut own, "b", 5);
    assert!(!own.tick(&crit), "it has had as much as who has just come");
    pass(1);
    assert!(own.tick(&crit));
    assert_eq!(own.yield_now(&crit), Next::Switch(b));
    assert!(!own.tick(&crit), "it has had less");
    pass(20);
    assert!(own.tick(&crit));
    let better = spawn(&mut own, "better", 6);
    assert!(own.tick(&crit));
    assert_eq!(own.pick(&crit), Next::Switch(better));
}
