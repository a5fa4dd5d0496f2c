//! Reads the logs of a kernel that was built to be traced, and ended before it could send them, out of its memory.
//!
//! What it knows of them is asserted where they are written: `kernel/core/src/timeline.rs`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol};

use crate::post_mortem::memory;
use crate::qmp::Monitor;

/// The kernel's name for its directory of logs: how many kinds of events, and each CPU's log.
const DIRECTORY: &[u8] = b"damselfly_logs";
/// Bytes of a record.
const RECORD: u64 = 32;
/// The most that is read at once: more than any log has.
const MOST: u64 = 1 << 28;

/// What the log of a CPU held.
#[derive(Debug, PartialEq, Eq)]
pub struct Log {
    /// The CPU.
    pub cpu: u64,
    /// Events before those that are there.
    pub lost: u64,
    /// How often each kind of event came to pass.
    pub counts: Vec<u64>,
    /// The records, oldest first. Of those that were being written at the end, nothing or something older may stand there.
    pub records: Vec<u8>,
}

/// The logs of a machine that stands still; none if the kernel has none, or has sent them.
pub fn logs(monitor: &mut Monitor, elf: &[u8], folder: &Path) -> Result<Vec<Log>> {
    let file = object::File::parse(elf).context("the kernel")?;
    let directory = file.symbols().find(|symbol| symbol.name_bytes() == Ok(DIRECTORY));
    let Some(directory) = directory.filter(|symbol| symbol.size() > 0) else {
        return Ok(Vec::new());
    };
    let mut read = |address: u64, size: u64| -> Result<Vec<u8>> {
        ensure!(size <= MOST, "a log of {size} bytes");
        memory(monitor, folder, 0, address, size).context("QEMU does not show the logs")
    };
    let words = words(&read(directory.address(), directory.size())?);
    let (kinds, logs) = words.split_first().context("the directory of logs is empty")?;
    let there = (0..).zip(logs).filter(|(_, log)| **log != 0);
    there.map(|(cpu, log)| one(cpu, *log, *kinds, &mut read)).collect()
}

fn one(
    cpu: u64,
    log: u64,
    kinds: u64,
    read: &mut impl FnMut(u64, u64) -> Result<Vec<u8>>,
) -> Result<Log> {
    let head = words(&read(log, 24 + 8 * kinds)?);
    let [written, mask, base, counts @ ..] = &head[..] else {
        anyhow::bail!("the log of CPU {cpu} has no head");
    };
    let (events, size) = (written / RECORD, mask + RECORD);
    let records = in_order(&read(*base, size)?, events as usize);
    let lost = events.saturating_sub(size / RECORD);
    Ok(Log { cpu, lost, counts: counts.to_vec(), records })
}

/// The records of a log to which so many were written, oldest first.
fn in_order(log: &[u8], events: usize) -> Vec<u8> {
    let places = log.len() / RECORD as usize;
    if events < places {
        return log[..events * RECORD as usize].to_vec();
    }
    let (newer, older) = log.split_at(events % places * RECORD as usize);
    [older, newer].concat()
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory of two logs at 1000 and 2000, of which the second has gone round.
    #[test]
    fn a_log_is_read_from_its_oldest_record_on() {
        let record = |number: u8| [number; RECORD as usize];
        let log = [record(5), record(6), record(3), record(4)].concat();
        let mut read = |address: u64, _: u64| -> Result<Vec<u8>> {
            let head = |written: u64| [written * RECORD, 3 * RECORD, 9000, 7, 8];
            Ok(match address {
                1000 => head(2).iter().flat_map(|word| word.to_le_bytes()).collect(),
                2000 => head(6).iter().flat_map(|word| word.to_le_bytes()).collect(),
                _ => log.clone(),
            })
        };
        let first = one(0, 1000, 2, &mut read).expect("a log");
        assert_eq!((first.lost, &first.counts[..]), (0, &[7, 8][..]));
        assert_eq!(first.records, [record(5), record(6)].concat());
        let second = one(1, 2000, 2, &mut read).expect("a log");
        assert_eq!((second.cpu, second.lost), (1, 2));
        assert_eq!(second.records, [record(3), record(4), record(5), record(6)].concat());
    }
}
