use super::*;

#[test]
fn recipes_are_read_word_by_word() {
    let text = "Words.\n```rust file=a/b.rs\nfn main() {}\n```\n```rust insert=c.rs before=\"}\\n    x\"\nline\n```\n\
        ```sh\n./x run\n```\n```sh recipe\n./x boot b      # prints \"a b\"\n./x bench b\n```\n";
    let run = |line: &str, prints: Option<&str>| Order::Run {
        line: line.into(),
        prints: prints.map(str::to_owned),
    };
    assert_eq!(
        orders(text),
        [
            Order::File { path: "a/b.rs".into(), content: "fn main() {}\n".into() },
            Order::Insert {
                path: "c.rs".into(),
                before: "}\n    x".into(),
                content: "line\n".into()
            },
            run("./x boot b", Some("a b")),
            run("./x bench b", None),
        ]
    );
}
