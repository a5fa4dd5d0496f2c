//! What to map for an ELF program: a plan, checked whole before anything is mapped.

use arrayvec::ArrayVec;
use core::ops::Range;
use object::Endianness;
use object::elf::{ET_EXEC, FileHeader64, PF_W, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

const PAGE: u64 = 4096;

/// Segments that a program may have.
pub const MAX_SEGMENTS: usize = 8;

/// Why a program cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// Not an ELF64 executable for this machine.
    NotExecutable,
    /// A segment lies outside the range that is the program's, overlaps another, or is longer in the file than in memory.
    BadSegment,
    /// A segment is writable and executable.
    WritableCode,
    /// More than [`MAX_SEGMENTS`].
    TooManySegments,
    /// The entry is not inside an executable segment.
    BadEntry,
}

/// Whole pages to be mapped, and what to copy into them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// The pages, as addresses.
    pub pages: Range<u64>,
    /// Where `data` goes; the rest of the pages is zero.
    pub address: u64,
    /// The bytes of the file.
    pub data: &'a [u8],
    /// The program may write.
    pub write: bool,
    /// Instructions may be fetched.
    pub execute: bool,
}

/// A program, ready to be mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan<'a> {
    /// In order of address, no page in two of them.
    pub segments: ArrayVec<Segment<'a>, MAX_SEGMENTS>,
    /// The first instruction.
    pub entry: u64,
}

/// Plans the loading of an ELF file whose pages must all be inside `within`.
pub fn plan(file: &[u8], within: Range<u64>) -> Result<Plan<'_>, LoadError> {
    let header = FileHeader64::<Endianness>::parse(file).map_err(|_| LoadError::NotExecutable)?;
    let endian = header.endian().map_err(|_| LoadError::NotExecutable)?;
    let machine = header.e_machine(endian);
    if header.e_type(endian) != ET_EXEC
        || machine != object::elf::EM_X86_64
        || endian != Endianness::Little
    {
        return Err(LoadError::NotExecutable);
    }
    let mut segments = ArrayVec::<Segment<'_>, MAX_SEGMENTS>::new();
    let headers = header.program_headers(endian, file).map_err(|_| LoadError::NotExecutable)?;
    for load in headers.iter().filter(|h| h.p_type(endian) == PT_LOAD && h.p_memsz(endian) > 0) {
        let address = load.p_vaddr(endian);
        let end = address.checked_add(load.p_memsz(endian)).ok_or(LoadError::BadSegment)?;
        let last = end.checked_next_multiple_of(PAGE).ok_or(LoadError::BadSegment)?;
        let pages = address / PAGE * PAGE..last;
        let data = load.data(endian, file).map_err(|()| LoadError::BadSegment)?;
        let after = segments.last().map_or(within.start, |s| s.pages.end);
        if pages.start < after || pages.end > within.end || data.len() as u64 > load.p_memsz(endian)
        {
            return Err(LoadError::BadSegment);
        }
        let flags = load.p_flags(endian);
        let (write, execute) = (flags.contains(PF_W), flags.contains(PF_X));
        if write && execute {
            return Err(LoadError::WritableCode);
        }
        let segment = Segment { pages, address, data, write, execute };
        segments.try_push(segment).map_err(|_| LoadError::TooManySegments)?;
    }
    let entry = header.e_entry(endian);
    if !segments.iter().any(|s| s.execute && s.pages.contains(&entry)) {
        return Err(LoadError::BadEntry);
    }
    Ok(Plan { segments, entry })
}
