//! What each CPU counts about its messages.

use percpu::Counter;

/// One line for each counter: its name, and what it counts.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What one CPU counts about its messages. It alone counts; everybody may read.
        #[derive(Debug, Default)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: Counter,)+
        }

        impl Counters {
            /// Makes them, at zero.
            pub const fn new() -> Counters {
                Counters { $($name: Counter::new(),)+ }
            }

            /// Shows each to `f`: name, meaning, number.
            pub fn each(&self, mut f: impl FnMut(&'static str, &'static str, u64)) {
                $(f(stringify!($name), concat!($($doc),+), self.$name.get());)+
            }
        }
    };
}

counters! {
    /// Calls sent, of every kind.
    sent,
    /// Hardware interrupts asked for.
    rung,
    /// Doorbells that needed no interrupt, because the target was going to look.
    avoided,
    /// Calls sent without a doorbell.
    passive,
    /// Sends that found the ring full.
    full,
    /// Calls sent by calls that were parked, because the ring was full.
    parked,
    /// Times that no further call was begun, because there was no memory to park what it might send.
    held,
    /// Times that the reserve had no ring to give.
    dry,
    /// Times that the rings were looked at and something was there.
    drains,
    /// Calls executed here for all CPUs.
    ran,
    /// Remote functions waited for.
    synced,
    /// Calls passed on for a broadcast of another CPU, or of this one.
    relayed,
    /// Sets of CPUs that this one has parked.
    mastered,
    /// Functions executed here for a master that had parked this CPU, and releases by one.
    obeyed,
}
