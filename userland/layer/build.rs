//! Links the layer at its place.

fn main() {
    build_steps::link_binaries("link.ld");
}
