//! When a sender interrupts its target: a policy, chosen when the kernel is built.
//!
//! A variant is one file beside this one and one word in the table below. The environment variable `DAMSELFLY_IPI` names it
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

/// Makes the modules of the variants, their names, and the one that was chosen.
macro_rules! variants {
    ($($module:ident: $variant:ident),+ $(,)?) => {
        $(mod $module; pub use $module::$variant;)+

        /// The variants by name; the first is the default.
        pub const NAMES: &[&str] = &[$(stringify!($module)),+];

        /// The place in [`NAMES`] of the variant that was chosen.
        pub const CHOSEN: usize = match option_env!("DAMSELFLY_IPI") {
            None => 0,
            Some(name) => match position(name) {
                Some(position) => position,
                None => panic!(concat!("DAMSELFLY_IPI names no variant; there are:" $(, " ", stringify!($module))+)),
            },
        };

        /// The variant that was chosen.
        pub type Chosen = <Registered as At<{ CHOSEN }>>::Variant;

        $(impl At<{ expected(position(stringify!($module))) }> for Registered {
            type Variant = $variant;
        })+
    };
}

/// The variants by their places.
#[derive(Debug)]
pub struct Registered;

/// The variant at a place of the table.
pub trait At<const N: usize> {
    /// It.
    type Variant: Knocking;
}

const fn position(name: &str) -> Option<usize> {
    let mut at = 0;
    while at < NAMES.len() {
        if is_same(NAMES[at], name) {
            return Some(at);
        }
        at += 1;
    }
    None
}

const fn expected(position: Option<usize>) -> usize {
    position.expect("a name of the table is in the table")
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

variants! { elide: Elide, eager: Eager }
