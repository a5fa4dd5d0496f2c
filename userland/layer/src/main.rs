//! The emulation layer of native programs: what they see as system calls, and the user threads below them.
//!
//! The kernel maps this image read-only into every process and takes real calls from its range alone. Programs call it through
//! the table at its start ([`abi::LayerHeader`]). It has no writable statics: its state is in the carrier areas and the shared page.
//!
//! Context law: all of this runs in ring 3, never interrupted by an upcall.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image;
#[cfg(target_os = "none")]
mod native;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("the layer is an image for ring 3: build it for x86_64-unknown-none");
}
