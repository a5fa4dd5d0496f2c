//! Memory from the kernel.

use crate::call::send;
use abi::{Failure, request};

/// Maps `length` bytes of zeroed memory, for ever or until [`unmap`]; its address.
pub fn map(length: u64) -> Result<u64, Failure> {
    send(&request::Map { length, flags: 0 }).map(|mapped| mapped.address)
}

/// Unmaps whole pages.
///
/// # Safety
/// Nobody uses them any more.
pub unsafe fn unmap(address: u64, length: u64) -> Result<(), Failure> {
    send(&request::Unmap { address, length }).map(drop)
}

/// Maps room for `count` values that `make` gives, for as long as the process lives.
pub fn array<T>(
    count: usize,
    mut make: impl FnMut(usize) -> T,
) -> Result<&'static mut [T], Failure> {
    let first = map((size_of::<T>() * count).max(1) as u64)? as *mut T;
    for index in 0..count {
        // SAFETY: inside the mapping, which is fresh and page aligned.
        let place = unsafe { first.add(index) };
        // SAFETY: as above.
        unsafe { place.write(make(index)) };
    }
    // SAFETY: all were written; nobody else knows the mapping.
    Ok(unsafe { core::slice::from_raw_parts_mut(first, count) })
}
