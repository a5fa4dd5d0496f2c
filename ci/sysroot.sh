#!/bin/sh
# Makes a sysroot with core, alloc and compiler_builtins for the bare machine, once for each compiler; prints its path.
# usage: RUSTC=... CARGO=... ci/sysroot.sh FOLDER
#
# DELETE THIS SCRIPT when the compilers we support all bring a libcore for x86_64-unknown-none. rustup's do
# (`rustup target add`), Fedora's does (rust-std-static-x86_64-unknown-none); Debian's did not at 1.96. Its only caller is
# ci/xtask/src/toolchain.rs, which asks for it only when the compiler has no libcore of its own.
#
# Building core is an unstable feature, so RUSTC_BOOTSTRAP stands here, and nowhere else: it would unlock unstable
# features in every crate that we depend on.
set -eu
folder=$1
target=x86_64-unknown-none
version=$("$RUSTC" -vV | sed -n 's/^release: //p')
host=$("$RUSTC" -vV | sed -n 's/^host: //p')
# Another recipe, another folder.
sysroot=$folder/$version-$(cksum < "$0" | cut -d ' ' -f 1)
if [ -e "$sysroot/complete" ]; then
    echo "$sysroot"
    exit 0
fi
work=$folder/work.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$work/src" "$work/new/lib/rustlib/$target/lib"
echo "building core and alloc for $target with rustc $version, once (about half a minute)" >&2
cat > "$work/Cargo.toml" <<'TOML'
[package]
name = "empty"
version = "0.0.0"
edition = "2021"
[workspace]
[profile.release]
opt-level = 3
TOML
echo '#![no_std]' > "$work/src/lib.rs"
# The caller's flags are for the kernel, not for core; the kernel's fat LTO wants core's bitcode, and no name of a folder in its panics.
# cargo is quiet unless it fails.
sources=$("$RUSTC" --print sysroot)/lib/rustlib/src/rust
flags=$(printf -- '-Cembed-bitcode=yes\037--remap-path-scope=macro\037--remap-path-prefix=%s=/rustc' "$sources")
(cd "$work" && env -u CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS="$flags" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" \
    "$CARGO" build -q --release -Zbuild-std=core,alloc --target "$target") >&2
for crate in core alloc compiler_builtins; do
    cp "$work/target/$target/release/deps/lib$crate-"*.rlib "$work/new/lib/rustlib/$target/lib/"
done
ln -s "$("$RUSTC" --print sysroot)/lib/rustlib/$host" "$work/new/lib/rustlib/$host"
touch "$work/new/complete"
rm -rf "$sysroot"
mv "$work/new" "$sysroot"
echo "$sysroot"
