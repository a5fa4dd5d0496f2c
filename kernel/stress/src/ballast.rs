//! Memory that a test takes away from everybody, so that little is left to ask for.

use alloc::alloc::{alloc, dealloc};
use arch::layout::Phys;
use core::alloc::Layout;
use core::ptr::null_mut;
use kernel_core::{cpu, memory};

/// Sizes of the blocks that fill the general heap: the smaller ones fill the gaps.
const BLOCKS: [usize; 3] = [1 << 20, 1 << 16, 1 << 12];
/// Sizes of the small objects that what a block notes finds room in.
const OBJECTS: [usize; 7] = [2048, 1024, 512, 256, 128, 64, 32];

/// All memory but so much; what is taken is linked through itself. Given back when dropped.
pub(crate) struct Ballast {
    frame: Option<Phys>,
    block: *mut Block,
}

/// The start of a block.
struct Block {
    next: *mut Block,
    layout: Layout,
}

impl Ballast {
    /// Takes all page frames but `frames`, and all of the general heap but `bytes`.
    pub fn but(frames: u64, bytes: usize) -> Self {
        let mut ballast = Self { frame: None, block: null_mut() };
        BLOCKS.into_iter().for_each(|size| while ballast.take_block(size) {});
        let mut given = 0;
        while given < bytes {
            let Some(size) = ballast.give_block() else { break };
            given += size;
        }
        while memory::free() > frames && ballast.take_frame() {}
        ballast
    }

    /// Takes all page frames and all that the heap has; a CPU may keep some at hand.
    pub fn all() -> Self {
        let mut ballast = Self::but(0, 0);
        OBJECTS.into_iter().for_each(|size| while ballast.take_block(size) {});
        ballast
    }

    fn take_frame(&mut self) -> bool {
        let Some(frame) = cpu::critical(memory::take) else { return false };
        let next = self.frame.replace(frame).map_or(0, |next| next.0);
        // SAFETY: the frame is ours since it was taken; the direct map shows it.
        unsafe { frame.as_ptr::<u64>().write(next) };
        true
    }

    fn take_block(&mut self, size: usize) -> bool {
        let Ok(layout) = Layout::from_size_align(size, align_of::<Block>()) else { return false };
        // SAFETY: the layout is not empty: the sizes are those above.
        let block = unsafe { alloc(layout) }.cast::<Block>();
        if !block.is_null() {
            // SAFETY: a block of our own, aligned and large enough for what is written.
            unsafe { block.write(Block { next: self.block, layout }) };
            self.block = block;
        }
        !block.is_null()
    }

    /// Gives the block back that was taken last; its size.
    fn give_block(&mut self) -> Option<usize> {
        // SAFETY: null, or a block that `take_block` wrote.
        let &Block { next, layout } = unsafe { self.block.as_ref() }?;
        // SAFETY: allocated with this layout, and nobody else's.
        unsafe { dealloc(self.block.cast(), layout) };
        self.block = next;
        Some(layout.size())
    }
}

const _: () = assert!(size_of::<Block>() <= 32);

impl Drop for Ballast {
    fn drop(&mut self) {
        while self.give_block().is_some() {}
        while let Some(frame) = self.frame {
            // SAFETY: ours since `take_frame`, which wrote the word.
            let next = unsafe { frame.as_ptr::<u64>().read() };
            self.frame = (next != 0).then_some(Phys(next));
            cpu::critical(|crit| memory::put(crit, frame));
        }
    }
}
