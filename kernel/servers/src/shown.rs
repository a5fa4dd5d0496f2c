//! What a program wrote, as lines that can be shown.
//!
//! Law: nothing is lost, and no character has a terminal do something: nobody speaks in another's name.

use arrayvec::ArrayString;
use core::fmt::Write;

/// Bytes of a piece at most; a longer line is shown in several.
pub const PIECE: usize = 120;
/// The most that one character takes, escaped: `\u{10ffff}`.
const WIDEST: usize = 10;

/// A piece under construction, and who gets it.
struct Pieces<F> {
    text: ArrayString<PIECE>,
    say: F,
}

impl<F: FnMut(&str)> Pieces<F> {
    /// Adds a character, after the piece has been said where it is full.
    fn add(&mut self, write: impl FnOnce(&mut ArrayString<PIECE>) -> core::fmt::Result) {
        if self.text.remaining_capacity() < WIDEST {
            self.flush();
        }
        write(&mut self.text).expect("there is room for the widest");
    }

    fn flush(&mut self) {
        (self.say)(&self.text);
        self.text.clear();
    }
}

/// Gives `say` each line that is not empty, in pieces of [`PIECE`] bytes at most. Control characters but the tab, and bytes
/// that are no text, are escaped as in Rust.
pub fn lines(bytes: &[u8], say: impl FnMut(&str)) {
    let mut pieces = Pieces { text: ArrayString::new(), say };
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        for chunk in line.utf8_chunks() {
            for character in chunk.valid().chars() {
                pieces.add(|to| match character {
                    '\t' => to.write_char('\t'),
                    _ if character.is_control() => write!(to, "{}", character.escape_default()),
                    _ => to.write_char(character),
                });
            }
            for byte in chunk.invalid() {
                pieces.add(|to| write!(to, "\\x{byte:02x}"));
            }
        }
        pieces.flush();
    }
}
