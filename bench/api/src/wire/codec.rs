//! Fields to bytes and back.

/// Why a record could not be written or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The buffer is too small.
    Full,
    /// The bytes end inside a record.
    Short,
    /// Bytes are left after the record.
    Rest,
    /// No such record.
    Tag(u8),
    /// Not a number, truth value or UTF-8 text.
    Value,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Full => f.write_str("the buffer is too small for the record"),
            Error::Short => f.write_str("the record is cut off"),
            Error::Rest => f.write_str("bytes are left after the record"),
            Error::Tag(tag) => write!(f, "no record has tag {tag}"),
            Error::Value => f.write_str("a field holds no value of its kind"),
        }
    }
}

impl core::error::Error for Error {}

/// Longest text in a record, in bytes; what is longer is cut.
pub const MAX_TEXT: usize = 160;

pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    used: usize,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    pub(crate) fn byte(&mut self, byte: u8) -> Result<(), Error> {
        *self.buffer.get_mut(self.used).ok_or(Error::Full)? = byte;
        self.used += 1;
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.used + bytes.len();
        self.buffer.get_mut(self.used..end).ok_or(Error::Full)?.copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        let cut = text.floor_char_boundary(text.len().min(MAX_TEXT));
        (cut as u64).put(self)?;
        self.bytes(&text.as_bytes()[..cut])
    }

    /// Writes a list with its length in bytes in front, which is known only afterwards: two bytes are kept for it.
    fn list(&mut self, fill: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let at = self.used;
        self.bytes(&[0; 2])?;
        fill(self)?;
        let len = u16::try_from(self.used - at - 2).map_err(|_| Error::Full)?;
        self.buffer[at..at + 2].copy_from_slice(&len.to_le_bytes());
        Ok(())
    }

    pub(crate) fn done(self) -> &'b [u8] {
        &self.buffer[..self.used]
    }
}

#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        let (&first, rest) = self.bytes.split_first().ok_or(Error::Short)?;
        self.bytes = rest;
        Ok(first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Error::Short)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn list(&mut self) -> Result<&'a [u8], Error> {
        let len = u16::from_le_bytes([self.byte()?, self.byte()?]);
        self.take(len as usize)
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn done(self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Rest) }
    }
}

/// A kind of field.
pub(crate) trait Field<'a>: Sized {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error>;
    fn get(from: &mut Reader<'a>) -> Result<Self, Error>;
}

impl<'a> Field<'a> for u64 {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error> {
        let mut rest = *self;
        while rest >= 0x80 {
            to.byte(rest as u8 | 0x80)?;
            rest >>= 7;
        }
        to.byte(rest as u8)
    }

    fn get(from: &mut Reader<'a>) -> Result<Self, Error> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = from.byte()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(Error::Value);
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::Value)
    }
}

impl<'a> Field<'a> for bool {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error> {
        to.byte(u8::from(*self))
    }

    fn get(from: &mut Reader<'a>) -> Result<Self, Error> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::Value),
        }
    }
}

impl<'a> Field<'a> for &'a str {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error> {
        to.text(self)
    }

    fn get(from: &mut Reader<'a>) -> Result<Self, Error> {
        let len = u64::get(from)?;
        let bytes = from.take(usize::try_from(len).map_err(|_| Error::Short)?)?;
        core::str::from_utf8(bytes).map_err(|_| Error::Value)
    }
}

impl<'a> Field<'a> for &'a [u8] {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error> {
        to.list(|to| to.bytes(self))
    }

    fn get(from: &mut Reader<'a>) -> Result<Self, Error> {
        from.list()
    }
}

/// A list of numbers, to be written or as read.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// To be written.
    Plain(&'a [u64]),
    /// As read: checked, still encoded.
    Wire(&'a [u8]),
}

impl<'a> Values<'a> {
    /// The numbers.
    pub fn iter(&self) -> impl Iterator<Item = u64> + use<'a> {
        let (plain, wire): (&'a [u64], &'a [u8]) = match *self {
            Values::Plain(plain) => (plain, &[]),
            Values::Wire(wire) => (&[], wire),
        };
        let mut from = Reader::new(wire);
        plain.iter().copied().chain(core::iter::from_fn(move || u64::get(&mut from).ok()))
    }
}

impl PartialEq for Values<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a> Field<'a> for Values<'a> {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error> {
        to.list(|to| self.iter().try_for_each(|value| value.put(to)))
    }

    fn get(from: &mut Reader<'a>) -> Result<Self, Error> {
        let bytes = from.list()?;
        let mut check = Reader::new(bytes);
        while !check.is_empty() {
            u64::get(&mut check)?;
        }
        Ok(Values::Wire(bytes))
    }
}

/// A list of named numbers, to be written or as read.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    /// To be written.
    Plain(&'a [(&'a str, u64)]),
    /// As read: checked, still encoded.
    Wire(&'a [u8]),
}

impl<'a> Named<'a> {
    /// The names and numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let (plain, wire): (&'a [(&'a str, u64)], &'a [u8]) = match *self {
            Named::Plain(plain) => (plain, &[]),
            Named::Wire(wire) => (&[], wire),
        };
        let mut from = Reader::new(wire);
        let pair = move || Some((<&str>::get(&mut from).ok()?, u64::get(&mut from).ok()?));
        plain.iter().copied().chain(core::iter::from_fn(pair))
    }
}

impl PartialEq for Named<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a> Field<'a> for Named<'a> {
    fn put(&self, to: &mut Writer<'_>) -> Result<(), Error> {
        to.list(|to| {
            self.iter().try_for_each(|(name, value)| {
                name.put(to)?;
                value.put(to)
            })
        })
    }

    fn get(from: &mut Reader<'a>) -> Result<Self, Error> {
        let bytes = from.list()?;
        let mut check = Reader::new(bytes);
        while !check.is_empty() {
            <&str>::get(&mut check)?;
            u64::get(&mut check)?;
        }
        Ok(Named::Wire(bytes))
    }
}
