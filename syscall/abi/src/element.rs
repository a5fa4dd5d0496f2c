//! The types an element can have, and how each is laid out: always whole 8-byte words, little endian.

use core::fmt;

/// The must-understand bit of an element id: a reader that does not know the id has to refuse the list.
pub const MUST: u16 = 0x8000;
/// Longest payload of a [`Bytes`] element; anything longer travels in a buffer.
pub const MAX_BYTES: usize = 56;

/// Type of an element's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An unsigned number.
    Unsigned,
    /// A signed number.
    Signed,
    /// A handle; the kernel translates it.
    Handle,
    /// A buffer that the kernel reads: address, length.
    Input,
    /// A buffer that the kernel writes: address, length.
    Output,
    /// Up to [`MAX_BYTES`] bytes in the list itself.
    Bytes,
}

impl Kind {
    /// The word that the table uses for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Unsigned => "u64",
            Kind::Signed => "i64",
            Kind::Handle => "handle",
            Kind::Input => "input",
            Kind::Output => "output",
            Kind::Bytes => "bytes",
        }
    }

    /// Words of the payload, 0 where it varies.
    #[must_use]
    pub const fn words(self) -> usize {
        match self {
            Kind::Unsigned | Kind::Signed | Kind::Handle => 1,
            Kind::Input | Kind::Output => 2,
            Kind::Bytes => 0,
        }
    }
}

/// A name for an object of the kernel, local to a process: slot index below, generation above 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

/// A buffer that the kernel reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where it begins, an address of ring 3.
    pub address: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Input {
    /// Describes `bytes`, which must stay unchanged until the answer or completion.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { address: bytes.as_ptr() as u64, length: bytes.len() as u64 }
    }
}

/// A buffer that the kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where it begins, an address of ring 3.
    pub address: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Output {
    /// Describes `bytes`, which belong to the kernel until the answer or completion.
    #[must_use]
    pub fn of(bytes: &mut [u8]) -> Self {
        Self { address: bytes.as_mut_ptr() as u64, length: bytes.len() as u64 }
    }
}

/// A few bytes inside the list, such as a port's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    words: [u64; MAX_BYTES / 8],
    length: u64,
}

impl Bytes {
    /// Copies `bytes`; `None` when there are more than [`MAX_BYTES`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let mut words = [0; MAX_BYTES / 8];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut raw = [0; 8];
            raw[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(raw);
        }
        Some(Self { words, length: bytes.len() as u64 })
    }

    /// Number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Is there no byte?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The byte at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u8> {
        (index < self.len()).then(|| self.words[index / 8].to_le_bytes()[index % 8])
    }

    /// Copies the bytes to the front of `out` and returns how many there are.
    pub fn copy_to(&self, out: &mut [u8; MAX_BYTES]) -> usize {
        for (chunk, word) in out.chunks_exact_mut(8).zip(self.words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        self.len()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = [0; MAX_BYTES];
        let length = self.copy_to(&mut raw);
        write!(f, "b\"{}\"", raw[..length].escape_ascii())
    }
}

/// A payload type. Words in, words out; nothing here can fail for the fixed types.
pub trait Element: Copy {
    /// Its type.
    const KIND: Kind;
    /// Words of the largest payload.
    const MAX_WORDS: usize;
    /// Takes a fixed payload from the front of `words`; an empty value for a type that varies.
    fn load(words: &[u64]) -> Self;
    /// Takes a payload of `bytes` bytes from `words`, whose padding is already known to be zero.
    fn read(words: &[u64], bytes: usize) -> Option<Self>;
    /// Payload length in bytes.
    fn bytes(&self) -> usize;
    /// Writes the payload to the front of `out`.
    fn store(&self, out: &mut [u64]);
}

macro_rules! one_word {
    ($type:ty, $kind:ident, |$word:ident| $from:expr, |$value:ident| $into:expr) => {
        impl Element for $type {
            const KIND: Kind = Kind::$kind;
            const MAX_WORDS: usize = 1;
            #[inline(always)]
            fn load(words: &[u64]) -> Self {
                let $word = words[0];
                $from
            }
            #[inline]
            fn read(words: &[u64], bytes: usize) -> Option<Self> {
                if bytes == 8 { words.first().map(|&$word| $from) } else { None }
            }
            #[inline(always)]
            fn bytes(&self) -> usize {
                8
            }
            #[inline(always)]
            fn store(&self, out: &mut [u64]) {
                let $value = *self;
                out[0] = $into;
            }
        }
    };
}

macro_rules! buffer {
    ($type:ident) => {
        impl Element for $type {
            const KIND: Kind = Kind::$type;
            const MAX_WORDS: usize = 2;
            #[inline(always)]
            fn load(words: &[u64]) -> Self {
                Self { address: words[0], length: words[1] }
            }
            #[inline]
            fn read(words: &[u64], bytes: usize) -> Option<Self> {
                match words {
                    &[address, length, ..] if bytes == 16 => Some(Self { address, length }),
                    _ => None,
                }
            }
            #[inline(always)]
            fn bytes(&self) -> usize {
                16
            }
            #[inline(always)]
            fn store(&self, out: &mut [u64]) {
                out[0] = self.address;
                out[1] = self.length;
            }
        }
    };
}

one_word!(u64, Unsigned, |word| word, |value| value);
one_word!(i64, Signed, |word| word as i64, |value| value as u64);
one_word!(Handle, Handle, |word| Handle(word), |value| value.0);
buffer!(Input);
buffer!(Output);

impl Element for Bytes {
    const KIND: Kind = Kind::Bytes;
    const MAX_WORDS: usize = MAX_BYTES / 8;
    fn load(_: &[u64]) -> Self {
        Self { words: [0; MAX_BYTES / 8], length: 0 }
    }
    fn read(words: &[u64], bytes: usize) -> Option<Self> {
        let source = words.get(..bytes.div_ceil(8))?;
        if bytes > MAX_BYTES {
            return None;
        }
        let mut value = Self { words: [0; MAX_BYTES / 8], length: bytes as u64 };
        value.words[..source.len()].copy_from_slice(source);
        Some(value)
    }
    fn bytes(&self) -> usize {
        self.len()
    }
    fn store(&self, out: &mut [u64]) {
        let words = self.len().div_ceil(8);
        out[..words].copy_from_slice(&self.words[..words]);
    }
}
