//! The shape of a set of elements, computed by the compiler from its description.

use crate::{Element, ElementInfo, Kind, list};

/// Words that the payloads of fixed length take.
pub(crate) const fn payload_words(elements: &[ElementInfo]) -> usize {
    let (mut words, mut index) = (0, 0);
    while index < elements.len() {
        words += elements[index].kind.words();
        index += 1;
    }
    words
}

/// Does every element have a fixed length, so that a canonical form exists?
pub(crate) const fn fixed(elements: &[ElementInfo]) -> bool {
    let mut index = 0;
    while index < elements.len() {
        if elements[index].kind.words() == 0 {
            return false;
        }
        index += 1;
    }
    true
}

/// Words that the longest list of these elements takes.
pub(crate) const fn longest(elements: &[ElementInfo]) -> usize {
    let (mut words, mut index) = (list::directory_words(elements.len()), 0);
    while index < elements.len() {
        words += match elements[index].kind {
            Kind::Bytes => <crate::Bytes as Element>::MAX_WORDS,
            kind => kind.words(),
        };
        index += 1;
    }
    words
}

/// Whether no id stands twice and all fit the wanted mask.
pub(crate) const fn sound(elements: &[ElementInfo]) -> bool {
    let (mut seen, mut index) = (0u64, 0);
    while index < elements.len() {
        let id = elements[index].id & !crate::MUST;
        if id == 0 || id >= 64 || seen & (1 << id) != 0 {
            return false;
        }
        seen |= 1 << id;
        index += 1;
    }
    elements.len() <= list::MAX_ELEMENTS && longest(elements) <= list::MAX_WORDS
}

/// The canonical directory, computed by the compiler.
pub(crate) const fn canonical<const WORDS: usize>(elements: &[ElementInfo]) -> [u64; WORDS] {
    let mut pairs = [(0, 0); list::MAX_ELEMENTS];
    let mut index = 0;
    while index < elements.len() {
        pairs[index] = (elements[index].id, 8 * elements[index].kind.words() as u16);
        index += 1;
    }
    list::directory(pairs.split_at(elements.len()).0)
}
