//! Hands the linker script to the linker, for the examples of this package.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rerun-if-changed=link.ld");
    for argument in
        [format!("-T{folder}/link.ld"), "--gc-sections".into(), "-zmax-page-size=4096".into()]
    {
        println!("cargo:rustc-link-arg-examples={argument}");
    }
}
