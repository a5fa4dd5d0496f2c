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
}

impl Acknowledge {
    fn new() -> Acknowledge {
        Acknowledge { done: AtomicUsize::new(0) }
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

fn sync_here(crit: &Crit, acknowledge: usize, func: usize, arg: usize) {
    // SAFETY: `sync` sent these words and waits for `done`.
    let acknowledge = unsafe { Acknowledge::of(acknowledge) };
    // SAFETY: `sync` made this word out of such a function.
    let func = unsafe {
        core::mem::transmute::<*const (), fn(&Crit, usize)>(ptr::with_exposed_provenance(func))
    };
    func(crit, arg);
    acknowledge.done();
}

/// An acknowledgement that brings a value.
struct Answer {
    acknowledge: Acknowledge,
    value: AtomicUsize,
}

fn ask_here(crit: &Crit, answer: usize, func: usize, arg: usize) {
    // SAFETY: `call_wait` sent these words, the first from such an answer, which lives until it is done: it waits for that.
    let answer = unsafe { &*ptr::with_exposed_provenance::<Answer>(answer) };
    // SAFETY: `call_wait` made this word out of such a function.
    let func = unsafe {
        core::mem::transmute::<*const (), fn(&Crit, usize) -> usize>(ptr::with_exposed_provenance(
            func,
        ))
    };
    // Relaxed: `done` releases it.
    answer.value.store(func(crit, arg), Ordering::Relaxed);
    answer.acknowledge.done();
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
        let words = [acknowledge.word(), (func as *const ()).expose_provenance(), arg];
        let count = match cpus.as_word() {
            Some(word) if me.index() < u64::BITS as usize => self.send_word(crit, me, word, words),
            _ => self.send_others(crit, me, cpus, words),
        };
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
        let answer = Answer { acknowledge: Acknowledge::new(), value: AtomicUsize::new(0) };
        let word = ptr::from_ref(&answer).expose_provenance();
        self.send(
            crit,
            to,
            Call::new(ask_here, [word, (func as *const ()).expose_provenance(), arg]),
        );
        self.wait_for(crit, me, &answer.acknowledge, 1);
        answer.value.load(Ordering::Relaxed)
    }

    /// Returns when each CPU of the set has executed all that this one sent to it before.
    pub fn synchronize(&self, crit: &Crit, cpus: &CpuSet) {
        self.sync(crit, cpus, |_, _| (), 0);
    }

    /// Sends to the CPUs of a word, this one excepted, from its number on; returns how many they are. This one is in the word's range.
    #[inline(always)]
    fn send_word(&self, crit: &Crit, me: CpuId, word: u64, [a, b, c]: [usize; 3]) -> usize {
        let first = me.index() as u32 % u64::BITS;
        let mut left = word.rotate_right(first) & !1;
        let mut count = 0;
        while left != 0 {
            let number = (left.trailing_zeros() + first) % u64::BITS;
            left &= left - 1;
            let to = CpuId::from(number as u8);
            count += 1;
            if !self.quickly(crit, me, to, Call::new(sync_here, [a, b, c])) {
                self.send_sync_slowly(crit, to, a, b, c);
            }
        }
        count
    }

    /// By word, so that the usual way keeps them in registers.
    #[cold]
    #[inline(never)]
    fn send_sync_slowly(&self, crit: &Crit, to: CpuId, a: usize, b: usize, c: usize) {
        self.send_slowly(crit, to, Call::new(sync_here, [a, b, c]));
    }

    #[cold]
    #[inline(never)]
    fn send_others(&self, crit: &Crit, me: CpuId, cpus: &CpuSet, words: [usize; 3]) -> usize {
        let others = cpus.starting_at(me).filter(|to| *to != me);
        others.map(|to| self.send(crit, to, Call::new(sync_here, words))).count()
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
