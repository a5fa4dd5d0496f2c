//! Links the examples of this package, small kernels, as the kernel.

fn main() {
    build_steps::link_examples("link.ld");
}
