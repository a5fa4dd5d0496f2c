//! Pending calls against a model, under random schedules: each call that was opened completes once or leaves by a named
//! door, no completion is written over one that was not taken, ids that are past meet `Gone`.

use std::collections::{HashMap, VecDeque};

use abi::{AtExit, Completions, Error, FLAG_NO_WAIT, Failure, Number};
use dispatch::{Gone, Later, Opened, Origin, Pending, PendingId, Slot};
use proptest::prelude::*;

const SLOTS: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Step {
    Open { at_exit: AtExit, cookie: u64 },
    Withdraw,
    Complete { which: usize, fails: bool },
    CompletePast { which: usize },
    Abort { cookie: u64 },
    Reap { most: u64 },
    Lie { seen: u64 },
    Depart,
}

fn step() -> impl Strategy<Value = Step> {
    let at_exit = prop_oneof![Just(AtExit::Cancel), Just(AtExit::Orphan), Just(AtExit::Complete)];
    prop_oneof![
        6 => (at_exit, 0u64..6).prop_map(|(at_exit, cookie)| Step::Open { at_exit, cookie }),
        1 => Just(Step::Withdraw),
        5 => (any::<usize>(), any::<bool>()).prop_map(|(which, fails)| Step::Complete { which, fails }),
        2 => any::<usize>().prop_map(|which| Step::CompletePast { which }),
        2 => (0u64..7).prop_map(|cookie| Step::Abort { cookie }),
        3 => (0u64..6).prop_map(|most| Step::Reap { most }),
        1 => any::<u64>().prop_map(|seen| Step::Lie { seen }),
        1 => Just(Step::Depart),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    cookie: u64,
    serial: u64,
    at_exit: AtExit,
    aborting: bool,
}

struct Run {
    pending: Pending<u64, Vec<Slot<u64>>>,
    pages: Box<Completions>,
    alive: HashMap<PendingId, Expected>,
    order: Vec<PendingId>,
    past: Vec<PendingId>,
    unread: VecDeque<(u64, i64, u64)>,
    seen: u64,
    claimed: u64,
    serial: u64,
    departing: bool,
}

impl Run {
    fn new() -> Self {
        Self {
            pending: Pending::new(vec![Slot::EMPTY; SLOTS]),
            pages: Box::new(Completions::new()),
            alive: HashMap::new(),
            order: Vec::new(),
            past: Vec::new(),
            unread: VecDeque::new(),
            seen: 0,
            claimed: 0,
            serial: 0,
            departing: false,
        }
    }

    fn open(&mut self, at_exit: AtExit, cookie: u64) -> Option<Opened> {
        self.serial += 1;
        let later = Later::new(Origin::Message(Number::Read), cookie, at_exit, 0);
        let claimed = self.claimed;
        let result = self.pending.open(later, self.serial, || claimed);
        let room = self.alive.len() + self.unread.len() < SLOTS;
        match result {
            Ok(opened) => {
                assert!(!self.departing);
                assert!(
                    room || claimed != self.seen,
                    "the quota holds for a layer that does not lie"
                );
                let expected = Expected { cookie, serial: self.serial, at_exit, aborting: false };
                assert!(
                    self.alive.insert(opened.id(), expected).is_none(),
                    "an id was given twice"
                );
                assert!(!self.past.contains(&opened.id()), "an id came back");
                self.order.push(opened.id());
                Some(opened)
            }
            Err(failure) => {
                let exiting = self.departing && failure.error == Error::Exiting;
                assert!(exiting || failure.error == Error::Busy);
                assert!(exiting || !room || claimed != self.seen, "refused although there is room");
                None
            }
        }
    }

    fn leave(&mut self, id: PendingId) -> Expected {
        self.order.retain(|&other| other != id);
        self.past.push(id);
        self.alive.remove(&id).expect("the call was alive")
    }

    fn complete(&mut self, id: PendingId, fails: bool) {
        let outcome =
            if fails { Err(Failure::element(Error::Cancelled, 7)) } else { Ok([self.serial, 1]) };
        let done = self.pending.complete(id, outcome, &self.pages).expect("a live call completes");
        let expected = self.leave(id);
        assert_eq!((done.detail, done.number + 1), (expected.serial, self.pending.produced()));
        let (status, value) =
            if fails { (-(Error::Cancelled as i64), 7) } else { (0, self.serial) };
        self.unread.push_back((expected.cookie, status, value));
    }

    fn reap(&mut self, most: u64) {
        for _ in 0..most {
            if self.seen == self.pages.count() {
                assert!(self.unread.is_empty(), "a completion was dropped");
                break;
            }
            let found = self.pages.get(self.seen);
            let expected = self.unread.pop_front().expect("a completion nobody made");
            assert_eq!((found.cookie, found.status, found.value), expected);
            self.seen += 1;
        }
        self.claimed = self.seen;
    }

    fn depart(&mut self) {
        self.departing = true;
        while let Some(left) = self.pending.depart() {
            let expected = self.leave(left.id);
            assert_eq!((left.fate, left.detail), (expected.at_exit, expected.serial));
            assert_ne!(left.fate, AtExit::Complete);
        }
        assert!(self.alive.values().all(|call| call.at_exit == AtExit::Complete));
    }

    fn step(&mut self, step: Step, honest: bool) {
        match step {
            Step::Open { at_exit, cookie } => {
                let _ = self.open(at_exit, cookie);
            }
            Step::Withdraw => {
                if let Some(opened) = self.open(AtExit::Cancel, 99) {
                    let id = opened.id();
                    assert_eq!(self.pending.withdraw(opened), Ok(self.serial));
                    self.leave(id);
                }
            }
            Step::Complete { which, fails } => {
                if !self.order.is_empty() {
                    self.complete(self.order[which % self.order.len()], fails);
                }
            }
            Step::CompletePast { which } => {
                if !self.past.is_empty() {
                    let id = PendingId::from_bits(self.past[which % self.past.len()].to_bits());
                    assert_eq!(
                        self.pending.complete(id, Ok([0; 2]), &self.pages).unwrap_err(),
                        Gone
                    );
                    assert_eq!(self.pending.detail(id), Err(Gone));
                }
                let never = PendingId::from_bits(0x00ff_ffff_0000_0000 | (which as u64 % 0x1_0000));
                assert_eq!(
                    self.pending.complete(never, Ok([0; 2]), &self.pages).unwrap_err(),
                    Gone
                );
            }
            Step::Abort { cookie } => {
                let waiting = |call: &Expected| call.cookie == cookie && !call.aborting;
                match self.pending.abort(cookie) {
                    Ok((id, detail)) => {
                        let call = self.alive.get_mut(&id).expect("a live call");
                        assert_eq!(
                            (call.cookie, call.serial, call.aborting),
                            (cookie, detail, false)
                        );
                        call.aborting = true;
                    }
                    Err(failure) => {
                        assert_eq!(failure.error, Error::NotFound);
                        assert!(!self.alive.values().any(waiting));
                    }
                }
            }
            Step::Reap { most } => self.reap(most),
            Step::Lie { seen } if !honest => self.claimed = seen,
            Step::Lie { .. } => {}
            Step::Depart => self.depart(),
        }
        assert_eq!(self.pending.len(), self.alive.len());
        assert_eq!(self.pending.is_empty(), self.alive.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn exactly_once(steps in proptest::collection::vec(step(), 0..120)) {
        let mut run = Run::new();
        for step in steps {
            // A process leaves once; before that, a departure would end most runs early.
            if !matches!(step, Step::Depart) {
                run.step(step, true);
            }
        }
        run.depart();
        while let Some(&id) = run.order.first() {
            run.complete(id, false);
        }
        run.reap(u64::MAX);
        prop_assert!(run.unread.is_empty() && run.pending.is_empty());
    }

    #[test]
    fn exactly_once_with_departures(steps in proptest::collection::vec(step(), 0..60)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step, true);
        }
        run.reap(u64::MAX);
        prop_assert!(run.unread.is_empty());
    }

    /// A layer that lies about what it has taken harms itself alone: the table stays sound, nothing panics, and never are
    /// more calls in slots than there are slots.
    #[test]
    fn a_lying_layer(steps in proptest::collection::vec(step(), 0..120)) {
        let mut run = Run::new();
        for step in steps {
            if !matches!(step, Step::Reap { .. }) {
                run.step(step, false);
                prop_assert!(run.pending.len() <= SLOTS);
            }
        }
    }
}

#[test]
fn quota_and_memory() {
    let mut pending = Pending::<[u64; 8], _>::new(vec![Slot::EMPTY; 2]);
    let later = || Later::new(Origin::Receive, 1, AtExit::Cancel, 0);
    let first = pending.open(later(), [0; 8], || 0).unwrap();
    let second = pending.open(later(), [1; 8], || 0).unwrap();
    assert_eq!(pending.open(later(), [2; 8], || 0).unwrap_err().error, Error::Busy);

    let pages = Completions::new();
    pending.complete(first.id(), Ok([1, 2]), &pages).unwrap();
    assert_eq!(pending.open(later(), [2; 8], || 0).unwrap_err().error, Error::Busy);
    let third = pending.open(later(), [2; 8], || 1).unwrap();
    assert_ne!(first.id(), third.id());
    *pending.detail(second.id()).unwrap() = [9; 8];
    assert_eq!(pending.withdraw(second), Ok([9; 8]));

    assert!(
        size_of::<Slot<[u64; 8]>>() + size_of::<abi::Completion>() <= dispatch::MAX_PENDING_BYTES
    );
    let no_wait = Later::new(Origin::Receive, 1, AtExit::Cancel, FLAG_NO_WAIT);
    assert!(!no_wait.may_wait());
    assert_eq!(pending.open(no_wait, [0; 8], || 1).unwrap_err().error, Error::WouldBlock);
}

#[test]
fn a_table_without_slots_is_always_busy() {
    let mut pending = Pending::<u64, _>::new(Vec::<Slot<u64>>::new());
    let later = Later::new(Origin::Receive, 1, AtExit::Cancel, 0);
    assert_eq!(pending.open(later, 0, || u64::MAX).unwrap_err().error, Error::Busy);
    assert!(pending.depart().is_none());
}
