//! The map of the address space: every fixed address of the kernel, and the two that ring 3 shares.
//!
//! ```text
//! 0000_0000_0000_0000  user
//! 0000_7fff_ffff_f000  USER_END (the last page stays empty: no return address can be non-canonical)
//! ffff_8000_0000_0000  DIRECT_MAP: all RAM, writable, never executable
//! ffff_c000_0000_0000  STACKS: 1 GiB for each CPU, a guard page under every stack
//! ffff_e000_0000_0000  DEVICES: uncached pages, the local APIC
//! ffff_ffff_8000_0000  KERNEL_BASE: the image, 4 KiB pages, writable or executable
//! ```

/// First address that no user mapping reaches.
pub const USER_END: usize = 0x0000_7fff_ffff_f000;
/// First address of the emulation layer's image.
pub const LAYER_START: usize = 0x7000_0000;
/// First address after the range from which `syscall` is taken.
pub const LAYER_END: usize = 0x70F0_0000;
/// Where physical address 0 of the direct map lies.
pub const DIRECT_MAP: usize = 0xffff_8000_0000_0000;
/// Where the kernel stacks lie.
pub const STACKS: usize = 0xffff_c000_0000_0000;
/// Address space that belongs to the stacks of one CPU.
pub const STACKS_PER_CPU: usize = 1 << 30;
/// Where device registers are mapped, uncached.
pub const DEVICES: usize = 0xffff_e000_0000_0000;
/// What the image's physical addresses are linked at.
pub const KERNEL_BASE: usize = 0xffff_ffff_8000_0000;
/// Bytes of a page.
pub const PAGE: usize = 4096;

/// A physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(transparent)]
pub struct Phys(pub u64);

impl Phys {
    /// Returns where the direct map shows this address.
    #[inline]
    pub const fn virt(self) -> usize {
        DIRECT_MAP + self.0 as usize
    }

    /// Returns the direct map's view of this address as a pointer.
    #[inline]
    pub const fn as_ptr<T>(self) -> *mut T {
        self.virt() as *mut T
    }

    /// Returns the physical address behind an address of the direct map.
    #[inline]
    pub const fn of_direct(address: usize) -> Phys {
        Phys((address - DIRECT_MAP) as u64)
    }
}

/// A range of physical memory, end not included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PhysRange {
    /// First byte.
    pub start: Phys,
    /// First byte after it.
    pub end: Phys,
}

impl PhysRange {
    /// Returns its size in bytes.
    pub const fn bytes(self) -> u64 {
        self.end.0 - self.start.0
    }
}
