//! Links the programs where processes have them.

fn main() {
    build_steps::link_binaries("../program/link.ld");
}
