//! What a program that measures is told when it is started: settings in seven words.
//!
//! ```text
//! word 0: mode in bits 0..7, bit 8 quick, bit 9 list, bit 10 why, bit 11 curves    word 1: seed    words 2..6: filter, 40 bytes, zeros behind
//! ```
//! A longer filter is cut at its commas, and the program started for each piece.

use crate::{Mode, Settings};

/// Words that a program gets.
pub const WORDS: usize = 7;
/// Longest filter that fits; no benchmark of a program has a longer name.
pub const FILTER_BYTES: usize = (WORDS - 2) * 8;

const MODES: [Mode; 4] = [Mode::Insns, Mode::Tcg, Mode::Kvm, Mode::Hosted];
const QUICK: u64 = 1 << 8;
const LIST: u64 = 1 << 9;
const WHY: u64 = 1 << 10;
const CURVES: u64 = 1 << 11;

/// The words of a program; `None` if the filter does not fit (see [`pieces`]).
pub fn pack(settings: &Settings<'_>, list: bool) -> Option<[u64; WORDS]> {
    let mut text = [0; FILTER_BYTES];
    text.get_mut(..settings.filter.len())?.copy_from_slice(settings.filter.as_bytes());
    let mode = MODES.iter().position(|&mode| mode == settings.mode)? as u64;
    let flags = (u64::from(settings.quick) * QUICK)
        | (u64::from(list) * LIST)
        | (u64::from(settings.why) * WHY)
        | (u64::from(settings.curves) * CURVES);
    let mut words = [mode | flags, settings.seed, 0, 0, 0, 0, 0];
    for (word, bytes) in words[2..].iter_mut().zip(text.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Some(words)
}

/// What the words say: settings, and whether to list only. `text` is the room for the filter.
pub fn unpack<'a>(
    words: &[u64; WORDS],
    text: &'a mut [u8; FILTER_BYTES],
) -> Option<(Settings<'a>, bool)> {
    for (bytes, word) in text.as_chunks_mut().0.iter_mut().zip(&words[2..]) {
        *bytes = word.to_le_bytes();
    }
    let used = text.iter().position(|&byte| byte == 0).unwrap_or(FILTER_BYTES);
    let filter = core::str::from_utf8(&text[..used]).ok()?;
    let mode = *MODES.get(words[0] as usize & 0xff)?;
    let has = |flag: u64| words[0] & flag != 0;
    let (quick, why, curves) = (has(QUICK), has(WHY), has(CURVES));
    let settings = Settings { mode, quick, seed: words[1], filter, why, curves };
    Some((settings, has(LIST)))
}

/// The pieces of a filter that fit. A part that does not fit by itself matches nothing, and is left out.
pub fn pieces(filter: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(filter);
    core::iter::from_fn(move || {
        loop {
            let text = rest?;
            if text.len() <= FILTER_BYTES {
                rest = None;
                return (filter.is_empty() || !text.is_empty()).then_some(text);
            }
            match text.as_bytes()[..=FILTER_BYTES].iter().rposition(|&byte| byte == b',') {
                Some(at) => {
                    rest = Some(&text[at + 1..]);
                    if at > 0 {
                        return Some(&text[..at]);
                    }
                }
                None => rest = text.split_once(',').map(|(_, rest)| rest),
            }
        }
    })
}

#[cfg(test)]
mod tests;
