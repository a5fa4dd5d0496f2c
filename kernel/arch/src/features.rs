//! What this CPU can do, and what it cannot be without.

use core::arch::x86_64::__cpuid_count;

/// Optional abilities, found at boot. What is required is not listed: boot refuses without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Features {
    /// Ring 0 never executes user pages.
    pub smep: bool,
    /// Ring 0 touches user pages only between `stac` and `clac`.
    pub smap: bool,
    /// Ring 3 cannot read descriptor table addresses.
    pub umip: bool,
    /// 1 GiB pages.
    pub giant_pages: bool,
    /// x2APIC registers.
    pub x2apic: bool,
    /// `monitor` and `mwait`.
    pub mwait: bool,
    /// Protection keys.
    pub pku: bool,
}

impl Features {
    /// None of them.
    pub(crate) const NONE: Features = Features {
        smep: false,
        smap: false,
        umip: false,
        giant_pages: false,
        x2apic: false,
        mwait: false,
        pku: false,
    };
}

/// A bit of an answer of `cpuid`: leaf, register (eax, ebx, ecx, edx), bit.
type Bit = (u32, usize, u32);

/// What every CPU must have, by the name that QEMU's `-cpu` knows.
const REQUIRED: [(&str, Bit); 8] = [
    ("tsc", (1, 3, 4)),
    ("msr", (1, 3, 5)),
    ("apic", (1, 3, 9)),
    ("pge", (1, 3, 13)),
    ("fsgsbase", (7, 1, 0)),
    ("syscall", (0x8000_0001, 3, 11)),
    ("nx", (0x8000_0001, 3, 20)),
    ("rdtscp", (0x8000_0001, 3, 27)),
];

fn has((leaf, register, bit): Bit) -> bool {
    let highest = __cpuid_count(leaf & 0x8000_0000, 0).eax;
    if leaf > highest {
        return false;
    }
    let answer = __cpuid_count(leaf, 0);
    [answer.eax, answer.ebx, answer.ecx, answer.edx][register] >> bit & 1 == 1
}

/// Returns the names of required abilities that this CPU lacks.
pub(crate) fn missing() -> impl Iterator<Item = &'static str> {
    REQUIRED.iter().filter(|(_, bit)| !has(*bit)).map(|(name, _)| *name)
}

/// Asks this CPU.
pub(crate) fn detect() -> Features {
    Features {
        smep: has((7, 1, 7)),
        smap: has((7, 1, 20)),
        umip: has((7, 2, 2)),
        giant_pages: has((0x8000_0001, 3, 26)),
        x2apic: has((1, 2, 21)),
        mwait: has((1, 2, 3)),
        pku: has((7, 2, 3)),
    }
}
