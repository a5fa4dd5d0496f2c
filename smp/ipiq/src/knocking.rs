//! When a sender interrupts its target: a policy, chosen when the kernel is built.
//!
//! A variant is one file beside this one and one line in the table below. The environment variable `DAMSELFLY_IPI` names it
//! at compile time; the first of the table is the default. A [`Bell`](crate::Bell) says which one its fabric uses,
//! so that tests and models can run each; the kernel's says [`Chosen`].

use core::fmt::Debug;

use percpu::sync::{AtomicU64, Ordering};

use crate::plant::{self, Bug};

/// What the sender has to do after it left its mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Knock {
    /// Interrupt the target.
    Ring,
    /// Nothing: the target is going to look.
    Avoided,
}

/// A policy: how a mark is left in a target's word, and whether an interrupt follows.
pub trait Knocking: Debug + Send + Sync + 'static {
    /// Leaves `mark`, not 0, in the word, after the push.
    ///
    /// By one read-modify-write of ordering [`after_push`], whose partner is `Doorbell::take`. [`Knock::Ring`] if the word was 0, since
    /// then the target has not promised to look; what the answer is otherwise is the policy.
    fn knock(word: &AtomicU64, mark: u64) -> Knock;
}

/// The ordering with which a mark goes in: release, so that who takes the mark sees the push.
#[inline(always)]
pub fn after_push() -> Ordering {
    if plant::strikes(Bug::MissingFence) { Ordering::Relaxed } else { Ordering::Release }
}

percpu::variants! {
    /// The variants by name; the first is the usual one.
    DAMSELFLY_IPI as Knocking:
    elide: Elide,
    eager: Eager,
}
