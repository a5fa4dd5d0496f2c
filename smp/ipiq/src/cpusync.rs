//! Functions that other CPUs execute while this one waits for them.

use core::ptr;

use percpu::sync::{AtomicUsize, Ordering, hint};
use percpu::{CpuId, CpuSet, Crit};

use crate::{Bell, Call, Fabric};

/// A remote function that is waited for: on the stack of the CPU that waits.
///
/// | step | waiting CPU | executing CPU |
/// |---|---|---|
/// | 1 | `done` = 0; sends to n CPUs | executes the function |
/// | 2 | serves until `done` is n, acquire | adds 1 to `done`, release, and touches it no more |
///
/// Forbidden: going on before all effects of the functions are seen. Checked by the model `acknowledge`.
struct Acknowledge {
    done: AtomicUsize,
    value: AtomicUsize,
}

impl Acknowledge {
    fn new() -> Acknowledge {
        Acknowledge { done: AtomicUsize::new(0), value: AtomicUsize::new(0) }
    }

    fn word(&self) -> usize {
        ptr::from_ref(self).expose_provenance()
    }

    /// # Safety
    /// `word` came from `word`, and the one that it came from waits.
    unsafe fn of<'a>(word: usize) -> &'a Acknowledge {
        // SAFETY: the caller's word: it is the address of one that lives until it is done.
        unsafe { &*ptr::with_exposed_provenance(word) }
    }

    fn done(&self) {
        // Pairs with: `Fabric::wait_for`, acquire.
        self.done.fetch_add(1, Ordering::Release);
    }
}

fn sync_here(crit: &Crit, [acknowledge, func, arg]: [usize; 3]) {
    // SAFETY: `sync` sent these words and waits for `done`.
    let acknowledge = unsafe { Acknowledge::of(acknowledge) };
    // SAFETY: `sync` made this word out of such a function.
    let func = unsafe {
        core::mem::transmute::<*const (), fn(&Crit, usize)>(ptr::with_exposed_provenance(func))
    };
    func(crit, arg);
    acknowledge.done();
}

fn ask_here(crit: &Crit, [acknowledge, func, arg]: [usize; 3]) {
    // SAFETY: `call_wait` sent these words and waits for `done`.
    let acknowledge = unsafe { Acknowledge::of(acknowledge) };
    // SAFETY: `call_wait` made this word out of such a function.
    let func = unsafe {
        core::mem::transmute::<*const (), fn(&Crit, usize) -> usize>(ptr::with_exposed_provenance(
            func,
        ))
    };
    // Relaxed: `done` releases it.
    acknowledge.value.store(func(crit, arg), Ordering::Relaxed);
    acknowledge.done();
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Has each CPU of a set execute `func(arg)`, this one included if it is in; returns when all have.
    ///
    /// Serves its own calls meanwhile. Several CPUs may do this at once, to each other too.
    ///
    /// # Panics
    /// Inside a call: a call cannot wait.
    pub fn sync(&self, crit: &Crit, cpus: &CpuSet, func: fn(&Crit, usize), arg: usize) {
        let me = B::here(crit);
        self.assert_may_wait(crit, me);
        let acknowledge = Acknowledge::new();
        let call = Call::new(
            sync_here,
            [acknowledge.word(), (func as *const ()).expose_provenance(), arg],
        );
        let mut count = 0;
        cpus.for_each_from(me, |to| {
            if to != me {
                self.send(crit, to, call);
                count += 1;
            }
        });
        if cpus.contains(me) {
            func(crit, arg);
        }
        self.wait_for(crit, me, &acknowledge, count);
    }

    /// Has one other CPU execute `func(arg)` and returns its answer.
    ///
    /// # Panics
    /// Inside a call: a call cannot wait.
    pub fn call_wait(
        &self,
        crit: &Crit,
        to: CpuId,
        func: fn(&Crit, usize) -> usize,
        arg: usize,
    ) -> usize {
        let me = B::here(crit);
        self.assert_may_wait(crit, me);
        if to == me {
            return func(crit, arg);
        }
        let acknowledge = Acknowledge::new();
        self.send(
            crit,
            to,
            Call::new(ask_here, [acknowledge.word(), (func as *const ()).expose_provenance(), arg]),
        );
        self.wait_for(crit, me, &acknowledge, 1);
        acknowledge.value.load(Ordering::Relaxed)
    }

    /// Returns when each CPU of the set has executed all that this one sent to it before.
    pub fn synchronize(&self, crit: &Crit, cpus: &CpuSet) {
        self.sync(crit, cpus, |_, _| (), 0);
    }

    #[inline]
    fn wait_for(&self, crit: &Crit, me: CpuId, acknowledge: &Acknowledge, count: usize) {
        // Pairs with: `Acknowledge::done`, release.
        while acknowledge.done.load(Ordering::Acquire) != count {
            self.drain(crit);
            hint::spin_loop();
        }
        self.nodes().on(me).counters.synced.add(crit, 1);
    }

    #[inline]
    fn assert_may_wait(&self, crit: &Crit, me: CpuId) {
        let in_call = self.nodes().on(me).state.with(crit, |state| state.in_call);
        assert!(!in_call, "a call cannot wait");
    }
}
