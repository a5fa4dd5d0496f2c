//! The corpus: bytes that every version reads and writes the same, hostile lists with their verdicts, ids for ever.

mod common;

use std::fmt::Write;

use abi::{ElementInfo, Error, Kind, MESSAGES, MUST, Message};
use common::{build, encoded, golden, hex, unhex};

/// Payloads that differ in every byte, so that a swapped word shows.
fn sample(infos: &[ElementInfo]) -> Vec<(u16, Vec<u8>)> {
    infos
        .iter()
        .enumerate()
        .map(|(index, info)| {
            let length = if info.kind == Kind::Bytes { 11 } else { 8 * info.kind.words() };
            (info.id, (0..length).map(|byte| (0x10 * (index + 1) + byte) as u8).collect())
        })
        .collect()
}

fn line<M: Message>(out: &mut String) {
    let list = build(&sample(M::INFO.request));
    let request = M::decode(&list).unwrap().value;
    assert_eq!(encoded(&request), list);
    writeln!(out, "{} {} {}", M::INFO.number, M::INFO.name, hex(&list)).unwrap();
}

macro_rules! each {
    (
        messages { $(
            $number:literal $Name:ident $name:ident $request:tt -> $answer:tt, $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $($lists:tt)* }
    ) => {
        #[test]
        fn requests() {
            let mut text = String::new();
            $( line::<abi::request::$Name>(&mut text); )*
            golden("tests/corpus/requests.txt", &text);
        }

        /// The verdict about a list, as the corpus words it.
        fn verdict(name: &str, words: &[u64]) -> String {
            $(
                if name == stringify!($name) {
                    return match abi::request::$Name::decode(words) {
                        Ok(decoded) => format!("ok, {} ignored", decoded.ignored),
                        Err(failure) => format!("{} {:#x}", failure.error.name(), failure.detail),
                    };
                }
            )*
            panic!("no message {name}")
        }
    };
}

abi::table!(each);

/// Each line: message, list, verdict. New lines are written by hand.
#[test]
fn hostile() {
    let corpus = include_str!("corpus/hostile.txt");
    let mut verdicts = 0;
    for line in corpus.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (case, expected) = line.split_once(" -> ").expect(line);
        let (name, list) = case.split_once(' ').expect(line);
        let list: String = list.split_whitespace().collect();
        assert_eq!(verdict(name, &unhex(&list)), expected, "{line}");
        verdicts += 1;
    }
    assert!(verdicts >= 15);
}

/// Numbers and ids are never reused: a line once written stays true, also when its message or element is given up
/// (then the line is kept here and marked `retired`, and the table must not use its number or id again).
#[test]
fn ids() {
    let mut now = Vec::new();
    for message in MESSAGES {
        now.push(format!("message {} {}", message.number, message.name));
        for (side, elements) in [("request", message.request), ("answer", message.answer)] {
            for element in elements {
                let must = if element.id & MUST == 0 { "" } else { " must" };
                let id = element.id & !MUST;
                let kind = element.kind.name();
                now.push(format!("{side} {} {id} {} {kind}{must}", message.number, element.name));
            }
        }
    }
    for list in abi::LISTS {
        for element in list.elements {
            let (id, kind) = (element.id, element.kind.name());
            now.push(format!("list {} {id} {} {kind}", list.name, element.name));
        }
    }
    for error in Error::ALL {
        now.push(format!("error {} {}", *error as u32, error.name()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/ids.txt");
    let mut kept = std::fs::read_to_string(path).unwrap_or_default();
    for line in kept.lines() {
        match line.strip_suffix(" retired") {
            None => assert!(now.iter().any(|new| new == line), "given up or changed: {line}"),
            Some(old) => {
                let fields =
                    if old.starts_with("message") || old.starts_with("error") { 2 } else { 3 };
                let key: Vec<&str> = old.split(' ').take(fields).collect();
                let key = format!("{} ", key.join(" "));
                assert!(!now.iter().any(|new| new.starts_with(&key)), "used again: {line}");
            }
        }
    }
    let fresh: Vec<_> = now.iter().filter(|new| !kept.lines().any(|line| line == *new)).collect();
    if std::env::var_os("BLESS").is_some() {
        for line in &fresh {
            writeln!(kept, "{line}").unwrap();
        }
        std::fs::write(path, kept).unwrap();
    } else {
        assert!(fresh.is_empty(), "not in {path} yet (BLESS=1 cargo test -p abi): {fresh:#?}");
    }
}
