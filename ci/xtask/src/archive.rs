//! Packs ring-3 programs into the one file that the kernel embeds; `kernel/servers` reads it.
//!
//! ```text
//! 0   magic "DFLYIMG1"      8   entries: u64
//! 16  entry: name (32 bytes, zero padded), offset: u64, length: u64     ... repeated
//! ... the files, each at an 8-byte aligned offset from the start
//! ```
//! All numbers are little-endian. A file is an ELF without its sections: what a loader reads, and nothing else.

use anyhow::{Result, bail};

const MAGIC: &[u8; 8] = b"DFLYIMG1";
const NAME: usize = 32;
const HEADER: usize = 16;
const ENTRY: usize = NAME + 16;

/// The image of these files, in this order.
pub fn pack(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut image = Vec::new();
    image.extend(MAGIC);
    image.extend((files.len() as u64).to_le_bytes());
    let mut offset = HEADER + files.len() * ENTRY;
    for (name, file) in files {
        if name.is_empty() || name.len() > NAME {
            bail!("the name `{name}` does not fit the program image's {NAME} bytes");
        }
        image.extend(name.as_bytes());
        image.resize(image.len() + NAME - name.len(), 0);
        image.extend((offset as u64).to_le_bytes());
        image.extend((file.len() as u64).to_le_bytes());
        offset = (offset + file.len()).next_multiple_of(8);
    }
    for (_, file) in files {
        image.extend(file);
        image.resize(image.len().next_multiple_of(8), 0);
    }
    Ok(image)
}

/// An ELF64 file up to the end of its last loaded byte, with no section table.
pub fn loadable(elf: &[u8]) -> Result<Vec<u8>> {
    if elf.get(..5) != Some(b"\x7fELF\x02") || elf.len() < 64 {
        bail!("not a 64-bit ELF file");
    }
    let (table, size, count) = (number(elf, 32, 8)?, number(elf, 54, 2)?, number(elf, 56, 2)?);
    let mut end = table + size * count;
    for segment in (0..count).map(|index| table + index * size) {
        end = end.max(number(elf, segment + 8, 8)? + number(elf, segment + 32, 8)?);
    }
    let Some(kept) = elf.get(..end) else { bail!("a segment ends beyond the file") };
    let mut kept = kept.to_vec();
    kept[40..48].fill(0);
    kept[58..64].fill(0);
    Ok(kept)
}

fn number(bytes: &[u8], at: usize, width: usize) -> Result<usize> {
    let Some(field) = bytes.get(at..at + width) else {
        bail!("an ELF file that ends in its headers")
    };
    let mut wide = [0; 8];
    wide[..width].copy_from_slice(field);
    Ok(usize::try_from(u64::from_le_bytes(wide))?)
}

#[cfg(test)]
mod tests;
