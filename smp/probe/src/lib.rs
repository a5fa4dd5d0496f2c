//! Probes: places that tell what happens, for timelines. Nothing in a kernel that was not built to be traced.
//!
//! ```text
//!   table ──▶ probe::switched(thread)   a function for each event, called where it happens
//!         ──▶ Kind, Event::decode       what a record says, by name, for whoever reads them
//!         ──▶ each!                     the table itself, for the kernel: what a probe executes there, and its counters
//! ```
//! A line of the table is all there is to an event: its doc, its name, and what it says. The first word is 32 bits wide: what
//! stands for a thread, a message or a slot is the low half of its address ([`low`]).
//!
//! Context law: a probe may be anywhere, interrupts included; it waits for nothing and changes nothing but its CPU's log. Above:
//! all crates that something happens in. Below: the kernel, which binds `_damselfly_probe_*`.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod event;
mod table;
#[cfg(test)]
mod tests;

pub use event::{Event, Kind, Record};

percpu::variants! {
    /// The variants by name; the first is the usual one.
    DAMSELFLY_TRACE: off, on,
}

/// Declares the function of each event.
macro_rules! functions {
    ($($(#[doc = $doc:literal])+ $name:ident($($first:ident $(, $second:ident $(, $third:ident)?)?)?);)+) => {
        #[allow(unsafe_code)]
        mod bound {
            // SAFETY of the declarations: the kernel binds each, by `each!`, and what it binds may be called anywhere.
            unsafe extern "Rust" {
                $(#[link_name = concat!("_damselfly_probe_", stringify!($name))]
                pub safe fn $name(first: u32, second: u64, third: u64);)+
            }
        }

        $($(#[doc = $doc])+
        #[inline(always)]
        pub fn $name($($first: u32 $(, $second: u64 $(, $third: u64)?)?)?) {
            if !IS_USUAL {
                bound::$name(words!(@first $($first)?), words!(@other $($($second)?)?), words!(@other $($($($third)?)?)?));
            }
        })+
    };
}

/// A word that the event has, or zero.
macro_rules! words {
    (@first $word:ident) => {
        $word
    };
    (@first) => {
        0
    };
    (@other $word:ident) => {
        $word
    };
    (@other) => {
        0
    };
}

each!(functions);

/// What stands for a thing at this address.
#[inline(always)]
pub const fn low(address: usize) -> u32 {
    address as u32
}

/// The first letters of a name, as two words of an event.
#[inline(always)]
pub fn letters(name: &str) -> [u64; 2] {
    let mut letters = [[0; 8]; 2];
    let all = letters.as_flattened_mut();
    let count = name.len().min(all.len());
    all[..count].copy_from_slice(&name.as_bytes()[..count]);
    letters.map(u64::from_le_bytes)
}
