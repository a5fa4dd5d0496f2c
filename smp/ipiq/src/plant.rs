//! Bugs on purpose, to show that tests see them: in the code with feature `plants` only, and there only the one that was
//! chosen.

#[cfg(feature = "plants")]
use core::sync::atomic::{AtomicUsize, Ordering};

/// A bug: what goes wrong, now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A call is counted as sent and put in no ring.
    Lose,
    /// A call is executed twice.
    Double,
    /// Two calls of one pair are executed in the wrong order.
    Reorder,
    /// The interrupt of an empty-to-pending step is not asked for.
    LostDoorbell,
    /// A call that met a full ring is executed again: its place in its own ring was kept in a local meanwhile.
    StaleIndex,
    /// A sender's mark overtakes its push: on a CPU with weaker order than x86's, and in models.
    MissingFence,
}

/// Chooses the bug that happens from now on, on all CPUs; under loom, in the models of this host thread. `salt` says how soon it
/// first does.
#[cfg(feature = "plants")]
pub fn choose(bug: Option<Bug>, salt: usize) {
    TIMES.store(salt % EVERY, Ordering::Relaxed);
    chosen::set(bug);
}

/// How often what could go wrong goes well, and one more.
#[cfg(feature = "plants")]
const EVERY: usize = 97;

/// Times that it could have gone wrong.
#[cfg(feature = "plants")]
static TIMES: AtomicUsize = AtomicUsize::new(0);

/// Whether this bug happens now.
#[inline(always)]
pub(crate) fn strikes(bug: Bug) -> bool {
    #[cfg(feature = "plants")]
    {
        chosen::is(bug) && now()
    }
    #[cfg(not(feature = "plants"))]
    {
        let _ = bug;
        false
    }
}

/// True each so many times; in a model each time, as all its runs must be alike.
#[cfg(feature = "plants")]
fn now() -> bool {
    cfg!(feature = "loom") || TIMES.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1
}

#[cfg(all(feature = "plants", not(feature = "loom")))]
mod chosen {
    use super::Bug;
    use core::sync::atomic::{AtomicU8, Ordering};

    /// One more than the bug; 0 for none. Relaxed: whoever reads it late is whole a little longer.
    static CHOSEN: AtomicU8 = AtomicU8::new(0);

    pub fn set(bug: Option<Bug>) {
        CHOSEN.store(bug.map_or(0, |bug| bug as u8 + 1), Ordering::Relaxed);
    }

    pub fn is(bug: Bug) -> bool {
        CHOSEN.load(Ordering::Relaxed) == bug as u8 + 1
    }
}

/// Tests run side by side, and all threads of a model on the host thread of its test.
#[cfg(all(feature = "plants", feature = "loom"))]
mod chosen {
    extern crate std;

    use super::Bug;
    use core::cell::Cell;

    std::thread_local! {
        static CHOSEN: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    pub fn set(bug: Option<Bug>) {
        CHOSEN.set(bug);
    }

    pub fn is(bug: Bug) -> bool {
        CHOSEN.get() == Some(bug)
    }
}
