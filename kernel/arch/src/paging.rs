//! Four-level page tables, reached through the direct map.
//!
//! An [`AddressSpace`] owns the tables of the user half and shares the kernel half, whose top-level
//! entries are all made at boot. It neither counts the frames it maps nor tells other CPUs what it
//! unmapped: that is the kernel's, by message. Context law: `&mut` is the writer's proof; the CPU's own
//! walker reads at any time, so every entry is stored whole.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::tlb;
use x86_64::structures::paging::page_table::PageTableEntry as Entry;
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags};
use x86_64::{PhysAddr, VirtAddr};

use crate::layout::{PAGE, Phys, USER_END};

/// Where frames for page tables come from.
pub trait FrameSource {
    /// Returns a zeroed frame.
    fn take(&mut self) -> Option<Phys>;
    /// Takes a frame back.
    fn give(&mut self, frame: Phys);
}

/// No frames left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

/// Entries of a table.
const ENTRIES: usize = size_of::<PageTable>() / size_of::<Entry>();
/// First top-level entry of the kernel half.
const KERNEL_HALF: usize = ENTRIES / 2;

// What accesses are made of. The kernel's are the same in all address spaces.
const READ: Flags = Flags::NO_EXECUTE;
const WRITE: Flags = Flags::NO_EXECUTE.union(Flags::WRITABLE);
const USER: Flags = Flags::USER_ACCESSIBLE;
const KERNEL: Flags = Flags::GLOBAL;

/// What a mapping allows, besides reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access(Flags);

impl Access {
    /// Ring 3 may read.
    pub const USER_READ: Access = Access(USER.union(READ));
    /// Ring 3 may read and write.
    pub const USER_WRITE: Access = Access(USER.union(WRITE));
    /// Ring 3 may read and execute.
    pub const USER_EXECUTE: Access = Access(USER);
    /// Ring 0 may read.
    pub const KERNEL_READ: Access = Access(KERNEL.union(READ));
    /// Ring 0 may read and write.
    pub const KERNEL_WRITE: Access = Access(KERNEL.union(WRITE));
    /// Ring 0 may read and execute.
    pub const KERNEL_EXECUTE: Access = Access(KERNEL);
    /// Ring 0 may read and write device registers.
    pub(crate) const DEVICE: Access =
        Access(KERNEL.union(WRITE).union(Flags::NO_CACHE).union(Flags::WRITE_THROUGH));
    /// What of an entry is a matter of the mapping, not of the processor's or of ring 0's.
    const OF_USER: Flags = USER.union(WRITE);

    /// True when it lets ring 3 write.
    pub const fn user_writes(self) -> bool {
        self.0.contains(USER.union(Flags::WRITABLE))
    }
}

/// Why a page was not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No frame for a table.
    OutOfFrames,
    /// Something is mapped there.
    Occupied,
    /// Not an address of the user half, or not a page's first.
    BadAddress,
}

/// The size of what one leaf entry maps, as the level that it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    Page = 0,
    Large = 1,
    Giant = 2,
}

impl Leaf {
    pub(crate) const fn bytes(self) -> usize {
        PAGE << (9 * self as usize)
    }
}

/// The kernel's own top-level table.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

pub(crate) fn kernel_root() -> Phys {
    Phys(KERNEL_ROOT.load(Ordering::Relaxed))
}

pub(crate) fn set_kernel_root(root: Phys) {
    KERNEL_ROOT.store(root.0, Ordering::Relaxed);
}

fn slot(table: Phys, index: usize) -> *mut Entry {
    table.as_ptr::<Entry>().wrapping_add(index)
}

fn load(table: Phys, index: usize) -> Entry {
    // SAFETY: page tables lie in the direct map; `index` is below 512 everywhere.
    unsafe { slot(table, index).read_volatile() }
}

fn store(table: Phys, index: usize, entry: Entry) {
    // SAFETY: as in `load`; the caller has the table's `&mut`.
    unsafe { slot(table, index).write_volatile(entry) };
}

/// An entry that points to a table or maps a leaf.
fn entry(to: Phys, flags: Flags) -> Entry {
    let mut entry = Entry::new();
    entry.set_addr(PhysAddr::new(to.0), flags | Flags::PRESENT);
    entry
}

fn is_present(entry: &Entry) -> bool {
    entry.flags().contains(Flags::PRESENT)
}

fn is_large(entry: &Entry) -> bool {
    entry.flags().contains(Flags::HUGE_PAGE)
}

/// What an entry points to.
fn target(entry: &Entry) -> Phys {
    Phys(entry.addr().as_u64())
}

const fn index(address: usize, level: usize) -> usize {
    address >> (12 + 9 * level) & (ENTRIES - 1)
}

/// Finds the table of `level` that covers `address`, making those that are missing.
fn table_for(
    root: Phys,
    address: usize,
    level: usize,
    frames: &mut impl FrameSource,
) -> Result<Phys, MapError> {
    let mut table = root;
    for above in (level + 1..4).rev() {
        let found = load(table, index(address, above));
        table = if !is_present(&found) {
            let new = frames.take().ok_or(MapError::OutOfFrames)?;
            let user = if address < USER_END { USER } else { Flags::empty() };
            store(table, index(address, above), entry(new, Flags::WRITABLE | user));
            new
        } else if is_large(&found) {
            return Err(MapError::Occupied);
        } else {
            target(&found)
        };
    }
    Ok(table)
}

/// Maps one leaf of any size, in either half.
pub(crate) fn map_leaf(
    root: Phys,
    address: usize,
    to: Phys,
    access: Access,
    leaf: Leaf,
    frames: &mut impl FrameSource,
) -> Result<(), MapError> {
    let level = leaf as usize;
    let table = table_for(root, address, level, frames)?;
    let at = index(address, level);
    if is_present(&load(table, at)) {
        return Err(MapError::Occupied);
    }
    let large = if leaf == Leaf::Page { Flags::empty() } else { Flags::HUGE_PAGE };
    store(table, at, entry(to, access.0 | large));
    Ok(())
}

/// Makes the top-level entry for an address of the kernel half, so that all address spaces share it.
pub(crate) fn reserve_top(
    root: Phys,
    address: usize,
    frames: &mut impl FrameSource,
) -> Result<(), MapError> {
    table_for(root, address, 2, frames).map(|_| ())
}

/// Makes the tables for a page, so that mapping it needs none; they stay.
pub(crate) fn reserve_page(
    root: Phys,
    address: usize,
    frames: &mut impl FrameSource,
) -> Result<(), MapError> {
    table_for(root, address, 0, frames).map(|_| ())
}

/// Finds the 4 KiB entry for an address.
fn find(root: Phys, address: usize) -> Option<(Phys, usize)> {
    let mut table = root;
    for level in (1..4).rev() {
        let entry = load(table, index(address, level));
        if !is_present(&entry) || is_large(&entry) {
            return None;
        }
        table = target(&entry);
    }
    let at = index(address, 0);
    is_present(&load(table, at)).then_some((table, at))
}

/// True when the kernel's own tables map the address by a 4 KiB page: its image and stacks, not the direct map.
pub(crate) fn is_kernel_page(address: usize) -> bool {
    address >= crate::layout::DIRECT_MAP && find(kernel_root(), address).is_some()
}

/// The tables of one process. Dropping it leaks them: [`AddressSpace::destroy`] gives them back.
#[derive(Debug)]
pub struct AddressSpace {
    root: Phys,
}

impl AddressSpace {
    /// Makes an empty user half below the shared kernel half.
    pub fn new(frames: &mut impl FrameSource) -> Option<Self> {
        let root = frames.take()?;
        for top in KERNEL_HALF..ENTRIES {
            store(root, top, load(kernel_root(), top));
        }
        Some(AddressSpace { root })
    }

    /// Maps one page of the user half. Needs no flush: what was not present is not cached.
    pub fn map(
        &mut self,
        page: usize,
        frame: Phys,
        access: Access,
        frames: &mut impl FrameSource,
    ) -> Result<(), MapError> {
        if page >= USER_END || !page.is_multiple_of(PAGE) {
            return Err(MapError::BadAddress);
        }
        map_leaf(self.root, page, frame, access, Leaf::Page, frames)
    }

    /// Takes a mapping out and returns its frame, which other CPUs may reach until they acknowledged
    /// a shootdown, and this one until [`flush_page`].
    pub fn unmap(&mut self, page: usize) -> Option<Phys> {
        let (table, at) = find(self.root, page).filter(|_| page < USER_END)?;
        let frame = target(&load(table, at));
        store(table, at, Entry::new());
        Some(frame)
    }

    /// Returns the first page at or after `from`, below `end`, that is mapped. Passes over what has no tables in one step.
    pub fn next_mapped(&self, from: usize, end: usize) -> Option<usize> {
        let end = end.min(USER_END);
        let mut page = from;
        'search: while page < end {
            let mut table = self.root;
            for level in (0..4).rev() {
                let entry = load(table, index(page, level));
                if !is_present(&entry) {
                    let reach = PAGE << (9 * level);
                    page = (page / reach + 1) * reach;
                    continue 'search;
                }
                table = target(&entry);
            }
            return Some(page);
        }
        None
    }

    /// Changes what a mapping allows; where it allows less, caution as with [`Self::unmap`].
    pub fn protect(&mut self, page: usize, access: Access) -> Option<()> {
        let (table, at) = find(self.root, page).filter(|_| page < USER_END)?;
        store(table, at, entry(target(&load(table, at)), access.0));
        Some(())
    }

    /// Returns the physical address behind a user address, and what its page allows.
    pub fn translate(&self, address: usize) -> Option<(Phys, Access)> {
        let (table, at) = find(self.root, address).filter(|_| address < USER_END)?;
        let entry = load(table, at);
        let access = Access(entry.flags() & Access::OF_USER);
        Some((Phys(target(&entry).0 | (address % PAGE) as u64), access))
    }

    /// Makes this the CPU's address space; loads CR3 only when it is not already.
    ///
    /// # Safety
    /// It outlives its use on this CPU: another is activated before it is destroyed.
    #[inline]
    pub unsafe fn activate(&self) {
        // SAFETY: the caller's word; the kernel half is in every root.
        unsafe { switch_root(self.root) };
    }

    /// Gives every table frame back, and calls `page` for every page still mapped.
    ///
    /// # Safety
    /// It is active on no CPU, and no CPU holds a translation of it.
    pub unsafe fn destroy(self, frames: &mut impl FrameSource, mut page: impl FnMut(usize, Phys)) {
        for top in 0..KERNEL_HALF {
            tear_down(self.root, top, 3, top << 39, frames, &mut page);
        }
        frames.give(self.root);
    }

    /// Returns the physical address of the top-level table: its identity.
    pub fn root(&self) -> Phys {
        self.root
    }
}

/// Empties one entry of a table at `level`: a page, or a table with all below it.
fn tear_down(
    table: Phys,
    at: usize,
    level: usize,
    address: usize,
    frames: &mut impl FrameSource,
    page: &mut impl FnMut(usize, Phys),
) {
    let entry = load(table, at);
    if !is_present(&entry) {
        return;
    }
    let below = target(&entry);
    if level == 0 {
        page(address, below);
        return;
    }
    for next in 0..ENTRIES {
        tear_down(below, next, level - 1, address | next << (9 * level + 3), frames, page);
    }
    frames.give(below);
}

#[inline]
unsafe fn switch_root(root: Phys) {
    let active: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) active, options(nomem, nostack, preserves_flags)) };
    if active != root.0 {
        // SAFETY: a root with the kernel half, which is what this code runs in; the caller's word for the rest.
        unsafe { asm!("mov cr3, {}", in(reg) root.0, options(nostack, preserves_flags)) };
    }
}

/// Makes the address space with this root the CPU's; for who is not its owner. See [`AddressSpace::activate`].
///
/// # Safety
/// `root` is an [`AddressSpace::root`], and that outlives its use on this CPU.
#[inline]
pub unsafe fn activate_root(root: Phys) {
    // SAFETY: the caller's word; the kernel half is in every root.
    unsafe { switch_root(root) };
}

/// Leaves any process's address space for the kernel's own.
#[inline]
pub fn activate_kernel() {
    // SAFETY: the kernel's root is never destroyed.
    unsafe { switch_root(kernel_root()) };
}

/// Forgets this CPU's translation of one page.
#[inline]
pub fn flush_page(page: usize) {
    tlb::flush(VirtAddr::new_truncate(page as u64));
}

/// Forgets this CPU's translations of the user half: all but those of global pages.
#[inline]
pub fn flush_user() {
    tlb::flush_all();
}
