//! Functions that other CPUs execute while this one waits for them, without taking the CPUs out of what they do
//! ([`parked`](crate::Parked) does): cpusync's quick form.
//!
//! To a few CPUs the call is sent to each; to more than [`Bell::LOOP_MOST`] it goes along a [tree](crate::tree).

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

/// The call by which a CPU executes `func(arg)` and acknowledges it.
#[inline(always)]
fn sync_call(acknowledge: &Acknowledge, func: fn(&Crit, usize), arg: usize) -> Call {
    let func = (func as *const ()).expose_provenance();
    Call::new(sync_here, [acknowledge.word(), func, arg])
}

fn sync_here(crit: &Crit, acknowledge: usize, func: usize, arg: usize) {
    // SAFETY: `sync_call` made these words, and who sent them waits for `done`.
    let acknowledge = unsafe { Acknowledge::of(acknowledge) };
    // SAFETY: `sync_call` made this word out of such a function.
    let func = unsafe {
        core::mem::transmute::<*const (), fn(&Crit, usize)>(ptr::with_exposed_provenance(func))
    };
    func(crit, arg);
    acknowledge.done();
}

/// The CPU of the lowest bit of a word that was turned right by `first`.
#[inline(always)]
fn turned_back(word: u64, first: u32) -> CpuId {
    CpuId::from(((word.trailing_zeros() + first) % u64::BITS) as u8)
}

/// What a tree's places execute for `sync`: the tree itself acknowledges.
fn sync_in_tree(crit: &Crit, func: usize, arg: usize, _: usize) {
    // SAFETY: `sync_far` made this word out of such a function.
    let func = unsafe {
        core::mem::transmute::<*const (), fn(&Crit, usize)>(ptr::with_exposed_provenance(func))
    };
    func(crit, arg);
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

/// What `settle` waits for: on its stack.
struct Settling<'a, B, const CPUS: usize, const DEPTH: usize> {
    fabric: &'a Fabric<B, CPUS, DEPTH>,
    acknowledge: Acknowledge,
}

/// A call of another source may be behind this one in the same look, but not behind what is sent from here to this CPU itself: that
/// is found by the next look.
fn settle_here<B: Bell, const CPUS: usize, const DEPTH: usize>(crit: &Crit, word: usize) {
    // SAFETY: `settle` made the word, and waits for `settled`.
    let settling = unsafe { &*ptr::with_exposed_provenance::<Settling<'_, B, CPUS, DEPTH>>(word) };
    settling.fabric.send(crit, B::here(crit), Call::new(settled::<B, CPUS, DEPTH>, [word, 0, 0]));
}

fn settled<B: Bell, const CPUS: usize, const DEPTH: usize>(
    _: &Crit,
    word: usize,
    _: usize,
    _: usize,
) {
    // SAFETY: `settle` made the word, and waits for this.
    let settling = unsafe { &*ptr::with_exposed_provenance::<Settling<'_, B, CPUS, DEPTH>>(word) };
    settling.acknowledge.done();
}

impl<B: Bell, const CPUS: usize, const DEPTH: usize> Fabric<B, CPUS, DEPTH> {
    /// Has each CPU of a set execute `func(arg)`, this one included if it is in; returns when all have.
    ///
    /// Serves its own calls meanwhile. Several CPUs may do this at once, to each other too. CPUs that do not listen are left out.
    /// To more than [`Bell::LOOP_MOST`] others it goes from CPU to CPU, in no order with what was sent before: for that there is
    /// [`Fabric::synchronize`].
    ///
    /// # Panics
    /// Inside a call: a call cannot wait.
    pub fn sync(&self, crit: &Crit, cpus: &CpuSet, func: fn(&Crit, usize), arg: usize) {
        let me = B::here(crit);
        self.assert_may_wait(crit, me);
        self.sync_counted(crit, me, cpus, func, arg);
    }

    /// The same; returns how many other CPUs there were.
    #[inline(always)]
    pub(crate) fn sync_counted(
        &self,
        crit: &Crit,
        me: CpuId,
        cpus: &CpuSet,
        func: fn(&Crit, usize),
        arg: usize,
    ) -> usize {
        match cpus.as_word_below(B::LOOP_MOST + 1, me) {
            Some(word) => self.sync_near(crit, me, word & self.listening().word(), func, arg),
            None => self.sync_far(crit, me, cpus, func, arg),
        }
    }

    /// `sync` with CPUs of a word, from this one's number on; its number is in the word's range.
    #[inline(always)]
    fn sync_near(
        &self,
        crit: &Crit,
        me: CpuId,
        word: u64,
        func: fn(&Crit, usize),
        arg: usize,
    ) -> usize {
        let acknowledge = Acknowledge::new();
        let first = me.index() as u32 % u64::BITS;
        let turned = word.rotate_right(first);
        let (mut left, mut count) = (turned & !1, 0);
        while left != 0 {
            let to = turned_back(left, first);
            if !self.quickly(crit, me, to, sync_call(&acknowledge, func, arg)) {
                count += self.send_sync_slowly(crit, left, &acknowledge, func, arg);
                break;
            }
            count += 1;
            left &= left - 1;
        }
        if turned & 1 != 0 {
            func(crit, arg);
        }
        self.wait_for(crit, me, &acknowledge, count);
        count
    }

    /// The rest of `sync_near`, from where a ring is full or not there yet; returns to how many. Bit n is CPU n after this one.
    #[cold]
    #[inline(never)]
    fn send_sync_slowly(
        &self,
        crit: &Crit,
        mut left: u64,
        acknowledge: &Acknowledge,
        func: fn(&Crit, usize),
        arg: usize,
    ) -> usize {
        let first = B::here(crit).index() as u32;
        let mut count = 0;
        while left != 0 {
            self.send(crit, turned_back(left, first), sync_call(acknowledge, func, arg));
            count += 1;
            left &= left - 1;
        }
        count
    }

    /// `sync` with any CPUs.
    #[cold]
    #[inline(never)]
    fn sync_far(
        &self,
        crit: &Crit,
        me: CpuId,
        cpus: &CpuSet,
        func: fn(&Crit, usize),
        arg: usize,
    ) -> usize {
        let mut others = cpus.and(&self.listening().load());
        others.remove(me);
        let count = others.count();
        let acknowledge = Acknowledge::new();
        if count > B::LOOP_MOST {
            let word = (func as *const ()).expose_provenance();
            self.spread(crit, me, &others, Call::new(sync_in_tree, [word, arg, 0]));
        } else {
            for to in others.starting_at(me) {
                self.send(crit, to, sync_call(&acknowledge, func, arg));
            }
        }
        if cpus.contains(me) {
            func(crit, arg);
        }
        if count > B::LOOP_MOST {
            while !self.tree_is_over(me) {
                self.drain(crit);
                hint::spin_loop();
            }
            self.nodes().on(me).counters.synced.add(crit, 1);
        } else {
            self.wait_for(crit, me, &acknowledge, count);
        }
        count
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

    /// Returns when each CPU of the set has executed all that this one sent to it before, by whatever variant.
    ///
    /// A CPU that it never sent to costs nothing.
    ///
    /// # Panics
    /// Inside a call: a call cannot wait.
    pub fn synchronize(&self, crit: &Crit, cpus: &CpuSet) {
        let me = B::here(crit);
        self.assert_may_wait(crit, me);
        let acknowledge = Acknowledge::new();
        let met = cpus.and(&self.listening().load());
        let met = met.starting_at(me).filter(|to| *to != me && self.has_ring(me, *to));
        let mut count = 0;
        for to in met {
            self.send(crit, to, sync_call(&acknowledge, |_, _| (), 0));
            count += 1;
        }
        while cpus.contains(me) && self.drain(crit) != 0 {}
        self.wait_for(crit, me, &acknowledge, count);
        // A broadcast along the tree is a send too.
        while !self.tree_is_over(me) {
            self.drain(crit);
            hint::spin_loop();
        }
    }

    /// Returns when each CPU of the set has executed all that *anybody* sent to it before, as far as this CPU knows of it: by
    /// whom it was told, or what it has read, that was written after the send.
    ///
    /// # Panics
    /// Inside a call: a call cannot wait.
    pub fn settle(&self, crit: &Crit, cpus: &CpuSet) {
        let me = B::here(crit);
        self.assert_may_wait(crit, me);
        let settling = Settling { fabric: self, acknowledge: Acknowledge::new() };
        let word = ptr::from_ref(&settling).expose_provenance();
        let mut others = *cpus;
        others.remove(me);
        let count = self.sync_counted(crit, me, &others, settle_here::<B, CPUS, DEPTH>, word);
        while cpus.contains(me) && self.drain(crit) != 0 {}
        self.wait_for(crit, me, &settling.acknowledge, count);
    }

    #[inline]
    fn wait_for(&self, crit: &Crit, me: CpuId, acknowledge: &Acknowledge, count: usize) {
        // Pairs with: `Acknowledge::done`, release.
        while acknowledge.done.load(Ordering::Acquire) != count {
            if self.nodes().on(me).doorbell.is_marked() {
                self.drain_marked(crit, me);
            }
            hint::spin_loop();
        }
        self.nodes().on(me).counters.synced.add(crit, 1);
    }

    #[inline]
    pub(crate) fn assert_may_wait(&self, crit: &Crit, me: CpuId) {
        let in_call = self.nodes().on(me).state.with(crit, |state| state.in_call);
        assert!(!in_call, "a call cannot wait");
    }
}
