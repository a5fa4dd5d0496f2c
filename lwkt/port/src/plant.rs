//! A bug on purpose, to show that tests see it: a reply that is delivered twice, the second time when the next one is. In
//! the code with feature `plants` only, and there only while it is chosen.
//!
//! Law: whoever chooses it keeps the memory of all messages until it is chosen no more.

use percpu::Crit;

use crate::raw::Raw;
use crate::{Body, Error};

/// Says whether replies are delivered twice, now and then, from now on. `salt` says how soon.
#[cfg(feature = "plants")]
pub fn choose(doubles: bool, salt: usize) {
    chosen::set(doubles, salt);
}

/// At the sender's home, before `message` is delivered: delivers another again, and remembers this one, now and then.
#[inline(always)]
pub(crate) fn double_reply<B: Body>(crit: &Crit, message: &Raw<B>) {
    #[cfg(feature = "plants")]
    chosen::strike(crit, message);
    #[cfg(not(feature = "plants"))]
    let _ = (crit, message);
}

/// What an answered message says that has no reply in it: it was taken out already, by who got the first of two.
#[cold]
pub(crate) fn no_reply<R>() -> Result<R, Error> {
    if cfg!(feature = "plants") {
        return Err(Error::Dropped);
    }
    panic!("an answered message has its reply")
}

/// Whether a sender takes an answered message although a request for it is under way: in models, and there in one that must
/// see it.
#[inline(always)]
pub(crate) fn takes_early() -> bool {
    #[cfg(all(test, feature = "loom"))]
    return EARLY.get();
    #[cfg(not(all(test, feature = "loom")))]
    false
}

#[cfg(all(test, feature = "loom"))]
std::thread_local! {
    /// Tests run side by side, and all threads of a model on the host thread of its test.
    static EARLY: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

/// Senders take messages early from now on, in the models of this host thread.
#[cfg(all(test, feature = "loom"))]
pub(crate) fn take_early() {
    EARLY.set(true);
}

#[cfg(feature = "plants")]
mod chosen {
    use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

    use percpu::Crit;
    use spin::Mutex;

    use crate::CallFn;
    use crate::raw::Raw;
    use crate::{Body, reply};

    static CHOSEN: AtomicBool = AtomicBool::new(false);
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    /// A reply to be delivered again, and by what.
    static AGAIN: Mutex<Option<(CallFn, usize)>> = Mutex::new(None);

    /// How often what could go wrong goes well, and one more.
    const EVERY: usize = 701;

    pub fn set(doubles: bool, salt: usize) {
        TIMES.store(salt % EVERY, Relaxed);
        CHOSEN.store(doubles, Relaxed);
        *AGAIN.lock() = None;
    }

    /// Each so many times.
    pub fn strike<B: Body>(crit: &Crit, message: &Raw<B>) {
        let marked = message.message().reply_to.get().is_none();
        if CHOSEN.load(Relaxed) && marked && TIMES.fetch_add(1, Relaxed) % EVERY == EVERY - 1 {
            let again = AGAIN.lock().replace((reply::deliver_again::<B>, message.word()));
            if let Some((deliver, word)) = again {
                deliver(crit, word, 0, 0);
            }
        }
    }
}
