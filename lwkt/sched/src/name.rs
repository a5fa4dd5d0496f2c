//! Names of threads, held inline: reports must not chase pointers or allocate.

use core::fmt;

/// A thread's name: up to 23 bytes, a longer one is cut at a character's edge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; Name::MAX],
    length: u8,
}

impl Name {
    const MAX: usize = 23;

    /// The name `text`, cut to what fits.
    pub const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        let mut length = if text.len() < Self::MAX { text.len() } else { Self::MAX };
        // A byte 10xxxxxx continues a character: do not cut before it.
        while length < text.len() && length > 0 && text[length] & 0xc0 == 0x80 {
            length -= 1;
        }
        let mut bytes = [0; Self::MAX];
        let mut i = 0;
        while i < length {
            bytes[i] = text[i];
            i += 1;
        }
        Self { bytes, length: length as u8 }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length as usize]).unwrap_or("?")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
