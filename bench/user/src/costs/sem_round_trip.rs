//! What it costs two user threads to wake each other.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use program::sync::local::Semaphore;

/// Two semaphores for the threads of one CPU process.
struct Pair {
    there: Semaphore,
    back: Semaphore,
    over: AtomicBool,
}

// SAFETY: both threads belong to the CPU process that made the semaphores.
unsafe impl Sync for Pair {}

impl Pair {
    /// The other thread: gives back what it gets, until it is over.
    fn answer(&self) {
        loop {
            self.there.wait();
            if self.over.load(Relaxed) {
                return;
            }
            self.back.post();
        }
    }
}

bench_api::bench! {
    name: "user/sem_round_trip",
    doc: "Gives a unit that an equal waits for, then waits for the unit that it gives back: two wakes, two waits.",
    goal: "G4",
    lies: "Semaphores for one CPU process; those for all cost a locked instruction a call.",
    shape: "flat in threads that wait, and in CPUs",
    run: |b| {
        let pair = Pair { there: Semaphore::new(0), back: Semaphore::new(0), over: AtomicBool::new(false) };
        b.batch(4);
        b.on(0, |_| pair.answer(), |b| {
            b.iter(|| {
                pair.there.post();
                pair.back.wait();
            });
            pair.over.store(true, Relaxed);
            pair.there.post();
        });
    },
}
