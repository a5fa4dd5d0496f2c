//! Creation and end of threads: create, exit, join, detach.
//!
//! Who ends and who joins meet in one word of the thread's block ([`Tcb`]'s `end`), touched by the thread's home alone;
//! a joiner of another carrier goes there as mail. A joined thread's stack is free the moment that its value is handed
//! over, unless the joiner keeps it, because the value lies there.

use crate::mail::Asks;
use crate::process::Class;
use crate::thread::{ABROAD, DETACHED, EXITED, End, FAR, FLAGS, KEEP, OPEN};
use crate::{Carrier, Kernel, Tcb};

/// What a new thread is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its stack.
    pub class: Class,
    /// Its priority; `None`: as its creator's.
    pub priority: Option<u8>,
    /// The CPU process that it belongs to; `None`: its creator's.
    pub home: Option<u8>,
    /// Whether it runs at once.
    pub run: Run,
}

/// When a new thread begins to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// It is ready from the beginning.
    AtOnce,
    /// When its creator, having put something on its stack, calls [`Carrier::launch`].
    Held,
}

impl Options {
    /// As its creator, with the usual stack.
    pub const USUAL: Options =
        Options { class: Class::Usual, priority: None, home: None, run: Run::AtOnce };

    /// One word: 0 is [`Options::USUAL`]; class, priority + 1, home + 1, held in one byte each.
    #[must_use]
    pub const fn word(self) -> u64 {
        let priority = match self.priority {
            Some(priority) => priority as u64 + 1,
            None => 0,
        };
        let home = match self.home {
            Some(home) => home as u64 + 1,
            None => 0,
        };
        self.class as u64 | priority << 8 | home << 16 | (self.run as u64) << 24
    }

    /// Reads [`Options::word`] back.
    #[must_use]
    pub const fn from_word(word: u64) -> Options {
        Options {
            class: Class::from_index(word as u8),
            priority: if (word >> 8) as u8 == 0 { None } else { Some((word >> 8) as u8 - 1) },
            home: if (word >> 16) as u8 == 0 { None } else { Some((word >> 16) as u8 - 1) },
            run: if (word >> 24) as u8 == 0 { Run::AtOnce } else { Run::Held },
        }
    }
}

/// Whether the stack outlives the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// The value is all that is wanted.
    Free,
    /// The joiner reads the stack and then gives it back with [`Carrier::release`].
    Keep,
}

impl Carrier {
    /// A new thread, ready: it calls `function` with `argument`. `None`: no stack, or no such CPU process.
    pub fn create<K: Kernel>(
        &'static self,
        function: usize,
        argument: u64,
        options: u64,
        kernel: K,
    ) -> Option<&'static Tcb> {
        self.create_as(function, argument, Options::from_word(options), kernel)
    }

    /// [`Carrier::create`] in the usual case: no options, and a free stack that last served a thread of the same priority. In all
    /// others nothing has happened yet.
    #[inline(always)]
    pub fn create_here(
        &'static self,
        function: usize,
        argument: u64,
        options: u64,
    ) -> Option<&'static Tcb> {
        if options != 0 {
            return None;
        }
        let thread = self.free[0].get()?;
        let (queue, running) = (thread.queue.get(), self.current.get());
        if !core::ptr::eq(queue, running.queue.get()) {
            return None;
        }
        self.free[0].set(thread.free.get());
        prepare(thread, function, argument);
        thread.end.set(OPEN);
        queue.push_behind(running, thread);
        Some(thread)
    }

    fn create_as<K: Kernel>(
        &'static self,
        function: usize,
        argument: u64,
        options: Options,
        kernel: K,
    ) -> Option<&'static Tcb> {
        let home = match options.home {
            Some(index) => self.process.carrier(index)?,
            None => self.inbox(),
        };
        let free = &self.free[options.class as usize];
        let thread = match free.get() {
            Some(thread) => thread,
            None => self.refill(options.class)?,
        };
        free.set(thread.free.get());
        self.assign(thread, options.priority.unwrap_or(self.current.get().priority()));
        prepare(thread, function, argument);
        thread.end.set(OPEN);
        if !self.is(home) {
            thread.end.set(OPEN | ABROAD);
            thread.home.set(home);
        }
        if options.run == Run::AtOnce {
            self.set_going(thread, kernel);
        }
        Some(thread)
    }

    /// Makes `thread`, created held by the running thread, call `function` with `argument`.
    pub fn launch<K: Kernel>(
        &'static self,
        thread: &'static Tcb,
        function: usize,
        argument: u64,
        kernel: K,
    ) {
        prepare(thread, function, argument);
        self.set_going(thread, kernel);
    }

    fn set_going<K: Kernel>(&'static self, thread: &'static Tcb, kernel: K) {
        if self.is(thread.home.get()) {
            self.ready(thread);
        } else {
            thread.home.get().push(&thread.mail, Asks::Adopt, kernel);
        }
    }

    /// The running thread ends with `value`. Returns whom to run.
    ///
    /// Not on the thread's stack: that is given back on the way, and if it comes from another carrier may be used there at once.
    pub fn exit<K: Kernel>(
        &'static self,
        running: &'static Tcb,
        value: u64,
        kernel: K,
    ) -> &'static Tcb {
        let next = self.leave(running);
        running.result.set(value);
        let end = running.end.get();
        running.end.set(EXITED | end & ABROAD);
        if end & DETACHED != 0 {
            self.reclaim(running, kernel);
        } else if end & OPEN == 0 {
            // SAFETY: neither open nor detached: the address of the block of who waits, with flags.
            let joiner: &'static Tcb = unsafe { &*((end & !FLAGS) as *const Tcb) };
            self.answer_join(joiner, running, end & KEEP, kernel);
            self.wake(joiner, kernel);
        }
        next
    }

    /// [`Carrier::exit`] in the usual case: a thread of this carrier and of the same priority waits for the end, and takes its
    /// place. In all others nothing has happened yet.
    #[inline(always)]
    pub fn exit_here(&'static self, running: &'static Tcb, value: u64) -> Option<&'static Tcb> {
        let end = running.end.get();
        if end & FLAGS != 0 {
            return None;
        }
        // SAFETY: without a flag it is the address of the block of who waits, a thread of this carrier.
        let joiner: &'static Tcb = unsafe { &*(end as *const Tcb) };
        let queue = running.queue.get();
        if !core::ptr::eq(queue, joiner.queue.get()) {
            return None;
        }
        joiner.result.set(value);
        put_free(running);
        let next = queue.replace_head(running, joiner);
        self.go(next);
        Some(next)
    }

    /// The running thread waits for the end of `thread`; its value becomes the result. Returns whom to run.
    /// Each thread is joined or detached once.
    pub fn join<K: Kernel>(
        &'static self,
        running: &'static Tcb,
        thread: &'static Tcb,
        join: Join,
        kernel: K,
    ) -> &'static Tcb {
        let keep = if join == Join::Keep { KEEP } else { 0 };
        if !self.is(thread.home.get()) {
            running.subject.set(&raw const *thread as usize | keep);
            let next = self.leave(running);
            thread.home.get().push(&running.mail, Asks::Join, kernel);
            return next;
        }
        let end = thread.end.get();
        if end & EXITED != 0 {
            self.answer_join(running, thread, keep, kernel);
            return running;
        }
        thread.end.set(&raw const *running as usize | keep | end & ABROAD);
        self.leave(running)
    }

    /// [`Carrier::join`] in the usual case: a thread of this carrier that has not ended and whose stack need not be kept, and
    /// others are ready. In all others nothing has happened yet.
    #[inline(always)]
    pub fn join_here(
        &'static self,
        running: &'static Tcb,
        thread: &'static Tcb,
    ) -> Option<&'static Tcb> {
        if !core::ptr::eq(running.home.get(), thread.home.get())
            || thread.end.get() != OPEN
            || self.is_alone(running)
        {
            return None;
        }
        thread.end.set(&raw const *running as usize);
        let next = self.unlink(running);
        self.go(next);
        Some(next)
    }

    /// `thread` has ended: its value goes to the joiner.
    fn answer_join<K: Kernel>(
        &'static self,
        joiner: &'static Tcb,
        thread: &'static Tcb,
        keep: End,
        kernel: K,
    ) {
        joiner.result.set(thread.result.get());
        if keep == 0 {
            self.reclaim(thread, kernel);
        }
    }

    /// At home: a thread of another carrier joins its subject.
    pub(crate) fn asked_join<K: Kernel>(&'static self, joiner: &'static Tcb, kernel: K) {
        let subject = joiner.subject.get();
        // SAFETY: the subject of a thread that joins is a thread's block, with flags.
        let thread: &'static Tcb = unsafe { &*((subject & !FLAGS) as *const Tcb) };
        let end = thread.end.get();
        if end & EXITED == 0 {
            thread.end.set(&raw const *joiner as usize | subject & KEEP | end & ABROAD | FAR);
        } else {
            self.answer_join(joiner, thread, subject & KEEP, kernel);
            self.wake(joiner, kernel);
        }
    }

    /// Nobody will join `thread`: its stack is free when it ends. Returns whom to run.
    pub fn detach<K: Kernel>(
        &'static self,
        running: &'static Tcb,
        thread: &'static Tcb,
        kernel: K,
    ) -> &'static Tcb {
        if self.is(thread.home.get()) {
            self.let_go(thread, kernel);
            return running;
        }
        running.subject.set(&raw const *thread as usize);
        let next = self.leave(running);
        thread.home.get().push(&running.mail, Asks::Detach, kernel);
        next
    }

    /// At home: a thread of another carrier detaches its subject.
    pub(crate) fn asked_detach<K: Kernel>(&'static self, asker: &'static Tcb, kernel: K) {
        // SAFETY: the subject of a thread that detaches is a thread's block.
        let thread: &'static Tcb = unsafe { &*(asker.subject.get() as *const Tcb) };
        self.let_go(thread, kernel);
        self.wake(asker, kernel);
    }

    fn let_go<K: Kernel>(&'static self, thread: &'static Tcb, kernel: K) {
        let end = thread.end.get();
        if end & EXITED != 0 {
            self.reclaim(thread, kernel);
        } else {
            thread.end.set(DETACHED | end & ABROAD);
        }
    }

    /// Gives back the stack of `thread`, which was joined with [`Join::Keep`].
    pub fn release<K: Kernel>(&'static self, thread: &'static Tcb, kernel: K) {
        if self.is(thread.home.get()) {
            self.reclaim(thread, kernel);
        } else {
            thread.home.get().push(&thread.mail, Asks::Reclaim, kernel);
        }
    }

    /// The stack of `thread`, which is dead and of this carrier, is free: here, or where it comes from.
    pub(crate) fn reclaim<K: Kernel>(&'static self, thread: &'static Tcb, kernel: K) {
        if thread.end.get() & ABROAD == 0 {
            return put_free(thread);
        }
        let origin = thread.origin.get();
        thread.end.set(EXITED);
        thread.home.set(origin);
        origin.push(&thread.mail, Asks::Reclaim, kernel);
    }
}

/// Puts the stack of `thread` into its list.
#[inline(always)]
fn put_free(thread: &'static Tcb) {
    let list = thread.list.get();
    thread.free.set(list.get());
    list.set(Some(thread));
}

/// Makes the first switch to `thread` call `function`.
#[inline(always)]
fn prepare(thread: &'static Tcb, function: usize, argument: u64) {
    thread.start.argument.set(argument);
    thread.start.function.set(function);
    thread.sp.set(&raw const *thread as usize);
}
