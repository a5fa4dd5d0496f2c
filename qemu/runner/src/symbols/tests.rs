use super::*;

fn own() -> Symbols {
    let elf = std::fs::read(std::env::current_exe().expect("this test")).expect("readable");
    Symbols::read(&elf).expect("an ELF")
}

#[inline(never)]
fn a_function_to_be_found() -> u32 {
    line!()
}

#[test]
fn a_function_by_its_address_in_the_file() {
    let symbols = own();
    let line = std::hint::black_box(a_function_to_be_found());
    let (start, ..) = symbols
        .functions
        .iter()
        .find(|(_, _, name)| name.contains("a_function_to_be_found"))
        .expect("its symbol");
    let places = symbols.places(*start);
    let place = places.last().expect("it is known");
    assert!(place.function.ends_with("tests::a_function_to_be_found"), "{place}");
    assert!(
        place.file.as_deref().is_some_and(|file| file.ends_with("symbols/tests.rs")),
        "{place}"
    );
    assert!(place.line.is_some_and(|found| line.abs_diff(found) <= 2), "{place}");
    assert!(!place.inlined);
    assert!(symbols.is_code(*start));
}

#[test]
fn nothing_is_known_about_nowhere() {
    let symbols = own();
    assert!(symbols.places(0x10).is_empty());
    assert!(!symbols.follows_call(0x10));
}

#[test]
fn an_image_says_what_compiled_it() {
    let elf = std::fs::read(std::env::current_exe().expect("this test")).expect("readable");
    let compiler = compiler(&elf).expect("tests have debug information");
    assert!(compiler.starts_with("rustc 1."), "{compiler}");
    let producer = "clang LLVM (rustc version 1.96.0 (ac68faa20 2026-05-25) (from a tarball))";
    assert_eq!(rustc(producer).as_deref(), Some("rustc 1.96.0"));
    assert_eq!(rustc("clang version 19.1.7"), None);
    assert_eq!(super::compiler(b"no ELF"), None);
}

fn with_code(bytes: &[u8]) -> Symbols {
    Symbols {
        lines: None,
        functions: vec![(0x1000, 0, "_ZN4core9panicking5panic17h0123456789abcdefE".into())],
        code: vec![Code { start: 0x1000, bytes: bytes.to_vec() }],
        eh_frame: None,
        debug_frame: None,
    }
}

#[test]
fn calls_are_told_from_other_instructions() {
    let calls: [&[u8]; 4] = [
        &[0xe8, 1, 2, 3, 4],       // call rel32
        &[0x90, 0xff, 0xd0],       // call rax
        &[0x41, 0xff, 0xd3],       // call r11
        &[0xff, 0x15, 1, 2, 3, 4], // call [rip + ..]
    ];
    for code in calls {
        assert!(with_code(code).follows_call(0x1000 + code.len() as u64), "{code:x?}");
    }
    for code in [&[0xe9_u8, 1, 2, 3, 4][..], &[0xff, 0xe0], &[0x90; 7]] {
        assert!(!with_code(code).follows_call(0x1000 + code.len() as u64), "{code:x?}");
    }
}

#[test]
fn code_without_debug_information_has_a_name() {
    let symbols = with_code(&[0x90; 8]);
    assert_eq!(symbols.places(0x1004)[0].to_string(), "core::panicking::panic");
    assert!(symbols.places(0x1008).is_empty(), "past the end of the section");
}

#[test]
fn paths_are_cut_to_what_helps() {
    let registry = "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/spin-0.12.3/src/once.rs";
    assert_eq!(shorten(registry), "spin-0.12.3/src/once.rs");
    assert_eq!(shorten("/rustc/abc/library/core/src/panicking.rs"), "core/src/panicking.rs");
    let odd = "/usr/lib/rustlib/src/rust/library/core/src/../../stdarch/crates/x.rs";
    assert_eq!(shorten(odd), "stdarch/crates/x.rs");
    assert_eq!(shorten("smp/ipiq/src/ring.rs"), "smp/ipiq/src/ring.rs");
    let here = std::env::current_dir().expect("a folder").join("src/a.rs");
    assert_eq!(shorten(&here.to_string_lossy()), "src/a.rs");
}
