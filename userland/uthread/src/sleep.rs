//! Sleep and wake of a carrier, timers, and completions. The protocol's table is in [`crate::mail`].

use crate::carrier::count;
use crate::sync::{Ordering, fence};
use crate::{Carrier, Kernel, Tcb};

impl Carrier {
    /// Looks at everything that can make a thread ready.
    pub(crate) fn look_around<K: Kernel>(&'static self, kernel: K) {
        // Pairs with: `Inbox::ring`; a swap: what was posted before somebody set `pending` is seen below.
        self.pending.swap(0, Ordering::AcqRel);
        self.reap();
        self.open_mail(kernel);
        if self.timers.next().is_some() {
            let now = kernel.now(self);
            while let Some(thread) = self.timers.expired(now) {
                self.ready(thread);
            }
        }
    }

    /// Takes the completions that the kernel has written, without entering it.
    fn reap(&'static self) {
        let produced = self.completions.count();
        let mut seen = self.seen.load(Ordering::Relaxed);
        while seen != produced {
            let completion = self.completions.get(seen);
            // SAFETY: the kernel returns cookies unchanged, and the layer's are threads' blocks.
            let thread: &'static Tcb = unsafe { &*(completion.cookie as *const Tcb) };
            let mut message = thread.sysmsg.get();
            message.complete(&completion);
            thread.sysmsg.set(message);
            thread.result.set(completion.status as u64);
            self.ready(thread);
            count(&self.counters.completions);
            seen += 1;
        }
        // Pairs with: the kernel's look at it, on this CPU: it uses a slot again once this says that it was read.
        self.seen.store(seen, Ordering::Release);
    }

    /// Nobody can run: sleeps until there is a completion, mail, or the earliest deadline.
    pub(crate) fn sleep<K: Kernel>(&'static self, kernel: K) {
        let seen = self.seen.load(Ordering::Relaxed);
        self.inbox.asleep.store(1, Ordering::Relaxed);
        // Pairs with: Inbox::ring, the fence between push and looking at `asleep`.
        fence(Ordering::SeqCst);
        if self.inbox.is_empty() && self.completions.count() == seen {
            count(&self.counters.sleeps);
            kernel.wait(
                self,
                seen,
                self.timers.next().map_or(abi::NO_DEADLINE, |deadline| deadline.max(1)),
            );
        }
        self.inbox.asleep.store(0, Ordering::Relaxed);
    }

    /// The running thread sleeps until `deadline`, in nanoseconds since boot.
    pub fn sleep_until(&'static self, running: &'static Tcb, deadline: u64) -> &'static Tcb {
        let next = self.leave(running);
        self.timers.add(running, deadline);
        next
    }

    /// The running thread's call was sent and not answered at once: it waits for the completion.
    #[inline]
    pub fn await_completion(&'static self, running: &'static Tcb) -> &'static Tcb {
        self.leave(running)
    }
}
