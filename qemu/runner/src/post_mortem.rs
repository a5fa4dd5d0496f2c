//! Reads the stacks of all CPUs out of a machine that has come to a stop.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    outcome::{CpuStack, StackFrame},
    qmp::Monitor,
    registers::{self, Registers},
    symbols::Symbols,
    unwind,
};

const PAGE: u64 = 4096;

/// Stops the machine, if it still runs, and returns the stack of each CPU.
///
/// `folder` is ours alone: QEMU writes memory into it.
pub fn stacks(monitor: &mut Monitor, elf: &[u8], folder: &Path) -> Result<Vec<CpuStack>> {
    monitor.command("stop", json!({}))?;
    let text = monitor.human("info registers -a")?;
    let symbols = Symbols::read(elf).context("the kernel's symbols")?;
    let stacks = registers::per_cpu(&text)
        .into_iter()
        .filter_map(|(cpu, text)| {
            let registers = Registers::parse(text)?;
            let mut pages = Pages { monitor, folder, cpu, pages: HashMap::new() };
            let steps = unwind::walk(&symbols, &registers, &mut |address| pages.word(address));
            let frames = steps.iter().map(|step| frame(&symbols, step)).collect();
            Some(CpuStack { cpu, registers, frames })
        })
        .collect();
    Ok(stacks)
}

fn frame(symbols: &Symbols, step: &unwind::Step) -> StackFrame {
    // The kernel's symbols say nothing about a program that happens to use the same addresses.
    let places = if step.ring3 { Vec::new() } else { symbols.places(step.executed(symbols)) };
    StackFrame { address: step.address, trust: step.trust, ring3: step.ring3, places }
}

/// The memory of one CPU, by the page, through that CPU's page tables.
struct Pages<'m> {
    monitor: &'m mut Monitor,
    folder: &'m Path,
    cpu: u32,
    pages: HashMap<u64, Option<Vec<u8>>>,
}

impl Pages<'_> {
    fn word(&mut self, address: u64) -> Option<u64> {
        let page = address & !(PAGE - 1);
        if !self.pages.contains_key(&page) {
            let bytes = self.read(page);
            self.pages.insert(page, bytes);
        }
        let bytes = self.pages.get(&page)?.as_ref()?;
        let at = (address - page) as usize;
        Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    }

    fn read(&mut self, page: u64) -> Option<Vec<u8>> {
        memory(self.monitor, self.folder, self.cpu, page, PAGE)
    }
}

/// What a CPU sees at an address; `None` where nothing is mapped.
pub fn memory(
    monitor: &mut Monitor,
    folder: &Path,
    cpu: u32,
    address: u64,
    size: u64,
) -> Option<Vec<u8>> {
    let file = folder.join("memory");
    // The monitor's numbers have a sign, and kernel addresses are above the largest of those.
    let wanted = json!({
        "val": address as i64, "size": size, "filename": file.to_str()?, "cpu-index": cpu
    });
    // An error is the answer for what is not mapped.
    monitor.command("memsave", wanted).ok()?;
    fs::read(&file).ok()
}
