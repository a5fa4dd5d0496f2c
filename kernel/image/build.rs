//! Hands the linker script to the linker.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo:rerun-if-changed=../arch/link.ld");
    for argument in [
        format!("-T{folder}/../arch/link.ld"),
        "--gc-sections".into(),
        "-zmax-page-size=4096".into(),
        "-Tdefmt.x".into(),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
