//! A record, and what it says.

/// What is recorded of one event, as the machine writes it: little end first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(32))]
pub struct Record {
    /// When, in ticks.
    pub tick: u64,
    /// A [`Kind`], as a number.
    pub kind: u32,
    /// What it says, in the order of the table; what the table has not is whatever was there.
    pub first: u32,
    /// See `first`.
    pub second: u64,
    /// See `first`.
    pub third: u64,
}

static_assertions::const_assert_eq!(size_of::<Record>(), Record::BYTES);

impl Record {
    /// Its size.
    pub const BYTES: usize = 32;

    /// Nothing yet.
    pub const ZERO: Self = Self { tick: 0, kind: 0, first: 0, second: 0, third: 0 };

    /// Its bytes, for the way out.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.tick.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.kind.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.second.to_le_bytes());
        bytes[24..].copy_from_slice(&self.third.to_le_bytes());
        bytes
    }

    /// Out of its bytes.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let long = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| bytes[at + byte]));
        let short = |at: usize| u32::from_le_bytes(core::array::from_fn(|byte| bytes[at + byte]));
        Self { tick: long(0), kind: short(8), first: short(12), second: long(16), third: long(24) }
    }
}

/// An event, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in ticks.
    pub tick: u64,
    /// What happened.
    pub kind: Kind,
    /// What it says; zero where the table has nothing.
    pub words: [u64; 3],
}

impl Event {
    /// Reads a record; `None` if the table has no such kind.
    pub fn decode(record: &Record) -> Option<Self> {
        let kind = *Kind::ALL.get(record.kind as usize)?;
        let mut words = [record.first.into(), record.second, record.third];
        words[kind.words().len()..].fill(0);
        Some(Self { tick: record.tick, kind, words })
    }

    /// Each word by its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.kind.words().iter().copied().zip(self.words)
    }

    /// What [`letters`](crate::letters) made of a name: the last two words.
    pub fn letters(&self) -> [u8; 16] {
        let [_, more, rest] = self.words.map(u64::to_le_bytes);
        core::array::from_fn(|at| if at < 8 { more[at] } else { rest[at - 8] })
    }
}

/// Declares the kinds.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident($($word:ident),*);)+) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        #[repr(u32)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// All, in the order of the table: each stands at its number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }

            /// What it says, word by word.
            pub const fn words(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$(stringify!($word)),*],)+ }
            }
        }
    };
}

crate::each!(kinds);
