//! The table of sorts.

/// One line for each sort: its name, once in how many times it strikes, and, of what makes things late, by how many nanoseconds at most.
macro_rules! faults {
    (@span $span:literal) => {
        $span
    };
    (@span) => {
        1
    };
    ($($(#[doc = $doc:literal])+ $sort:ident $name:literal: 1 in $odds:literal $(, up to $span:literal)?;)+) => {
        /// A sort of fault.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Fault {
            $($(#[doc = $doc])+ $sort,)+
        }

        impl Fault {
            /// All, by name.
            pub const ALL: &'static [(&'static str, Fault)] = &[$(($name, Fault::$sort)),+];

            /// What its count is called in records.
            pub const fn counter(self) -> &'static str {
                match self { $(Fault::$sort => concat!("faults_", $name),)+ }
            }

            /// Once in how many times it strikes.
            pub const fn odds(self) -> u64 {
                match self { $(Fault::$sort => $odds,)+ }
            }

            /// By how many nanoseconds at most it makes things late; 1 if it does not.
            pub const fn span(self) -> u64 {
                match self { $(Fault::$sort => faults!(@span $($span)?),)+ }
            }
        }
    };
}

faults! {
    /// A push finds a ring full that has room; now and then for several tries.
    FullRing "ring": 1 in 50;
    /// The interrupt of a doorbell leaves its sender later, by a timer.
    LateDoorbell "doorbell": 1 in 12, up to 15_000;
    /// A thread that waits is woken without a cause, or has been when it begins to wait.
    SpuriousWake "wake": 1 in 16;
    /// A request for memory that may be refused is.
    NoMemory "memory": 1 in 20;
    /// A timer fires late.
    LateTimer "timer": 1 in 8, up to 20_000;
    /// A CPU is taken away from scheduling, and given back after a while.
    ParkedCpu "park": 1 in 3, up to 400_000;
}

/// Some of the sorts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Set(u8);

impl Set {
    /// None.
    pub const NONE: Set = Set(0);
    /// All.
    pub const ALL: Set = Set(((1 << Fault::ALL.len()) - 1) as u8);

    /// These, and that one.
    pub const fn with(self, fault: Fault) -> Set {
        Set(self.0 | 1 << fault as u8)
    }

    /// These, but for that one.
    pub const fn without(self, fault: Fault) -> Set {
        Set(self.0 & !(1 << fault as u8))
    }

    /// Those that are in both.
    pub const fn and(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }

    /// Whether that one is among them.
    #[inline(always)]
    pub const fn has(self, fault: Fault) -> bool {
        self.0 >> fault as u8 & 1 == 1
    }

    /// The sorts of these names, which commas part; `None` if a name is no sort's.
    pub fn of(names: &str) -> Option<Set> {
        names.split(',').try_fold(Set::NONE, |set, name| {
            let known = Fault::ALL.iter().find(|(own, _)| *own == name);
            known.map(|(_, fault)| set.with(*fault))
        })
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn of_bits(bits: u8) -> Set {
        Set(bits)
    }
}
