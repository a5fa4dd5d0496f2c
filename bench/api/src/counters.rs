//! The counters of a measurement's window: one line each, known to guest and host alike.

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal,)*) => {
        /// A counter that kernel, layer or harness keeps.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum Counter { $($(#[doc = $doc])* $variant,)* }

        impl Counter {
            /// All counters, in the order of their values in a [`Counters`].
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            /// The name in records.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }
        }

        const COUNT: usize = [$(Counter::$variant,)*].len();
    };
}

counters! {
    /// Interprocessor interrupts sent.
    IpisSent "ipi_sent",
    /// Doorbells not rung, since the target had one pending, polled or was busy.
    IpisAvoided "ipi_avoided",
    /// Messages sent passively.
    IpisPassive "ipi_passive",
    /// Sends that met a full ring.
    RingFull "ring_full",
    /// Messages taken from rings.
    RingMessages "ring_messages",
    /// Functions run on other CPUs whose end was waited for: shootdowns are such.
    Syncs "syncs",
    /// Kernel thread switches, to and from idle included.
    Switches "switches",
    /// Those from a thread that had to wait: in a window that ends as it began, also the wakes.
    Waits "waits",
    /// Ends of a rest of a CPU that had nobody to run.
    Idles "idles",
    /// Entries from ring 3 by `syscall`.
    KernelEntries "kernel_entries",
    /// Calls of the measuring process that were answered later, by a completion.
    Completions "completions",
    /// Timer interrupts.
    TimerIrqs "timer_irqs",
    /// Page faults that gave ring 3 a page.
    PageFaults "page_faults",
    /// Interrupts nobody asked for.
    SpuriousIrqs "spurious_irqs",
}

/// A value per [`Counter`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters([u64; COUNT]);

impl Counters {
    /// All zero.
    pub const ZERO: Counters = Counters([0; COUNT]);

    /// The value of `counter`.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Sets the value of `counter`.
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }

    /// Adds to the value of `counter`.
    pub fn add(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = self.0[counter as usize].wrapping_add(value);
    }

    /// What was counted since `before`.
    pub fn since(&self, before: &Counters) -> Counters {
        Counters(core::array::from_fn(|i| self.0[i].wrapping_sub(before.0[i])))
    }

    /// The counters that are not zero, by name.
    pub fn nonzero(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counter::ALL
            .iter()
            .map(|&counter| (counter.name(), self.get(counter)))
            .filter(|&(_, value)| value != 0)
    }

    /// The values, in the order of [`Counter::ALL`].
    pub fn values(&self) -> &[u64] {
        &self.0
    }

    /// Counters from values in the order of [`Counter::ALL`]; missing ones are zero, more are ignored.
    pub fn from_values(values: impl IntoIterator<Item = u64>) -> Counters {
        let mut counters = Counters::ZERO;
        for (to, value) in counters.0.iter_mut().zip(values) {
            *to = value;
        }
        counters
    }
}
