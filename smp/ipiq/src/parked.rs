//! Parked sets: CPUs that do nothing but serve messages and obey one that has parked them, until it lets them go.
//! (Nothing to do with CPUs that are taken away from scheduling, nor with calls parked in an outbox.)
//!
//! ```text
//!   the master                                each CPU of the set
//!   park ───────── a call, as by `sync` ────▶ enters the master among those that have parked it; acknowledges
//!    ╎ serves until all have acknowledged     ┌─▶ serves messages; reads the turns of its masters; pause ─┐
//!   run_on_all ─── order, turn + 1 ─────────▶ │   a new turn: executes the order; acknowledges            │
//!    ╎ serves and obeys until all have        └───────────────────────────────────────────────────────────┘
//!   drop ───────── no order, turn + 1 ──────▶ takes the master out; acknowledges; has none left: goes on
//! ```
//! Context law: a master is in one critical section from `park` to the drop ([`Parked`] borrows it), so no other thread of its
//! CPU runs, and it parks one set at a time. An order is executed inside a drain: as a call, it cannot wait.

use core::fmt;

use percpu::sync::{AtomicPtr, AtomicUsize, Ordering, hint};
use percpu::{CpuId, CpuSet, Crit, maybe_const};

use crate::node::Node;
use crate::{Bell, Fabric};

/// What a CPU says to those that it has parked.
///
/// | step | master | parked CPU |
/// |---|---|---|
/// | 1 | zeroes `done`; writes the order; adds 1 to `turn`, release | reads `turn`, acquire: not the parity that it saw last |
/// | 2 | serves and obeys until `done` is n, acquire | executes the order, or takes the master out |
/// | 3 | writes the next order: go to 1 | adds 1 to `done`, release, and reads the order no more |
///
/// Forbidden: executing an order twice, or not, or half of one; going on before all effects of an order are seen. The parity is
/// enough, as there is no next turn before all have acknowledged the last. Checked by the model `park_run_release`.
///
/// *Two masters may park each other*: a master that is parked acknowledges like everybody, but goes on as long as it masters, and
/// obeys where it waits; when it lets its own set go, it stays. So no master waits for one that waits for it. Checked by
/// the model `two_masters_park_each_other`.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Master {
    turn: AtomicUsize,
    /// An [`Order`], or null: go on.
    func: AtomicPtr<()>,
    arg: AtomicUsize,
    done: Done,
}

/// On a line of its own: the parked write it while they read the rest.
#[derive(Debug)]
#[repr(align(128))]
struct Done(AtomicUsize);

/// What the parked execute.
type Order = fn(&Crit, usize);

impl Master {
    maybe_const! {
        pub fn new() -> Self {
            Master {
                turn: AtomicUsize::new(0),
                func: AtomicPtr::new(core::ptr::null_mut()),
                arg: AtomicUsize::new(0),
                done: Done(AtomicUsize::new(0)),
            }
        }
    }

    /// Step 1. This CPU is the master, and all have acknowledged what it said before.
    fn say(&self, func: *mut (), arg: usize) {
        self.done.0.store(0, Ordering::Relaxed);
        self.func.store(func, Ordering::Relaxed);
        self.arg.store(arg, Ordering::Relaxed);
        let turn = self.turn.load(Ordering::Relaxed);
        // Pairs with: `Fabric::obey`, acquire.
        self.turn.store(turn.wrapping_add(1), Ordering::Release);
    }
}

/// What a CPU has to do with masters, itself among them.
#[derive(Debug)]
pub(crate) struct Bonds {
    /// Who has parked this CPU.
    by: CpuSet,
    /// Of these, whose last turn that was obeyed is odd.
    odd: CpuSet,
    /// This CPU has parked others.
    masters: bool,
    /// How many it let go last; not all may have noticed yet.
    owed: usize,
}

impl Bonds {
    pub const NONE: Bonds =
        Bonds { by: CpuSet::EMPTY, odd: CpuSet::EMPTY, masters: false, owed: 0 };

    pub fn is_parked(&self) -> bool {
        !self.by.is_empty()
    }

    fn enter(&mut self, master: CpuId, turn: usize) {
        self.by.insert(master);
        self.obeyed(master, turn);
    }

    /// Finds a master whose turn is not the one that was obeyed last, and that turn.
    #[inline]
    fn find_new(&self, turn_of: impl Fn(CpuId) -> usize) -> Option<(CpuId, usize)> {
        self.by.find_map(|master| {
            let turn = turn_of(master);
            (self.odd.contains(master) != (turn % 2 == 1)).then_some((master, turn))
        })
    }

    fn obeyed(&mut self, master: CpuId, turn: usize) {
        if turn % 2 == 1 {
            self.odd.insert(master);
        } else {
            self.odd.remove(master);
        }
    }
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Parks the CPUs of a set: returns when each of them does nothing any more but serve messages and obey this one.
    ///
    /// This CPU may be in the set: then it takes part in what all execute. It serves meanwhile. Several CPUs may be masters at
    /// once, of the same CPUs and of each other. Sends to a CPU that is parked are served as always.
    ///
    /// # Panics
    /// Inside a call: a call cannot wait. If this CPU has parked a set already.
    pub fn park<'a>(&'a self, crit: &'a Crit, cpus: &CpuSet) -> Parked<'a, B, CPUS, DEPTH> {
        let me = B::here(crit);
        self.assert_may_wait(crit, me);
        let node = self.nodes().on(me);
        probe::masters();
        let owed = node.state.with(crit, |state| {
            assert!(!state.bonds.masters, "{me:?} has parked a set already");
            state.bonds.masters = true;
            core::mem::take(&mut state.bonds.owed)
        });
        self.wait_as_master(crit, me, owed);
        let entry = Entry { fabric: self, master: me };
        let word = core::ptr::from_ref(&entry).expose_provenance();
        let mut others = *cpus;
        others.remove(me);
        let count = self.sync_counted(crit, me, &others, enter::<B, CPUS, DEPTH>, word);
        node.counters.mastered.add(crit, 1);
        probe::commands(count as u32);
        Parked { fabric: self, crit, me, is_in: cpus.contains(me), others: count }
    }

    /// Returns whether this CPU has parked a set. Then its thread must not be preempted, also not by an interrupt thread:
    /// the parked would wait for that.
    #[inline]
    pub fn is_master(&self, crit: &Crit) -> bool {
        self.nodes().here::<B>(crit).state.with(crit, |state| state.bonds.masters)
    }

    /// Obeys each master that has said something new; returns whether this CPU may go on. Part of a drain.
    #[inline]
    pub(crate) fn obey(&self, crit: &Crit, node: &Node<DEPTH>) -> bool {
        // Pairs with: `Master::say`, release.
        let turn_of = |master| self.masters().on(master).turn.load(Ordering::Acquire);
        while let Some((master, turn)) =
            node.state.with(crit, |state| state.bonds.find_new(turn_of))
        {
            self.obey_one(crit, node, master, turn);
        }
        node.state.with(crit, |state| !state.bonds.is_parked() || state.bonds.masters)
    }

    /// Steps 2 and 3 for a master that has said something new.
    #[inline(never)]
    fn obey_one(&self, crit: &Crit, node: &Node<DEPTH>, master: CpuId, turn: usize) {
        let said = self.masters().on(master);
        // Relaxed: the turn, acquired, came after them.
        let func = said.func.load(Ordering::Relaxed);
        if func.is_null() {
            probe::goes_on(master.index() as u32);
            node.state.with(crit, |state| {
                state.bind(|bonds| bonds.by.remove(master));
            });
        } else {
            let arg = said.arg.load(Ordering::Relaxed);
            node.state.with(crit, |state| state.bonds.obeyed(master, turn));
            // SAFETY: what is not null was stored by `run_on_all`, from an `Order`.
            let order = unsafe { core::mem::transmute::<*mut (), Order>(func) };
            order(crit, arg);
        }
        node.counters.obeyed.add(crit, 1);
        // Pairs with: `wait_as_master`, acquire.
        said.done.0.fetch_add(1, Ordering::Release);
    }

    /// Serves and obeys until `count` CPUs have acknowledged what this master said last.
    fn wait_as_master(&self, crit: &Crit, me: CpuId, count: usize) {
        // Pairs with: `obey`, release.
        while self.masters().on(me).done.0.load(Ordering::Acquire) != count {
            self.attend(crit, me);
            hint::spin_loop();
        }
    }

    /// Serves what was sent here, and obeys; if this CPU is parked, and no master itself, until it is let go.
    fn attend(&self, crit: &Crit, me: CpuId) {
        let node = self.nodes().on(me);
        let is_parked = node.state.with(crit, |state| state.bonds.is_parked());
        if is_parked || node.doorbell.is_marked() {
            self.drain_marked(crit, me);
        }
    }
}

/// What the call that parks a CPU needs: on the stack of the master, which waits for it.
struct Entry<'a, B, const CPUS: usize, const DEPTH: usize> {
    fabric: &'a Fabric<B, CPUS, DEPTH>,
    master: CpuId,
}

fn enter<B: Bell, const CPUS: usize, const DEPTH: usize>(crit: &Crit, entry: usize) {
    // SAFETY: 1. `park` made the word from such an entry; 2. it waits until this has been acknowledged.
    let entry = unsafe { &*core::ptr::with_exposed_provenance::<Entry<'_, B, CPUS, DEPTH>>(entry) };
    // Relaxed: the master wrote it before it sent this, and does not before this has been acknowledged.
    let turn = entry.fabric.masters().on(entry.master).turn.load(Ordering::Relaxed);
    let node = entry.fabric.nodes().here::<B>(crit);
    probe::parked(entry.master.index() as u32);
    node.state.with(crit, |state| state.bind(|bonds| bonds.enter(entry.master, turn)));
}

/// A set of CPUs that this one has parked; dropped, it lets them go.
///
/// It borrows the critical section, so its thread neither leaves the CPU nor gives it up meanwhile.
#[must_use = "dropped, it lets the CPUs go"]
pub struct Parked<'a, B: Bell, const CPUS: usize, const DEPTH: usize> {
    fabric: &'a Fabric<B, CPUS, DEPTH>,
    crit: &'a Crit,
    me: CpuId,
    is_in: bool,
    others: usize,
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Parked<'_, B, CPUS, DEPTH> {
    /// How many other CPUs are parked.
    pub fn others(&self) -> usize {
        self.others
    }

    /// Has all CPUs of the set execute `f`, this one too if it is in; returns when all have.
    ///
    /// `f` runs as a call does: it cannot wait. The others begin without a message each: they watch one word.
    pub fn run_on_all<F: Fn(&Crit) + Sync>(&self, f: F) {
        fn order<F: Fn(&Crit) + Sync>(crit: &Crit, f: usize) {
            // SAFETY: 1. `run_on_all` made the word from an `F` that all may share; 2. it waits until this has been acknowledged.
            let f = unsafe { &*core::ptr::with_exposed_provenance::<F>(f) };
            f(crit);
        }
        let func = order::<F> as Order as *mut ();
        let master = self.fabric.masters().on(self.me);
        master.say(func, core::ptr::from_ref(&f).expose_provenance());
        if self.is_in {
            f(self.crit);
        }
        self.fabric.wait_as_master(self.crit, self.me, self.others);
    }
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Drop for Parked<'_, B, CPUS, DEPTH> {
    /// Lets them go, without waiting until they have noticed; then, if others have parked this CPU, waits for these.
    fn drop(&mut self) {
        probe::lets_go(self.others as u32);
        self.fabric.masters().on(self.me).say(core::ptr::null_mut(), 0);
        self.fabric.nodes().on(self.me).state.with(self.crit, |state| {
            state.bonds.masters = false;
            state.bonds.owed = self.others;
        });
        self.fabric.attend(self.crit, self.me);
    }
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> fmt::Debug for Parked<'_, B, CPUS, DEPTH> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked").field("me", &self.me).field("others", &self.others).finish()
    }
}
