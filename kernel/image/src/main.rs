//! Placeholder until the first build step lands.
fn main() {}
