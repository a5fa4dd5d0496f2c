//! Finds the benchmarks: a file for each cost.

fn main() {
    build_steps::modules("costs.rs", &["costs"]);
}
