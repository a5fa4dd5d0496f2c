//! The 32 fixed priorities. They order subsystems, not user programs; a change of priority is no switch by itself.

/// A priority: 0 is the idle thread's alone, 1 the lowest of a thread, 31 the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Priority(u8);

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 32;
    /// The idle thread's; no other thread can have it.
    pub(crate) const IDLE: Self = Self(0);
    /// Work for when nothing else is to be done.
    pub const BACKGROUND: Self = Self(1);
    /// A process's context, in the kernel or above it.
    pub const USER: Self = Self(10);
    /// Service threads of subsystems.
    pub const SERVER: Self = Self(12);
    /// Deferred work of interrupts.
    pub const SOFT: Self = Self(16);
    /// Interrupt threads.
    pub const INTERRUPT: Self = Self(28);
    /// The highest.
    pub const MAX: Self = Self(31);

    /// The priority of this number, if a thread may have it (1 to 31).
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number < Self::COUNT as u8 { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Its number as an index below [`Priority::COUNT`]. The mask says so to the compiler: no bounds check.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize & (Self::COUNT - 1)
    }
}
