//! Element lists: a directory of descriptors, then the payloads in the same order.
//!
//! ```text
//! u16 count | u16 zero | count x (u16 id, u16 length in bytes) | zero to a multiple of 8 | payload | payload ...
//! ```
//! Each payload begins on a word and is padded with zeros to a word. All descriptors stand together, so a reader that
//! expects a fixed set compares them a word at a time and then only loads. A list of no bytes is the empty list.
//! The snapshot that the kernel took is read here, never the user's memory; [`List::parse`] checks all lengths once.

use crate::{Error, Failure, MUST};

/// Most elements in a list.
pub const MAX_ELEMENTS: usize = 32;
/// Most words in a list of a request.
pub const MAX_WORDS: usize = 64;
/// Most bytes in a list of a request.
pub const MAX_LENGTH: usize = MAX_WORDS * 8;
/// How deep lists nest: no element holds a list.
pub const MAX_DEPTH: usize = 1;

/// Words that the directory of `count` elements takes; none for the empty list.
#[must_use]
pub const fn directory_words(count: usize) -> usize {
    if count == 0 { 0 } else { (1 + count).div_ceil(2) }
}

/// Half-word `index` of a directory: the count, then the descriptors.
#[inline]
const fn half(words: &[u64], index: usize) -> u32 {
    (words[index / 2] >> (32 * (index % 2))) as u32
}

/// Builds the directory for elements of the given `(id, bytes)`.
#[must_use]
pub const fn directory<const WORDS: usize>(elements: &[(u16, u16)]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    if elements.is_empty() {
        return words;
    }
    words[0] = elements.len() as u64;
    let mut index = 0;
    while index < elements.len() {
        let (id, bytes) = elements[index];
        let at = index + 1;
        words[at / 2] |= (id as u64 | (bytes as u64) << 16) << (32 * (at % 2));
        index += 1;
    }
    words
}

/// One element of a parsed list.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Wire id.
    pub id: u16,
    /// Payload length in bytes.
    pub bytes: usize,
    /// Payload, padding included.
    pub words: &'a [u64],
}

/// A list whose lengths, bounds and padding have been checked.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    words: &'a [u64],
    count: usize,
}

impl<'a> List<'a> {
    /// Checks the whole list, once: count, sizes, padding, nothing left over.
    pub fn parse(words: &'a [u64]) -> Result<Self, Failure> {
        if words.is_empty() {
            return Ok(Self { words, count: 0 });
        }
        let head = half(words, 0);
        let count = (head & 0xffff) as usize;
        if head >> 16 != 0 {
            return Err(Failure::new(Error::BadPadding));
        }
        let start = (1 + count).div_ceil(2);
        if count > MAX_ELEMENTS || start > words.len() {
            return Err(Failure::new(Error::BadLength));
        }
        if count.is_multiple_of(2) && half(words, count + 1) != 0 {
            return Err(Failure::new(Error::BadPadding));
        }
        let mut at = start;
        for index in 0..count {
            let descriptor = half(words, index + 1);
            let (id, bytes) = (descriptor as u16, (descriptor >> 16) as usize);
            at += bytes.div_ceil(8);
            if at > words.len() {
                return Err(Failure::element(Error::BadLength, id));
            }
            if !bytes.is_multiple_of(8) && words[at - 1] >> (8 * (bytes % 8)) != 0 {
                return Err(Failure::element(Error::BadPadding, id));
            }
        }
        if at == words.len() {
            Ok(Self { words, count })
        } else {
            Err(Failure::new(Error::BadLength))
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The elements in the order of the list.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let (words, mut at) = (self.words, (1 + self.count).div_ceil(2));
        (1..=self.count).map(move |index| {
            let descriptor = half(words, index);
            let bytes = (descriptor >> 16) as usize;
            let from = at;
            at += bytes.div_ceil(8);
            Item { id: descriptor as u16, bytes, words: &words[from..at] }
        })
    }

    /// Judges an element that the reader does not know: refused with the must-understand bit, or when it stands twice,
    /// or with the id 0, which no element has.
    #[cold]
    pub fn unknown(&self, id: u16) -> Result<(), Failure> {
        if id & MUST != 0 || id == 0 {
            return Err(Failure::element(Error::UnknownElement, id));
        }
        let times = (1..=self.count).filter(|&index| half(self.words, index) as u16 == id).count();
        if times > 1 { Err(Failure::element(Error::DuplicateElement, id)) } else { Ok(()) }
    }
}

/// Writes a list into `out`, or only measures it.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u64],
    index: usize,
    at: usize,
}

impl<'a> Writer<'a> {
    /// A list of `count` elements at the front of `out`.
    #[must_use]
    pub fn new(out: &'a mut [u64], count: usize) -> Self {
        let at = directory_words(count);
        if let Some(directory) = out.get_mut(..at) {
            directory.fill(0);
            if let Some(first) = directory.first_mut() {
                *first = count as u64;
            }
        }
        Self { out, index: 0, at }
    }

    /// Appends an element.
    pub fn put<T: crate::Element>(&mut self, id: u16, value: &T) {
        let bytes = value.bytes();
        let end = self.at + bytes.div_ceil(8);
        self.index += 1;
        if let Some(payload) = self.out.get_mut(self.at..end) {
            value.store(payload);
            self.out[self.index / 2] |=
                (u64::from(id) | (bytes as u64) << 16) << (32 * (self.index % 2));
        }
        self.at = end;
    }

    /// Length of the list in words, or, when it did not fit, the words needed.
    pub fn finish(self) -> Result<usize, usize> {
        if self.at <= self.out.len() { Ok(self.at) } else { Err(self.at) }
    }
}
