//! What this CPU can do.

/// Optional abilities, found at boot. What is required is not listed: boot refuses without it.
#[derive(Clone, Copy, Debug, Default)]
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
