//! Size classes of the kernel heap: powers of two from 16 bytes to half a page.
//!
//! A class serves any layout whose size and alignment fit it, because its objects are aligned to their size.

use crate::PAGE;

/// Number of classes.
pub const CLASSES: usize = 8;
/// Bytes of the smallest object.
pub const SMALLEST: usize = 16;
/// Bytes of the largest object; more goes to the general heap.
pub const LARGEST: usize = SMALLEST << (CLASSES - 1);

/// The class that serves a size and alignment, or `None` when the general heap must.
#[inline]
pub const fn class_of(size: usize, align: usize) -> Option<usize> {
    let need = if size > align { size } else { align };
    if need > LARGEST {
        return None;
    }
    let rounded = if need <= SMALLEST { SMALLEST } else { need.next_power_of_two() };
    Some(rounded.trailing_zeros() as usize - SMALLEST.trailing_zeros() as usize)
}

/// Bytes of an object of a class.
pub const fn size_of_class(class: usize) -> usize {
    SMALLEST << class
}

/// Objects that one page gives to a class.
pub const fn per_page(class: usize) -> usize {
    PAGE / size_of_class(class)
}
