//! Size classes of the kernel heap: powers of two from 16 bytes to a quarter of a page, and half of what a slab has room for.
//!
//! A class serves any layout whose size and alignment fit it, because its objects are aligned to their size; those of the
//! last class, which is no power of two, to [`LARGEST_ALIGN`].

use crate::PAGE;
use crate::slab::HEAD;

/// Number of classes.
pub const CLASSES: usize = 8;
/// Bytes of the smallest object.
pub const SMALLEST: usize = 16;
/// Bytes of the largest object; more goes to the general heap.
pub const LARGEST: usize = (PAGE - HEAD) / 2;
/// What the largest objects are aligned to.
pub const LARGEST_ALIGN: usize = 1 << LARGEST.trailing_zeros();

/// The last class, and the largest object of those below it.
const LAST: usize = CLASSES - 1;
const LARGE: usize = SMALLEST << (LAST - 1);

/// The class that serves a size and alignment, or `None` when the general heap must.
#[inline]
pub const fn class_of(size: usize, align: usize) -> Option<usize> {
    let need = if size > align { size } else { align };
    if need > LARGE {
        return if size <= LARGEST && align <= LARGEST_ALIGN { Some(LAST) } else { None };
    }
    let rounded = if need <= SMALLEST { SMALLEST } else { need.next_power_of_two() };
    Some(rounded.trailing_zeros() as usize - SMALLEST.trailing_zeros() as usize)
}

/// A table: on the way of each block of the heap it is the shortest.
const SIZES: [u16; CLASSES] = {
    let mut sizes = [LARGEST as u16; CLASSES];
    let mut class = 0;
    while class < LAST {
        sizes[class] = (SMALLEST << class) as u16;
        class += 1;
    }
    sizes
};

/// Bytes of an object of a class.
#[inline(always)]
pub const fn size_of_class(class: usize) -> usize {
    SIZES[class] as usize
}

/// Where the first object of a slab is, in bytes behind the page's begin: behind the head, and aligned.
pub const fn first_of(class: usize) -> usize {
    let size = size_of_class(class);
    if class == LAST || size < HEAD { HEAD } else { size }
}

const PER_SLAB: [u16; CLASSES] = {
    let mut objects = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        objects[class] = ((PAGE - first_of(class)) / size_of_class(class)) as u16;
        class += 1;
    }
    objects
};

/// Objects that one slab has.
#[inline(always)]
pub const fn per_slab(class: usize) -> usize {
    PER_SLAB[class] as usize
}

const _: () = assert!(first_of(LAST).is_multiple_of(LARGEST_ALIGN) && per_slab(LAST) == 2);
