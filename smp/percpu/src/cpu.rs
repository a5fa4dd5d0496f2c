//! The number of a CPU.

use core::fmt;

/// The most CPUs that there can be; [`CpuId`]s are below it. A kernel has room for 256, unless it is built for more; the
/// simulator always has room for more.
pub const MAX_CPUS: usize = if cfg!(feature = "cpus-1024") { 1024 } else { 256 };

/// A CPU by its dense number: 0 is the boot CPU, the others follow in the order in which they were found.
///
/// Not the number that the hardware has for it: that is an APIC id, which has holes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct CpuId(u16);

impl CpuId {
    /// The CPU that boots.
    pub const BOOT: CpuId = CpuId(0);

    /// Names CPU `number`, or `None` if there can be no such CPU.
    pub const fn new(number: usize) -> Option<CpuId> {
        if number < MAX_CPUS { Some(CpuId(number as u16)) } else { None }
    }

    /// Names CPU `number`, for numbers that are known to be good.
    ///
    /// # Panics
    /// If `number` is not below [`MAX_CPUS`].
    #[inline]
    pub const fn at(number: usize) -> CpuId {
        assert!(number < MAX_CPUS, "no such CPU");
        CpuId(number as u16)
    }

    /// Names CPU `number`, which whoever gave the number has looked at already.
    ///
    /// # Safety
    /// `number` is below [`MAX_CPUS`].
    #[inline(always)]
    pub const unsafe fn at_unchecked(number: usize) -> CpuId {
        debug_assert!(number < MAX_CPUS);
        CpuId(number as u16)
    }

    /// The number as an index; below [`MAX_CPUS`].
    #[inline(always)]
    pub const fn index(self) -> usize {
        let index = self.0 as usize;
        // SAFETY: `new` and `at` make no other, `at_unchecked` was promised so, and a `u8` is no other.
        unsafe { core::hint::assert_unchecked(index < MAX_CPUS) };
        index
    }
}

impl From<u8> for CpuId {
    fn from(number: u8) -> CpuId {
        CpuId(number as u16)
    }
}

impl From<CpuId> for usize {
    #[inline]
    fn from(cpu: CpuId) -> usize {
        cpu.index()
    }
}

impl fmt::Debug for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu{}", self.0)
    }
}

impl fmt::Display for CpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
