//! Frames: what the kernel says on port 0xe9, decoded against its ELF.
//!
//! Each frame is one log line or one record of one CPU. The format strings stay in the ELF;
//! the wire carries an index and the arguments.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use defmt_decoder::{DecodeError, Locations, StreamDecoder, Table};
use defmt_parser::Fragment;

/// How urgent a log line is. A record has no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever works on that part.
    Debug,
    /// For everybody.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Returns the level as a word of five letters or fewer.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    fn from_wire(word: &str) -> Option<Self> {
        [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error]
            .into_iter()
            .find(|level| level.name() == word)
    }
}

/// One decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The CPU that wrote it.
    pub cpu: u32,
    /// That CPU's time-stamp counter when it did.
    pub tsc: u64,
    /// Its level; `None` for a record.
    pub level: Option<Level>,
    /// The whole message as text.
    pub message: String,
    /// Its arguments, each as text, in the order of the message.
    pub fields: Vec<String>,
    /// The line of source that wrote it, when the kernel has debug information.
    pub location: Option<Arc<Location>>,
}

impl Frame {
    /// Returns the bytes of the record that this frame is, if it is one: a frame with no level
    /// whose message is `record ` and a list of bytes.
    pub fn record(&self) -> Option<Vec<u8>> {
        let list = self.message.strip_prefix(bench_api::wire::FRAME_PREFIX)?;
        let list = list.strip_prefix('[')?.strip_suffix(']')?;
        if self.level.is_some() {
            return None;
        }
        list.split_terminator(',').map(|byte| byte.trim().parse().ok()).collect()
    }
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler was given it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
}

/// What the decoder knows about one kernel image.
pub struct Dictionary {
    table: Table,
    locations: Locations,
}

impl Dictionary {
    /// Reads the format strings out of a kernel ELF; `None` when it has none.
    pub fn read(elf: &[u8]) -> Result<Option<Self>> {
        let Some(table) = Table::parse(elf).context("the kernel's defmt section")? else {
            return Ok(None);
        };
        // Without debug information the map is empty or incomplete; frames then lack a place.
        let locations = table.get_locations(elf).unwrap_or_default();
        Ok(Some(Dictionary { table, locations }))
    }

    /// Returns a decoder for one stream of this kernel.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder { dictionary: self, stream: self.table.new_stream_decoder() }
    }
}

/// Turns bytes of one stream into frames.
pub struct Decoder<'d> {
    dictionary: &'d Dictionary,
    stream: Box<dyn StreamDecoder + Send + Sync + 'd>,
}

/// One step of decoding.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A frame.
    Frame(Frame),
    /// Bytes that are no frame of this kernel; the decoder goes on after them.
    Garbage,
}

impl Decoder<'_> {
    /// Takes in bytes and hands every frame that they complete to `each`.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Decoded)) {
        self.stream.received(bytes);
        loop {
            match self.stream.decode() {
                Ok(frame) => each(Decoded::Frame(convert(&frame, &self.dictionary.locations))),
                Err(DecodeError::Malformed) => each(Decoded::Garbage),
                Err(DecodeError::UnexpectedEof) => return,
            }
        }
    }
}

fn convert(frame: &defmt_decoder::Frame<'_>, locations: &Locations) -> Frame {
    let stamp = frame.display_timestamp().map(|stamp| stamp.to_string()).unwrap_or_default();
    let (cpu, tsc) = stamp.split_once(':').unwrap_or(("0", "0"));
    let fields = frame
        .fragments()
        .iter()
        .zip(frame.display_fragments())
        .filter(|(fragment, _)| matches!(fragment, Fragment::Parameter(_)))
        .map(|(_, text)| text)
        .collect();
    Frame {
        cpu: cpu.parse().unwrap_or(0),
        tsc: tsc.parse().unwrap_or(0),
        level: frame.level().and_then(|level| Level::from_wire(level.as_str())),
        message: frame.display_message().to_string(),
        fields,
        location: locations
            .get(&frame.index())
            .map(|place| Arc::new(Location { file: place.file.clone(), line: place.line })),
    }
}

#[cfg(test)]
mod tests;
