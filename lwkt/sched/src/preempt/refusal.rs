//! Why a preemption is refused, and how often each reason was the one.

use core::fmt;

/// What the caller of [`Scheduler::preempt`](crate::Scheduler::preempt) knows about the CPU and the scheduler does not.
/// The default is a CPU on which nothing is in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Critical sections that the victim is in, beside the one that the question is asked in.
    pub sections: u32,
    /// Spin locks that are held on this CPU.
    pub spin_locks: u32,
    /// Synchronisations of CPUs that are mastered from this CPU.
    pub syncs: u32,
    /// The victim has interrupts off.
    pub masked: bool,
}

/// Why a thread did not preempt. In the order in which they are looked at: the first that holds is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// It is another CPU's: nothing was done, ask there.
    OtherCpu,
    /// It does not wait for an interrupt: it is ready, or runs, or waits for something else. Its next wait ends at once.
    NotWaiting,
    /// The CPU is idle: there is no victim, the switch will be an ordinary one.
    Idle,
    /// Its priority is not above the running thread's.
    NotHigher,
    /// The running thread is in a critical section.
    Critical,
    /// The running thread has interrupts off.
    Masked,
    /// The running thread has borrowed the CPU itself.
    Nested,
    /// The running thread masters a synchronisation of CPUs.
    Sync,
    /// A spin lock is held on this CPU.
    SpinLock,
    /// It holds tokens, which it would have to get again first.
    Tokens,
    /// It is to leave its queue or its CPU, which it does when it comes to run in its own time.
    Departs,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::OtherCpu,
        Self::NotWaiting,
        Self::Idle,
        Self::NotHigher,
        Self::Critical,
        Self::Masked,
        Self::Nested,
        Self::Sync,
        Self::SpinLock,
        Self::Tokens,
        Self::Departs,
    ];

    /// The word for tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OtherCpu => "other_cpu",
            Self::NotWaiting => "not_waiting",
            Self::Idle => "idle",
            Self::NotHigher => "not_higher",
            Self::Critical => "critical",
            Self::Masked => "masked",
            Self::Nested => "nested",
            Self::Sync => "sync",
            Self::SpinLock => "spin_lock",
            Self::Tokens => "tokens",
            Self::Departs => "departs",
        }
    }

    /// Whether it may be over before the running thread gives way: then it is worth asking again.
    pub(crate) const fn passes(self) -> bool {
        matches!(self, Self::Critical | Self::Masked | Self::Nested | Self::Sync | Self::SpinLock)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a scheduler counts of preemption. What was asked for is `direct` and all refusals; every borrowed switch
/// (`direct`, `late`) has one return, sooner or later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Borrowed {
    /// Switches made when they were asked for.
    pub direct: u64,
    /// Switches made after a refusal, when its reason had passed.
    pub late: u64,
    /// Returns to a victim.
    pub returns: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Borrowed {
    /// Refusals for a reason.
    pub const fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize]
    }

    /// All refusals.
    pub fn refusals(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Counts refusals.
    pub fn refuse(&mut self, why: Refusal, times: u64) {
        self.refused[why as usize] += times;
    }

    /// Adds what another CPU counted.
    pub fn add(&mut self, other: &Self) {
        self.direct += other.direct;
        self.late += other.late;
        self.returns += other.returns;
        for (sum, more) in self.refused.iter_mut().zip(other.refused) {
            *sum += more;
        }
    }
}
