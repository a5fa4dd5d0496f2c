//! Links the kernel at its place, with the strings of its log frames apart.

fn main() {
    build_steps::link_binaries("../arch/link.ld");
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
}
