//! Finds the checks: a file for each.

fn main() {
    build_steps::modules("checks.rs", &["stress", "tests", "user"]);
}
