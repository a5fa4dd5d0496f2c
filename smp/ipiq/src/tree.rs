//! Broadcasts to many CPUs: from CPU to CPU along a tree, and the acknowledgements back along it.
//!
//! ```text
//!   place 0: the CPU that broadcasts        a. sends to places 1 to 4 (4p+1 to 4p+4 of place p)
//!     ├─ 1 ─┬─ 5                            b. each: forwards; executes the call; arrives
//!     │     ├─ 6 ...                        c. who is the last to arrive below a place arrives for it, one up
//!     ├─ 2 ── 9 ...                         d. nobody is left below place 0: the broadcast is over
//! ```
//! Context law: a tree is its root's; it is written when nothing of the last broadcast is on its way any more. A relay forwards inside
//! a call, to at most [`Bell::FAN`] CPUs, and never waits: what meets a full ring goes through its outbox.

use percpu::sync::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicUsize, Ordering, hint};
use percpu::{CpuId, CpuSet, Crit, MAX_CPUS, array_of, maybe_const};

use crate::{Bell, Call, CallFn, Fabric};

/// A broadcast under way, in the part of a fabric that is its root's.
///
/// | step | root | a place below it |
/// |---|---|---|
/// | 1 | waits until it is not `busy`, acquire; writes it | |
/// | 2 | sends to its children | gets the call, which orders 1 before it; reads it; forwards |
/// | 3 | | adds 1 to what has arrived at its parent, acquire and release; the last one resets that, and is at step 3 for the parent |
/// | 4 | | the last one at place 0 clears `busy`, release, and reads it no more |
///
/// Forbidden: that the root goes on, or writes it anew, while somebody has not executed the call, or may still read it. Checked by the
/// model `tree_of_relays`.
#[derive(Debug)]
pub(crate) struct Tree<const CPUS: usize> {
    busy: AtomicBool,
    /// Places, the root's included.
    count: AtomicU16,
    func: AtomicPtr<()>,
    args: [AtomicUsize; 3],
    /// How many have arrived at place 0.
    arrived: AtomicU8,
    /// The CPU at each place, place 0 left out.
    members: [AtomicU16; CPUS],
}

/// How many have arrived at this CPU for the tree of each root.
#[derive(Debug)]
pub(crate) struct Arrived<const CPUS: usize>([AtomicU8; CPUS]);

impl<const CPUS: usize> Tree<CPUS> {
    maybe_const! {
        pub fn new() -> Self {
            Tree {
                busy: AtomicBool::new(false),
                count: AtomicU16::new(0),
                func: AtomicPtr::new(core::ptr::null_mut()),
                args: array_of![AtomicUsize::new(0); 3],
                arrived: AtomicU8::new(0),
                members: array_of![AtomicU16::new(0); CPUS],
            }
        }
    }

    /// Whether a broadcast of this root is not over.
    pub fn is_busy(&self) -> bool {
        // Pairs with: `Fabric::arrive`, release.
        self.busy.load(Ordering::Acquire)
    }

    /// Step 1; it is not busy. Returns how many CPUs are to get the call.
    ///
    /// Relaxed, all of it: the sends of step 2 come after it.
    fn write(&self, members: impl Iterator<Item = CpuId>, call: Call) -> usize {
        let mut count = 0;
        const { assert!(CPUS <= 1 << u16::BITS, "a member is two bytes") }
        for (place, cpu) in self.members.iter().zip(members) {
            place.store(cpu.index() as u16, Ordering::Relaxed);
            count += 1;
        }
        self.count.store(count as u16 + 1, Ordering::Relaxed);
        self.func.store(call.func as *mut (), Ordering::Relaxed);
        for (place, arg) in self.args.iter().zip(call.args) {
            place.store(arg, Ordering::Relaxed);
        }
        self.busy.store(count != 0, Ordering::Relaxed);
        count
    }

    fn call(&self) -> Call {
        let func = self.func.load(Ordering::Relaxed);
        // SAFETY: `write` stored it, from a `CallFn`, before the call was sent that leads here.
        let func = unsafe { core::mem::transmute::<*mut (), CallFn>(func) };
        let [a, b, c] = &self.args;
        Call::new(func, [a, b, c].map(|arg| arg.load(Ordering::Relaxed)))
    }

    /// The CPU at a place below the root.
    fn member(&self, place: usize) -> CpuId {
        CpuId::at(usize::from(self.members[place - 1].load(Ordering::Relaxed)) % MAX_CPUS)
    }

    /// The places right below a place.
    fn children(&self, place: usize, fan: usize) -> core::ops::Range<usize> {
        children(place, usize::from(self.count.load(Ordering::Relaxed)), fan)
    }
}

impl<const CPUS: usize> Arrived<CPUS> {
    maybe_const! {
        pub fn new() -> Self {
            Arrived(array_of![AtomicU8::new(0); CPUS])
        }
    }
}

/// The places right below `place` in a tree of `count` places.
const fn children(place: usize, count: usize, fan: usize) -> core::ops::Range<usize> {
    let first = place * fan + 1;
    let end = first + fan;
    if first >= count {
        count..count
    } else if end > count {
        first..count
    } else {
        first..end
    }
}

/// The place right above a place that is not 0.
const fn parent(place: usize, fan: usize) -> usize {
    (place - 1) / fan
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Has the CPUs of a set, this one too if it is in, execute a call, without waiting for the end: [`Fabric::tree_is_over`].
    ///
    /// Outside calls: first it waits for the end of the last broadcast of this CPU.
    #[cold]
    pub(crate) fn spread(&self, crit: &Crit, me: CpuId, cpus: &CpuSet, call: Call) -> usize {
        while !self.tree_is_over(me) {
            self.drain(crit);
            hint::spin_loop();
        }
        let count = self.trees().on(me).write(cpus.starting_at(me), call);
        self.forward(crit, me, me, 0);
        count
    }

    /// Whether all have executed what this CPU broadcast last.
    #[inline]
    pub(crate) fn tree_is_over(&self, me: CpuId) -> bool {
        !self.trees().on(me).is_busy()
    }

    /// Step 2: sends a root's broadcast from a place to those right below it; returns how many these are.
    #[inline(always)]
    fn forward(&self, crit: &Crit, me: CpuId, root: CpuId, place: usize) -> usize {
        let tree = self.trees().on(root);
        let children = tree.children(place, B::FAN);
        if children.is_empty() {
            return 0;
        }
        self.forward_to(crit, me, root, tree, children)
    }

    /// The part of `forward` for places that have others below them.
    #[inline(never)]
    fn forward_to(
        &self,
        crit: &Crit,
        me: CpuId,
        root: CpuId,
        tree: &Tree<CPUS>,
        children: core::ops::Range<usize>,
    ) -> usize {
        let fabric = core::ptr::from_ref(self).expose_provenance();
        let below = children.len();
        for child in children {
            let relay = Call::new(relay::<B, CPUS, DEPTH>, [fabric, root.index(), child]);
            self.send(crit, tree.member(child), relay);
        }
        self.nodes().on(me).counters.relayed.add(crit, below as u64);
        below
    }

    /// Steps 3 and 4, for a place that is done with itself and has `below` places right below it.
    fn arrive(&self, root: CpuId, place: usize, below: usize) {
        let tree = self.trees().on(root);
        // A place waits for those right below it and for itself; place 0 has nothing to do itself.
        let (mut place, mut awaited) = (place, below + 1);
        loop {
            // Where nobody else arrives there is nothing to count.
            if awaited > 1 {
                let arrived = match place {
                    0 => &tree.arrived,
                    _ => &self.arrived().on(tree.member(place)).0[root.index()],
                };
                // Acquire and release: the last one to arrive has seen what the others did, and shows it to who comes after it.
                // Pairs with: itself, on the other CPUs.
                if usize::from(arrived.fetch_add(1, Ordering::AcqRel)) + 1 != awaited {
                    return;
                }
                // Relaxed: what comes next for this root comes after step 4.
                arrived.store(0, Ordering::Relaxed);
            }
            if place == 0 {
                // Pairs with: `is_busy`, acquire.
                tree.busy.store(false, Ordering::Release);
                return;
            }
            place = parent(place, B::FAN);
            awaited = tree.children(place, B::FAN).len() + usize::from(place != 0);
        }
    }
}

/// Executed at each place but the root's.
fn relay<B: Bell, const CPUS: usize, const DEPTH: usize>(
    crit: &Crit,
    fabric: usize,
    root: usize,
    place: usize,
) {
    // SAFETY: `forward` made the word from the fabric, which its root keeps until the broadcast is over: in a kernel it is static.
    let fabric = unsafe { &*core::ptr::with_exposed_provenance::<Fabric<B, CPUS, DEPTH>>(fabric) };
    let root = CpuId::at(root);
    let below = fabric.forward(crit, B::here(crit), root, place);
    fabric.trees().on(root).call().run(crit);
    fabric.arrive(root, place, below);
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::{children, parent};

    /// As in a kernel.
    const FAN: usize = 4;

    /// Hops from a place up to the root.
    fn depth(mut place: usize) -> u32 {
        let mut hops = 0;
        while place != 0 {
            place = parent(place, FAN);
            hops += 1;
        }
        hops
    }

    #[test]
    fn each_place_has_one_parent_and_few_hops() {
        for others in 1..=255_usize {
            let count = others + 1;
            let mut seen = vec![0; count];
            for place in 0..count {
                for child in children(place, count, FAN) {
                    assert_eq!(parent(child, FAN), place);
                    seen[child] += 1;
                }
            }
            assert!(seen[1..].iter().all(|times| *times == 1) && seen[0] == 0);
            let hops = 2 * (0..count).map(depth).max().unwrap_or(0);
            let most = 2.0 * (others as f64).ln() / 4_f64.ln() + 2.0;
            assert!(f64::from(hops) <= most, "{others} others: {hops} hops of {most}");
        }
    }
}
