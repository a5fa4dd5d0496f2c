//! The program image, and the emulation layer in it: loaded once, mapped read and execute into every process.

use super::space::{Space, SpaceError, kernel_copy};
use ::memory::Backing;
use abi::layer::{LayerHeader, MAGIC, VERSION};
use abi::{LayerCall, map};
use alloc::vec::Vec;
use arch::layout::Phys;
use core::ops::Range;
use percpu::Crit;
use servers::archive::{Archive, ArchiveError};
use servers::load::{self, LoadError};
use spin::Once;

/// Name of the layer in the image.
const NAME: &str = "layer";

/// Why there are no processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LayerError {
    /// The program image is not one.
    Image(ArchiveError),
    /// It holds no layer.
    Missing,
    /// The layer is not a program that can be loaded at its place.
    Load(LoadError),
    /// It has writable memory, which would be shared by all processes.
    Writable,
    /// Its header is not that of a layer this kernel knows.
    Header,
    /// No memory for it.
    NoMemory,
}

/// A run of pages of the layer.
struct Part {
    pages: Range<u64>,
    frames: Vec<Phys>,
    execute: bool,
}

struct Layer {
    parts: Vec<Part>,
    start: u64,
    upcall: u64,
}

static IMAGE: Once<Archive<'static>> = Once::new();
static LAYER: Once<Layer> = Once::new();

/// The programs of the image, by name; the layer is among them.
pub fn programs() -> Option<Archive<'static>> {
    IMAGE.get().copied()
}

/// Reads the image and loads the layer. Once, before the first process.
pub fn init(crit: &Crit, image: &'static [u8]) -> Result<(), LayerError> {
    let archive = Archive::new(image).map_err(LayerError::Image)?;
    let file = archive.find(NAME).ok_or(LayerError::Missing)?;
    let plan = load::plan(file, map::LAYER..map::LAYER_END).map_err(LayerError::Load)?;
    let mut parts = Vec::new();
    parts.try_reserve_exact(plan.segments.len()).map_err(|_| LayerError::NoMemory)?;
    for segment in &plan.segments {
        if segment.write {
            return Err(LayerError::Writable);
        }
        let frames = kernel_copy(crit, segment.pages.clone(), segment.address, segment.data)
            .ok_or(LayerError::NoMemory)?;
        parts.push(Part { pages: segment.pages.clone(), frames, execute: segment.execute });
    }
    let first =
        plan.segments.first().filter(|s| s.address == map::LAYER).ok_or(LayerError::Header)?;
    let word = |at: usize| {
        first.data.get(at..at + 8).and_then(|w| w.try_into().ok()).map(u64::from_le_bytes)
    };
    let call = |call: LayerCall| word((LayerHeader::slot(call) - map::LAYER) as usize);
    let known = word(0) == Some(MAGIC) && word(8).is_some_and(|w| w as u32 == VERSION);
    let inside = |address: u64| parts.iter().any(|p| p.execute && p.pages.contains(&address));
    match (known, call(LayerCall::Start), call(LayerCall::Upcall)) {
        (true, Some(start), Some(upcall)) if inside(start) && inside(upcall) => {
            IMAGE.call_once(|| archive);
            LAYER.call_once(|| Layer { parts, start, upcall });
            Ok(())
        }
        _ => Err(LayerError::Header),
    }
}

/// Maps the layer into a process. `None`: there is none.
pub(crate) fn map_into(crit: &Crit, space: &mut Space) -> Option<Result<(), SpaceError>> {
    let layer = LAYER.get()?;
    Some(layer.parts.iter().try_for_each(|part| {
        let image = Backing::Pinned { write: false };
        let backing = if part.execute { Backing::Code } else { image };
        space.reserve(part.pages.clone(), backing)?;
        space.pin(crit, part.pages.start, part.frames.iter().copied())
    }))
}

/// Where a fresh CPU process enters the layer, and where its upcalls do.
pub(crate) fn entries() -> Option<(u64, u64)> {
    LAYER.get().map(|layer| (layer.start, layer.upcall))
}
