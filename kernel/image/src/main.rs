//! The boot image: the kernel, its benchmarks and stress tests, and the programs that it carries.
//!
//! Nothing is decided here; linking a crate is what registers its benchmarks.
#![no_std]
#![no_main]

mod run;

use kernel_core::boot::Image;

/// The packed programs.
static PROGRAMS: &[u8] = include_bytes!(env!("DAMSELFLY_PROGRAMS"));

static IMAGE: Image = Image { programs: PROGRAMS, main: run::run };

#[unsafe(no_mangle)]
fn damselfly_image() -> &'static Image {
    &IMAGE
}
