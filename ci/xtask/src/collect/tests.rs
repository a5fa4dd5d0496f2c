use super::*;

#[test]
fn a_full_disk_is_one_clear_line() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let mut lines = Lines::open(full, Raw::Omitted).expect("it opens");
    for _ in 0..10_000 {
        lines.write("{\"ok\":true}");
    }
    let error = lines.close().expect_err("it takes nothing");
    assert!(error.contains("/dev/full") && !error.contains('\n'), "{error}");
}

#[test]
fn a_file_that_cannot_be_made_says_so_at_once() {
    let error = Lines::open(Path::new("/no/such/folder/a.jsonl"), Raw::Omitted)
        .err()
        .expect("there is none");
    assert!(error.contains("/no/such/folder/a.jsonl"), "{error}");
}
