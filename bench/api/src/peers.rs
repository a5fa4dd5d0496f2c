//! Steps on other CPUs: started together, released together, joined before the benchmark goes on.
//!
//! ```text
//!   starter: start all -> wait arrived = n -> go --------> body -> stop -> wait done = n
//!   peer:        arrived + 1 -> wait go -------> peer(&Peer) ... sees stop -> done + 1
//! ```

use crate::env::World;
use core::ops::Range;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicUsize};

struct Shared {
    arrived: AtomicUsize,
    go: AtomicBool,
    stop: AtomicBool,
    done: AtomicUsize,
}

/// A step on another CPU, as seen from there.
pub struct Peer<'a> {
    shared: &'a Shared,
    world: &'static World,
    cpu: usize,
}

impl Peer<'_> {
    /// The CPU of this step.
    pub fn cpu(&self) -> usize {
        self.cpu
    }

    /// Whether the measurement is over: the step returns then.
    pub fn stopped(&self) -> bool {
        // Pairs with: Joined::drop, release.
        self.shared.stop.load(Acquire)
    }

    /// One turn of a wait.
    pub fn relax(&self) {
        (self.world.relax)();
    }
}

struct Start<'a, P> {
    peer: &'a P,
    shared: &'a Shared,
    world: &'static World,
}

fn entry<P: Fn(&Peer<'_>) + Sync>(arg: usize) {
    // SAFETY: (1) `on_each` passes the address of a live `Start<P>`; (2) it does not return before `done` has
    // counted this step, which is the last thing done here; (3) P is Sync, the rest is shared atomics.
    let start = unsafe { &*(arg as *const Start<'_, P>) };
    let shared = start.shared;
    let peer = Peer { shared, world: start.world, cpu: (start.world.cpu)() };
    // Pairs with: on_each, acquire of `arrived`.
    shared.arrived.fetch_add(1, Release);
    // Pairs with: on_each, release of `go`.
    while !shared.go.load(Acquire) {
        peer.relax();
    }
    (start.peer)(&peer);
    // Pairs with: Joined::drop, acquire of `done`.
    shared.done.fetch_add(1, Release);
}

/// Stops and joins the steps, also when the body unwinds.
struct Joined<'a> {
    shared: &'a Shared,
    world: &'static World,
    count: usize,
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        // Pairs with: Peer::stopped, acquire.
        self.shared.stop.store(true, Release);
        self.shared.go.store(true, Release);
        // Pairs with: entry, release of `done`.
        while self.shared.done.load(Acquire) < self.count {
            (self.world.relax)();
        }
    }
}

/// Runs `peer` on each of `cpus` while `body` runs here.
pub(crate) fn on_each<P, R>(
    world: &'static World,
    cpus: Range<usize>,
    peer: &P,
    body: impl FnOnce() -> R,
) -> R
where
    P: Fn(&Peer<'_>) + Sync,
{
    let shared = Shared {
        arrived: AtomicUsize::new(0),
        go: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        done: AtomicUsize::new(0),
    };
    let start = Start { peer, shared: &shared, world };
    let mut joined = Joined { shared: &shared, world, count: 0 };
    for cpu in cpus {
        joined.count += 1;
        (world.start)(cpu, entry::<P>, core::ptr::from_ref(&start) as usize);
    }
    // Pairs with: entry, release of `arrived`.
    while shared.arrived.load(Acquire) < joined.count {
        (world.relax)();
    }
    // Pairs with: entry, acquire of `go`.
    shared.go.store(true, Release);
    let result = body();
    drop(joined);
    debug_assert!(shared.stop.load(Relaxed));
    result
}
