//! Threads that do not run yet, or no more: owned like any value.

use crate::preempt::Token;
use crate::{Context, Name, Priority, Rare, State, Thread, ThreadRef, Why};

/// What happens to a thread after its exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Life {
    /// Its memory is free as soon as it is off its stack.
    Detached,
    /// Somebody joins it; until then it stays.
    Joinable,
}

/// A thread that is not started: whoever holds this, and nobody else, may prepare it. [`Scheduler::spawn`] takes it,
/// [`Scheduler::arrived`] and [`Scheduler::join`] give it back.
///
/// [`Scheduler::spawn`]: crate::Scheduler::spawn
/// [`Scheduler::arrived`]: crate::Scheduler::arrived
/// [`Scheduler::join`]: crate::Scheduler::join
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the memory of a thread that is dropped is never used again"]
pub struct Unstarted(ThreadRef);

// The only right to the memory.
static_assertions::assert_not_impl_any!(Unstarted: Clone);

impl Unstarted {
    /// Makes the memory a thread for ever.
    pub fn new(memory: &'static mut Thread) -> Self {
        Self::of(ThreadRef::new(memory))
    }

    /// The thread is off every queue and list and nobody else holds its `Unstarted`.
    pub(crate) fn of(thread: ThreadRef) -> Self {
        thread.state.set(State::Unstarted);
        thread.next.set(thread);
        thread.rare.set(Rare::NONE);
        thread.token.set(Token::NONE);
        thread.timed_out.set(false);
        thread.bound.set(false);
        thread.joined.set(false);
        thread.joiner.set(None);
        thread.why.set(Why::NOTHING);
        Self(thread)
    }

    pub(crate) fn started(self) -> ThreadRef {
        self.0
    }

    /// Its name, priority and life, and where it begins.
    pub fn prepare(
        &mut self,
        name: Name,
        priority: Priority,
        life: Life,
        begin: Context,
    ) -> &mut Self {
        self.0.name.set(name);
        self.0.priority.set(priority);
        self.0.life.set(life);
        self.0.set_context(begin);
        self
    }

    /// It stays on the CPU that it is started on (see [`Scheduler::bind`](crate::Scheduler::bind)).
    pub fn bind(&mut self) -> &mut Self {
        self.0.bound.set(true);
        self
    }

    /// The kernel's own word of this thread. It outlives exit and reuse: a stack may stay with its thread.
    pub fn set_ext(&mut self, ext: usize) -> &mut Self {
        self.0.set_ext(ext);
        self
    }

    /// What [`Unstarted::set_ext`] put there last.
    #[allow(unsafe_code)]
    pub fn ext(&self) -> usize {
        // SAFETY: the holder of an `Unstarted` is the only one who may touch the thread.
        unsafe { self.0.ext() }
    }

    /// The thread, for the moment when it is started.
    pub fn thread(&self) -> ThreadRef {
        self.0
    }

    /// This as a word of a message, to be started on another CPU.
    pub fn into_word(self) -> usize {
        self.0.into_word()
    }

    /// The thread in a word of a message.
    ///
    /// # Safety
    /// `word` came from [`Unstarted::into_word`] and is used this once.
    #[allow(unsafe_code)]
    pub unsafe fn from_word(word: usize) -> Self {
        // SAFETY: contract of this function: the word was made from a thread, and nobody else uses it.
        Self(unsafe { ThreadRef::from_word(word) })
    }
}
