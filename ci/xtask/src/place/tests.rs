use super::*;

#[test]
fn the_root_is_this_checkout() {
    assert!(root().is_absolute());
    assert!(root().join("ci/xtask/src/place.rs").exists(), "{}", root().display());
}

#[test]
fn an_empty_target_folder_is_none_named() {
    assert_eq!(out_by(Some(OsString::new())), out_by(None));
    assert!(out_by(None).ends_with("target"));
}

#[test]
fn a_target_folder_is_absolute() {
    let here = std::env::current_dir().expect("tests run somewhere");
    assert_eq!(out_by(Some("made".into())), here.join("made"));
    assert_eq!(out_by(Some("=made".into())), here.join("=made"));
    assert_eq!(out_by(Some("/made".into())), Path::new("/made"));
}
