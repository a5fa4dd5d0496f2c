//! An encoder of its own, written from the words of `list.rs` and working on bytes: what the real one is held against.
#![allow(dead_code)]

use abi::{ElementInfo, Kind, Message};
use proptest::prelude::*;

/// Number of words in `bytes`, rounded up.
fn words(bytes: &[u8]) -> Vec<u64> {
    assert!(bytes.len().is_multiple_of(8));
    bytes.chunks(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// The list of these elements, in this order.
pub fn build(elements: &[(u16, Vec<u8>)]) -> Vec<u64> {
    let mut bytes = Vec::new();
    if elements.is_empty() {
        return Vec::new();
    }
    bytes.extend((elements.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    for (id, payload) in elements {
        bytes.extend(id.to_le_bytes());
        bytes.extend((payload.len() as u16).to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    for (_, payload) in elements {
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    words(&bytes)
}

/// A payload that fits the kind.
pub fn payload(kind: Kind) -> BoxedStrategy<Vec<u8>> {
    match kind {
        Kind::Bytes => proptest::collection::vec(any::<u8>(), 0..=abi::MAX_BYTES).boxed(),
        fixed => proptest::collection::vec(any::<u8>(), 8 * fixed.words()).boxed(),
    }
}

/// A payload for each element, in canonical order.
pub fn elements(infos: &'static [ElementInfo]) -> BoxedStrategy<Vec<(u16, Vec<u8>)>> {
    infos
        .iter()
        .map(|info| payload(info.kind).prop_map(|bytes| (info.id, bytes)))
        .collect::<Vec<_>>()
        .boxed()
}

/// The elements as scalars in registers; `None` when they do not fit.
pub fn registers(elements: &[(u16, Vec<u8>)]) -> Option<[u64; 4]> {
    let mut all: Vec<u64> = elements.iter().flat_map(|(_, payload)| words(payload)).collect();
    if all.len() > 4 {
        return None;
    }
    all.resize(4, 0);
    Some(all.try_into().unwrap())
}

/// What the real encoder makes of a request.
pub fn encoded<M: Message>(message: &M) -> Vec<u64> {
    let mut out = [0xdead_beef_dead_beef; abi::list::MAX_WORDS];
    let used = message.encode(&mut out).expect("the array is large enough for any list");
    out[..used].to_vec()
}

/// Words as text, for the corpus.
pub fn hex(words: &[u64]) -> String {
    if words.is_empty() {
        return "empty".into();
    }
    words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

/// Text of the corpus as words.
pub fn unhex(text: &str) -> Vec<u64> {
    if text == "empty" {
        return Vec::new();
    }
    let bytes: Vec<u8> = (0..text.len() / 2)
        .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap())
        .collect();
    words(&bytes)
}

/// Compares a file of the corpus with what it should be, or writes it when `BLESS` is set.
pub fn golden(path: &str, text: &str) {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{path} is not in step; if that is meant: BLESS=1 cargo test -p abi");
}
