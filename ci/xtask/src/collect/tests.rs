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

#[test]
fn records_take_the_place_of_records_alone_and_not_before_they_are_there() {
    let folder = std::env::temp_dir().join(format!("damselfly-lines-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (file, other) = (folder.join("old.jsonl"), folder.join("README.md"));
    std::fs::write(&file, "{\"old\":1}\n").expect("a file");
    std::fs::write(&other, "# A text\n").expect("a file");
    let read = |path: &Path| std::fs::read_to_string(path).expect("readable");

    let refused = Lines::open(&other, Raw::Omitted).err().expect("no records");
    assert!(refused.contains("left alone"), "{refused}");
    drop(Lines::open(&file, Raw::Omitted).expect("records"));
    assert_eq!((read(&file), read(&other)), ("{\"old\":1}\n".into(), "# A text\n".into()));

    let link = folder.join("link");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let mut lines = Lines::open(&link, Raw::Omitted).expect("records");
    lines.write("{\"new\":1}");
    assert_eq!(read(&file), "{\"old\":1}\n");
    lines.close().expect("room on the disk");
    assert_eq!(read(&file), "{\"new\":1}\n");
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 3, "nothing is left over");
    std::fs::remove_dir_all(&folder).expect("ours");
}

#[test]
fn what_killed_runs_left_is_taken_away() {
    let folder = std::env::temp_dir().join(format!("damselfly-parts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("run.jsonl");
    // No process has this number: Linux ends below it.
    let dead = "run.jsonl.4194999.part";
    let alive = format!("run.jsonl.{}.part", std::process::id());
    let others = ["other.jsonl.4194999.part", "run.jsonl.x.part", alive.as_str()];
    for name in others.iter().chain([&dead]) {
        fs::write(folder.join(name), "{}").expect("a file");
    }
    assert_eq!(part_of(&path), folder.join(&alive));
    assert!(others.iter().all(|name| folder.join(name).exists()));
    assert!(!folder.join(dead).exists());
    std::fs::remove_dir_all(&folder).expect("the folder");
}
