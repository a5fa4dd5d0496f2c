//! Messages that run after a thread: forwarded from CPU to CPU, but only so often.
//!
//! What is asked of a thread itself (wake, pull, deschedule) goes to its home, and is forwarded when the thread has left meanwhile;
//! messages to ports are forwarded without this limit. A thread that moves again and
//! again could outrun it for ever; so after [`CHASE_LIMIT`] forwards the message makes the thread stand still.
//!
//! | step | the message, where the thread is not | the thread's home |
//! |---|---|---|
//! | 1 | for the `CHASE_LIMIT`th time: adds one to `chased` | looks at `chased`; not zero: the thread stays |
//! | 2 | reads the home, and goes there | zero: the thread leaves, its home changes |
//! | 3 | there: takes one from `chased` | |
//!
//! Forbidden: more than [`MOST_FORWARDS`]. Both steps 1 are read-modify-writes of one word, so they have an order. A look that
//! comes first lets one leave through, which the message may miss: one forward more. Each later look finds the thread chased.
//! Checked by `a_chase_ends`, by the order tests of the same name, and counted in the kernel (`chases`, `held_still`).

use percpu::CpuId;

use crate::ThreadRef;

/// Forwards after which the thread stands still until it is reached.
pub const CHASE_LIMIT: usize = 4;

/// No message is forwarded more often.
pub const MOST_FORWARDS: usize = CHASE_LIMIT + 1;

/// How often a message was forwarded: travels with it, as a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a message that is not forwarded leaves its thread standing still"]
pub struct Chase(usize);

impl Chase {
    /// Of a message that was sent straight to where its thread was.
    pub const NONE: Self = Self(0);

    /// As a word of the message.
    pub const fn into_word(self) -> usize {
        self.0
    }

    /// Out of the word of the message.
    pub const fn from_word(word: usize) -> Self {
        Self(word)
    }

    /// `thread` is not here any more: where to send the message now, and with what word.
    pub fn forward(self, thread: ThreadRef) -> (CpuId, Self) {
        let next = Self(self.0 + 1);
        debug_assert!(next.0 <= MOST_FORWARDS, "a thread outran the message that holds it");
        if next.0 == CHASE_LIMIT {
            thread.hold_still();
        }
        (thread.home(), next)
    }

    /// Whether the last forward made the thread stand still.
    pub const fn holds(self) -> bool {
        self.0 >= CHASE_LIMIT
    }

    /// The message has reached its thread, at its home.
    #[inline]
    pub fn caught(self, thread: ThreadRef) {
        if self.holds() {
            thread.let_go();
        }
    }
}
