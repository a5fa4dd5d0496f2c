//! Finds the benchmarks: a file for each cost. Links as any program of ring 3.

fn main() {
    build_steps::modules("costs.rs", &["costs"]);
    build_steps::link_binaries("../../userland/program/link.ld");
}
