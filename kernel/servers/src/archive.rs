//! The program image: ring-3 programs and the emulation layer, packed into one file.
//!
//! ```text
//! 0   magic "DFLYIMG1"      8   entries: u64
//! 16  entry: name (32 bytes, zero padded), offset: u64, length: u64     ... repeated
//! ... the files, each at an 8-byte aligned offset from the start
//! ```
//! All numbers are little-endian. Nothing is trusted: a wrong image is an error, not a panic.

/// The first eight bytes.
pub const MAGIC: [u8; 8] = *b"DFLYIMG1";
/// Bytes of a name, zero padded.
pub const NAME: usize = 32;
const ENTRY: usize = NAME + 16;
const HEADER: usize = 16;

/// Why an image cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArchiveError {
    /// It does not begin with [`MAGIC`].
    NotAnImage,
    /// The table or a file ends beyond the image.
    Truncated,
    /// A name is not UTF-8.
    BadName,
}

/// A checked image.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    entries: usize,
}

impl<'a> Archive<'a> {
    /// Checks the table of an image.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        if bytes.get(..8) != Some(&MAGIC) {
            return Err(ArchiveError::NotAnImage);
        }
        let entries = usize::try_from(word(bytes, 8)?).map_err(|_| ArchiveError::Truncated)?;
        if entries > (bytes.len() - HEADER) / ENTRY {
            return Err(ArchiveError::Truncated);
        }
        let archive = Self { bytes, entries };
        for index in 0..entries {
            archive.entry(index)?;
        }
        Ok(archive)
    }

    /// The file of that name.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, file)| file)
    }

    /// Every file with its name, in the order of packing.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let this = *self;
        (0..self.entries).filter_map(move |index| this.entry(index).ok())
    }

    fn entry(&self, index: usize) -> Result<(&'a str, &'a [u8]), ArchiveError> {
        let at = HEADER + index * ENTRY;
        let name = self.bytes.get(at..at + NAME).ok_or(ArchiveError::Truncated)?;
        let end = name.iter().position(|&b| b == 0).unwrap_or(NAME);
        let name = core::str::from_utf8(&name[..end]).map_err(|_| ArchiveError::BadName)?;
        let offset =
            usize::try_from(word(self.bytes, at + NAME)?).map_err(|_| ArchiveError::Truncated)?;
        let length = usize::try_from(word(self.bytes, at + NAME + 8)?)
            .map_err(|_| ArchiveError::Truncated)?;
        let end = offset.checked_add(length).ok_or(ArchiveError::Truncated)?;
        self.bytes.get(offset..end).map(|file| (name, file)).ok_or(ArchiveError::Truncated)
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u64, ArchiveError> {
    let word =
        bytes.get(at..at + 8).and_then(|w| w.try_into().ok()).ok_or(ArchiveError::Truncated)?;
    Ok(u64::from_le_bytes(word))
}
