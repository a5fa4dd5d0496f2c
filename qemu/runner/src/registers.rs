//! The registers of a stopped CPU, read from QEMU's monitor.

/// What the unwinder and the reader of a report need of a CPU's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// General registers in DWARF order: rax rdx rcx rbx rsi rdi rbp rsp r8..r15.
    pub general: [u64; 16],
    /// Program counter.
    pub rip: u64,
    /// Page-table base.
    pub cr3: u64,
    /// Current privilege level.
    pub ring: u8,
    /// Whether the CPU waits in `hlt`.
    pub halted: bool,
    /// Whether interrupts are enabled.
    pub interrupts: bool,
}

/// The names of [`Registers::general`], in DWARF order, as the monitor writes them.
const NAMES: [&str; 16] = [
    "RAX", "RDX", "RCX", "RBX", "RSI", "RDI", "RBP", "RSP", "R8", "R9", "R10", "R11", "R12", "R13",
    "R14", "R15",
];

/// DWARF's number of the stack pointer, an index of [`Registers::general`].
pub const RSP: usize = 7;

impl Registers {
    /// Reads what `info registers` says about one CPU.
    pub fn parse(text: &str) -> Option<Self> {
        let mut registers = Registers::default();
        for (slot, name) in registers.general.iter_mut().zip(NAMES) {
            *slot = either(text, name).unwrap_or(0);
        }
        registers.rip = either(text, "RIP")?;
        registers.cr3 = hexadecimal(text, "CR3").unwrap_or(0);
        registers.ring = hexadecimal(text, "CPL").unwrap_or(0) as u8;
        registers.halted = hexadecimal(text, "HLT") == Some(1);
        registers.interrupts = either(text, "RFL").is_some_and(|flags| flags & 0x200 != 0);
        Some(registers)
    }

    /// Returns the stack pointer.
    pub fn rsp(&self) -> u64 {
        self.general[RSP]
    }
}

/// Splits the answer to `info registers -a` into one part per CPU, in the order of their numbers.
pub fn per_cpu(text: &str) -> Vec<(u32, &str)> {
    text.split("CPU#")
        .skip(1)
        .filter_map(|part| {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            Some((part[..digits].parse().ok()?, &part[digits..]))
        })
        .collect()
}

/// Returns whether a local APIC's timer is counting, from the answer to `info lapic N`;
/// `None` when the answer does not say.
pub fn timer_counts(text: &str) -> Option<bool> {
    let line = text.lines().find(|line| line.contains("current_count"))?;
    let value = line.split("current_count").nth(1)?.trim_start_matches([' ', '=']);
    let count = value.split_whitespace().next()?;
    Some(count.trim_start_matches("0x").chars().any(|digit| digit != '0'))
}

/// Returns whether an interrupt waits at a local APIC, from the answer to `info lapic N`; `None` when the answer does not say.
pub fn interrupt_waits(text: &str) -> Option<bool> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("IRR"))?;
    Some(line.trim() != "(none)")
}

/// Returns a register by its 64-bit name, or its lower half from a CPU that is in no 64-bit mode.
fn either(text: &str, name: &str) -> Option<u64> {
    hexadecimal(text, name).or_else(|| hexadecimal(text, &name.replace('R', "E")))
}

/// Returns the number after `name=`, where `name` stands as a word of its own
/// (`R8 =`, `RIP=` and `HLT=` occur; `BP=` inside `RBP=` must not match).
fn hexadecimal(text: &str, name: &str) -> Option<u64> {
    let mut from = 0;
    while let Some(at) = text[from..].find(name) {
        let start = from + at;
        let after = &text[start + name.len()..];
        let own_word = text[..start].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        if let Some(value) = after.trim_start_matches(' ').strip_prefix('=')
            && own_word
        {
            let value = value.trim_start();
            let end = value.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(value.len());
            return u64::from_str_radix(&value[..end], 16).ok();
        }
        from = start + name.len();
    }
    None
}

#[cfg(test)]
mod tests;
