//! Addresses to functions, files and lines, from a kernel ELF's debug information.

use std::{borrow::Cow, fmt, path::Path, rc::Rc};

use addr2line::Context as Lines;
use anyhow::{Context, Result};
use gimli::{EndianRcSlice, Reader as _, RunTimeEndian};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

pub(crate) type Reader = EndianRcSlice<RunTimeEndian>;

/// One function at an address. Several stand at the same address where calls were inlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function, demangled.
    pub function: String,
    /// Its file, shortened to the workspace or the crate.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// Whether the next outer place called it inline.
    pub inlined: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " ({file}:{line})"),
            (Some(file), None) => write!(f, " ({file})"),
            _ => Ok(()),
        }
    }
}

/// A range of addresses that hold code.
#[derive(Clone, Debug)]
struct Code {
    start: u64,
    bytes: Vec<u8>,
}

/// What one ELF says about its own addresses.
pub struct Symbols {
    lines: Option<Lines<Reader>>,
    /// Functions by address: start, size, raw name. For code without debug information.
    functions: Vec<(u64, u64, String)>,
    code: Vec<Code>,
    pub(crate) eh_frame: Option<(u64, Reader)>,
    pub(crate) debug_frame: Option<Reader>,
}

impl Symbols {
    /// Reads an ELF.
    pub fn read(elf: &[u8]) -> Result<Self> {
        let file = object::File::parse(elf).context("not an object file")?;
        let section = |name: &str| -> Option<(u64, Reader)> {
            let section = file.section_by_name(name)?;
            let data = section.uncompressed_data().ok()?;
            Some((section.address(), Reader::new(Rc::from(&*data), RunTimeEndian::Little)))
        };
        let empty = || Reader::new(Rc::from([].as_slice()), RunTimeEndian::Little);
        let dwarf = gimli::Dwarf::load(|id| -> Result<Reader, gimli::Error> {
            Ok(section(id.name()).map_or_else(empty, |(_, data)| data))
        });
        let mut functions: Vec<(u64, u64, String)> = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.address() != 0)
            .filter_map(|symbol| {
                Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned()))
            })
            .collect();
        functions.sort();
        let code = file
            .sections()
            .filter(|section| section.kind() == SectionKind::Text)
            .filter_map(|section| {
                Some(Code { start: section.address(), bytes: section.data().ok()?.to_vec() })
            })
            .collect();
        Ok(Symbols {
            lines: dwarf.ok().and_then(|dwarf| Lines::from_dwarf(dwarf).ok()),
            functions,
            code,
            eh_frame: section(".eh_frame").filter(|(_, data)| !is_empty(data)),
            debug_frame: section(".debug_frame")
                .map(|(_, data)| data)
                .filter(|data| !is_empty(data)),
        })
    }

    /// A kernel with this code and these unwind tables, and nothing else known.
    #[cfg(test)]
    pub(crate) fn of_parts(start: u64, code: &[u8], eh_frame: &[u8]) -> Self {
        let eh_frame = Reader::new(Rc::from(eh_frame), RunTimeEndian::Little);
        Symbols {
            lines: None,
            functions: Vec::new(),
            code: vec![Code { start, bytes: code.to_vec() }],
            eh_frame: Some((0, eh_frame)),
            debug_frame: None,
        }
    }

    /// Returns the functions at `address`, innermost inlined one first; empty when unknown.
    pub fn places(&self, address: u64) -> Vec<Place> {
        // Debug information of code that the linker dropped claims the lowest addresses.
        if !self.is_code(address) {
            return Vec::new();
        }
        let mut places = self.debug_places(address).unwrap_or_default();
        if let Some(last) = places.last_mut() {
            last.inlined = false;
        } else if let Some(name) = self.function(address) {
            places.push(Place { function: demangle(name), file: None, line: None, inlined: false });
        }
        places
    }

    /// Returns the raw name of the function that holds `address`, from the symbol table.
    pub fn function(&self, address: u64) -> Option<&str> {
        let after = self.functions.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = self.functions[..after].last()?;
        // Hand-written code may have no size; it then reaches to the next symbol.
        (*size == 0 || address < start + size).then_some(name.as_str())
    }

    /// Returns the raw name of the function that begins at `address`, from the symbol table.
    pub fn begins(&self, address: u64) -> Option<&str> {
        let at = self.functions.binary_search_by_key(&address, |(start, ..)| *start).ok()?;
        Some(&self.functions[at].2)
    }

    /// Returns whether `address` lies in this ELF's code.
    pub fn is_code(&self, address: u64) -> bool {
        self.code_before(address, 0).is_some()
    }

    /// Returns `length` bytes of code from `address` on.
    pub fn code(&self, address: u64, length: usize) -> Option<&[u8]> {
        self.code_before(address.checked_add(length as u64)?, length)
    }

    /// Returns whether the instruction before `address` can be a call: only then can the word
    /// be a return address.
    pub fn follows_call(&self, address: u64) -> bool {
        // e8 rel32 is the direct call; ff /2 has between two and seven bytes.
        let direct = self.code_before(address, 5).is_some_and(|code| code[0] == 0xe8);
        direct
            || (2..=7).any(|length| {
                self.code_before(address, length).is_some_and(|code| {
                    let code = if code[0] & 0xf0 == 0x40 { &code[1..] } else { code };
                    code.len() >= 2 && code[0] == 0xff && code[1] & 0x38 == 0x10
                })
            })
    }

    /// Returns the `length` bytes of code before `address`.
    fn code_before(&self, address: u64, length: usize) -> Option<&[u8]> {
        self.code.iter().find_map(|code| {
            let at = usize::try_from(address.checked_sub(code.start)?).ok()?;
            (at < code.bytes.len() || length > 0 && at == code.bytes.len())
                .then(|| code.bytes.get(at.checked_sub(length)?..at))?
        })
    }

    fn debug_places(&self, address: u64) -> Option<Vec<Place>> {
        let mut frames = self.lines.as_ref()?.find_frames(address).skip_all_loads().ok()?;
        let mut places = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let function = match &frame.function {
                Some(function) => demangle(&function.raw_name().unwrap_or(Cow::Borrowed("?"))),
                None => match self.function(address) {
                    Some(name) => demangle(name),
                    None => continue,
                },
            };
            let location = frame.location.as_ref();
            places.push(Place {
                function,
                file: location.and_then(|at| at.file).map(|file| shorten(file).into_owned()),
                line: location.and_then(|at| at.line),
                inlined: true,
            });
        }
        Some(places)
    }
}

/// Returns what the compiler that made an ELF's first Rust unit calls itself, `rustc 1.96.0`; `None` without debug information.
pub fn compiler(elf: &[u8]) -> Option<String> {
    let file = object::File::parse(elf).ok()?;
    let dwarf = gimli::Dwarf::load(|id| -> Result<Reader, gimli::Error> {
        let data =
            file.section_by_name(id.name()).and_then(|section| section.uncompressed_data().ok());
        Ok(Reader::new(Rc::from(&*data.unwrap_or_default()), RunTimeEndian::Little))
    });
    let dwarf = dwarf.ok()?;
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        let version = || {
            let unit = dwarf.unit(header).ok()?;
            let mut entries = unit.entries();
            let producer = entries.next_dfs().ok()??.attr_value(gimli::DW_AT_producer)?;
            rustc(&dwarf.attr_string(&unit, producer).ok()?.to_string_lossy().ok()?)
        };
        if let Some(version) = version() {
            return Some(version);
        }
    }
    None
}

/// `rustc 1.96.0` out of `clang LLVM (rustc version 1.96.0 (ac68faa20 2026-05-25))`.
fn rustc(producer: &str) -> Option<String> {
    let (_, rest) = producer.split_once("rustc version ")?;
    Some(format!("rustc {}", rest.split([' ', ')']).next()?))
}

fn is_empty(data: &Reader) -> bool {
    data.is_empty()
}

/// Demangles a Rust name and leaves out its hash.
pub fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Cuts a path to what tells a reader where to look: relative to the current folder for our own
/// sources, `crate-version/src/..` for a registry's, `core/src/..` for the standard library's.
pub fn shorten(path: &str) -> Cow<'_, str> {
    if let Ok(here) = std::env::current_dir()
        && let Ok(ours) = Path::new(path).strip_prefix(here)
    {
        return Cow::Owned(ours.to_string_lossy().into_owned());
    }
    for root in ["/registry/src/", "/library/"] {
        if let Some(at) = path.find(root) {
            let rest = &path[at + root.len()..];
            // The registry's folder has a name of its own between.
            let rest = if root.contains("registry") {
                rest.split_once('/').map_or(rest, |(_, rest)| rest)
            } else {
                rest
            };
            // core/src/../../stdarch/.. reads better as stdarch/..
            return Cow::Owned(rest.rsplit_once("../").map_or(rest, |(_, rest)| rest).to_owned());
        }
    }
    Cow::Borrowed(path)
}

#[cfg(test)]
mod tests;
