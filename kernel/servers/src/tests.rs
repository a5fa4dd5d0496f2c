use crate::archive::{Archive, ArchiveError, MAGIC};
use crate::handles::{Handles, Kind, MAX_HANDLES, Object};
use crate::load::{LoadError, plan};
use crate::pipe::{CAPACITY, End, Pipe};
use crate::port::{MAX_CALLS, Port};
use crate::shown::{self, PIECE};
use crate::slab::Slab;
use crate::{Outcome, Payload, Reply};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

fn data(bytes: &[u8]) -> Reply {
    Reply::Data(Payload::copied(bytes).expect("memory"))
}

/// What a client of the pipe model believes.
#[derive(Default)]
struct Ledger {
    sent: Vec<u8>,
    got: Vec<u8>,
    waiting: BTreeMap<u32, Option<Vec<u8>>>,
}

impl Ledger {
    fn answered(&mut self, who: u32, reply: Reply) {
        let request = self.waiting.remove(&who).expect("only who waits is answered, and once");
        match (request, reply) {
            (None, Reply::Data(bytes)) => self.got.extend(&*bytes),
            (Some(bytes), Reply::Count(count)) => assert_eq!(bytes.len(), count),
            (request, reply) => panic!("{request:?} answered with {reply:?}"),
        }
    }
}

proptest! {
    #[test]
    fn pipe_keeps_every_byte_in_order(ops in prop::collection::vec((any::<bool>(), 1usize..6000), 1..80), at_once in 0usize..4) {
        let mut pipe = Pipe::new();
        let mut ledger = Ledger::default();
        let mut next = 0u8;
        for (who, (write, size)) in ops.into_iter().enumerate() {
            let who = who as u32;
            let outcome = if write {
                let bytes: Vec<u8> = (0..size.min(4096)).map(|_| { next = next.wrapping_add(1); next }).collect();
                ledger.sent.extend(&bytes);
                ledger.waiting.insert(who, Some(bytes.clone()));
                pipe.write(who, &bytes)
            } else {
                ledger.waiting.insert(who, None);
                pipe.read(who, size)
            };
            if let Outcome::Now(reply) = outcome { ledger.answered(who, reply); }
            // What is owed may be taken later, after other operations.
            for (who, reply) in core::iter::from_fn(|| pipe.owed()).take(at_once) {
                ledger.answered(who, reply);
            }
        }
        let mut last = u32::MAX;
        loop {
            for (who, reply) in core::iter::from_fn(|| pipe.owed()) { ledger.answered(who, reply); }
            ledger.waiting.insert(last, None);
            match pipe.read(last, 4096) {
                Outcome::Now(reply) => ledger.answered(last, reply),
                Outcome::Later => break,
            }
            last -= 1;
        }
        prop_assert_eq!(&ledger.sent, &ledger.got);
        prop_assert!(!pipe.close(End::Write));
        for (who, reply) in core::iter::from_fn(|| pipe.owed()) {
            prop_assert_eq!(&reply, &Reply::Count(0));
            prop_assert_eq!(ledger.waiting.remove(&who), Some(None));
        }
        prop_assert_eq!(ledger.waiting, BTreeMap::new());
    }

    #[test]
    fn archive_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>()) {
        if magic && bytes.len() >= 16 {
            bytes[..8].copy_from_slice(&MAGIC);
            bytes[9..16].fill(0);
        }
        if let Ok(archive) = Archive::new(&bytes) {
            prop_assert!(archive.iter().all(|(name, _)| name.len() <= 32));
        }
    }

    #[test]
    fn loader_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        elf.extend(&bytes);
        let _ = plan(&elf, 0x40_0000..0x7000_0000);
        prop_assert_eq!(plan(&bytes, 0..1), Err(LoadError::NotExecutable));
    }

    #[test]
    fn slab_numbers_are_not_reused(ops in prop::collection::vec(any::<Option<u8>>(), 1..200)) {
        let mut slab = Slab::new();
        let mut live: BTreeMap<u64, u8> = BTreeMap::new();
        let mut dead = Vec::new();
        for op in ops {
            match op {
                Some(value) => {
                    let number = slab.insert(value).expect("memory");
                    prop_assert!(!dead.contains(&number));
                    prop_assert!(live.insert(number, value).is_none());
                }
                None => if let Some((number, value)) = live.pop_first() {
                    prop_assert_eq!(slab.remove(number), Some(value));
                    dead.push(number);
                }
            }
            for number in &dead { prop_assert!(slab.get_mut(*number).is_none()); }
            prop_assert_eq!(slab.len(), live.len());
        }
    }
}

#[test]
fn last_writer_ends_the_stream_and_last_reader_closes_it() {
    let mut pipe = Pipe::new();
    assert_eq!(pipe.read(1, 10), Outcome::Later);
    assert!(!pipe.close(End::Write));
    assert_eq!((pipe.owed(), pipe.owed()), (Some((1, Reply::Count(0))), None));
    assert!(pipe.close(End::Read));
    assert_eq!(pipe.write(2, b"x"), Outcome::Now(Reply::Closed));
}

#[test]
fn last_reader_sends_writers_away() {
    let mut pipe = Pipe::new();
    for who in 0..8 {
        let outcome = pipe.write(who, &[1; 4096]);
        assert_eq!(outcome == Outcome::Later, who >= 4);
    }
    assert_eq!(pipe.owed(), None);
    assert!(!pipe.close(End::Read));
    let owed: Vec<_> = core::iter::from_fn(|| pipe.owed()).collect();
    assert_eq!(owed, (4..8).map(|who| (who, Reply::Closed)).collect::<Vec<_>>());
}

#[test]
fn cancelled_reader_takes_no_byte() {
    let mut pipe = Pipe::new();
    assert_eq!(pipe.read(1, 10), Outcome::Later);
    assert_eq!(pipe.read(2, 10), Outcome::Later);
    assert!(pipe.cancel(1));
    assert!(!pipe.cancel(1));
    assert_eq!(pipe.write(3, b"abc"), Outcome::Now(Reply::Count(3)));
    assert_eq!(pipe.owed(), Some((2, data(b"abc"))));
    assert_eq!(pipe.owed(), None);
}

#[test]
fn full_pipe_keeps_its_writer() {
    let mut pipe = Pipe::new();
    for who in 0..CAPACITY / 4096 {
        assert_eq!(pipe.write(who as u32, &[7; 4096]), Outcome::Now(Reply::Count(4096)));
    }
    assert_eq!(pipe.write(100, &[8; 10]), Outcome::Later);
    assert_eq!(pipe.read(101, 100), Outcome::Now(data(&[7; 100])));
    assert_eq!(pipe.owed(), Some((100, Reply::Count(10))));
    assert_eq!(pipe.owed(), None);
}

#[test]
fn port_answers_each_call_once() {
    let mut port = Port::new();
    assert_eq!(port.call(1, b"one", |_, _| ()), Outcome::Later);
    let Outcome::Now(Reply::Request(number, request)) = port.receive(10) else {
        panic!("a call waits")
    };
    assert_eq!(&*request, b"one");
    assert_eq!(port.receive(10), Outcome::Later);
    let mut answers = Vec::new();
    assert_eq!(port.call(2, b"two", |w, r| answers.push((w, r))), Outcome::Later);
    let (10, Reply::Request(second, _)) = answers.remove(0) else { panic!("the receiver gets it") };
    assert_eq!(port.reply(number, b"ONE", |w, r| answers.push((w, r))), Some(()));
    assert_eq!(port.reply(number, b"ONE", |_, _| ()), None);
    assert!(port.cancel(2));
    assert_eq!(port.reply(second, b"TWO", |w, r| answers.push((w, r))), Some(()));
    assert_eq!(answers, [(1, data(b"ONE"))]);
    assert_eq!(port.call(3, b"three", |_, _| ()), Outcome::Later);
    let Outcome::Now(Reply::Request(third, _)) = port.receive(10) else { panic!("a call waits") };
    port.undelivered(third, |w, r| answers.push((w, r)));
    port.undelivered(third, |w, r| answers.push((w, r)));
    assert_eq!(port.call(4, b"four", |_, _| ()), Outcome::Later);
    port.close(|w, r| answers.push((w, r)));
    assert_eq!(answers[1..], [(3, Reply::NoMemory), (4, Reply::Closed)]);
}

#[test]
fn handles_are_closed_once() {
    let handles = Handles::new();
    let object = Object { kind: Kind::PipeRead, home: 63, number: 5 << 32 | 77 };
    let handle = handles.install(object).expect("an empty table has room");
    assert_eq!(handles.get(handle), Some(object));
    assert_eq!(handles.close(handle), Some(object));
    assert_eq!(handles.close(handle), None);
    assert_eq!([handles.get(0), handles.get(65), handles.get(u64::MAX)], [None; 3]);
    for _ in 0..MAX_HANDLES {
        assert!(handles.install(object).is_some());
    }
    assert_eq!(handles.install(object), None);
    assert_eq!(handles.close_all().count(), MAX_HANDLES);
}

#[test]
fn archive_refuses_what_it_is_not() {
    assert_eq!(Archive::new(b"").map(|_| ()), Err(ArchiveError::NotAnImage));
    assert_eq!(Archive::new(b"DFLYIMG1").map(|_| ()), Err(ArchiveError::Truncated));
    let mut image = MAGIC.to_vec();
    image.extend(1u64.to_le_bytes());
    image.extend(b"hello");
    image.resize(48, 0);
    image.extend(64u64.to_le_bytes());
    image.extend(3u64.to_le_bytes());
    assert_eq!(image.len(), 64);
    assert_eq!(Archive::new(&image).map(|_| ()), Err(ArchiveError::Truncated));
    image.extend(b"ELF");
    let archive = Archive::new(&image).expect("a good image");
    assert_eq!(archive.find("hello"), Some(&b"ELF"[..]));
    assert_eq!(archive.find("hell"), None);
}

#[test]
fn command_line_is_spelled_exactly() {
    use crate::options::{BadWord, Bug, Clock, Idle, Options, Parts, Plant};
    use faults::{Fault, Set};
    assert_eq!(Options::parse(""), Ok(Options::DEFAULT));
    let options = Options::parse(" frames mode=insns seed=7 run=stress,test filter=ring quick")
        .expect("good words");
    assert!(options.frames && options.quick && !options.list);
    assert_eq!((options.clock, options.seed, options.filter), (Clock::Insns, 7, "ring"));
    assert_eq!(options.parts, Parts { stress: true, test: true, ..Parts::default() });
    let played = Options::parse("run=play").map(|options| options.parts);
    assert_eq!(played, Ok(Parts { play: true, ..Parts::default() }));
    assert_eq!(Options::parse("run="), Ok(Options { parts: Parts::default(), ..Options::DEFAULT }));
    for (name, idle) in Idle::ALL {
        let line = std::format!("idle={name}");
        assert_eq!(Options::parse(&line).map(|options| options.idle), Ok(idle));
    }
    let few = Options::parse("faults=ring,park").expect("good words").faults;
    assert_eq!(few, Some(Set::NONE.with(Fault::FullRing).with(Fault::ParkedCpu)));
    assert_eq!(Options::parse("faults="), Err(BadWord("faults=")));
    let planted = Options::parse("plant=lost-wake").expect("a good word");
    assert_eq!(planted.plant, Some(Plant::Bug(Bug::LostWake)));
    for bad in ["frame", "frames=1", "mode=fast", "seed=-1", "run=benches", "plant=lost", "="] {
        assert_eq!(Options::parse(bad), Err(BadWord(bad)));
    }
}

fn shown(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    shown::lines(bytes, |line| lines.push(line.to_string()));
    lines
}

#[test]
fn what_is_no_text_is_shown_and_has_a_terminal_do_nothing() {
    assert_eq!(shown(b"one\n\ntwo"), ["one", "two"]);
    assert_eq!(shown(b"bad \xff rest\n"), ["bad \\xff rest"]);
    assert_eq!(shown(b"\xe2\x82"), ["\\xe2\\x82"], "a character that is not whole");
    assert_eq!(
        shown(b"cr\rkernel: forged \x1b[31m\ttab"),
        ["cr\\rkernel: forged \\u{1b}[31m\ttab"]
    );
    assert!(shown(b"").is_empty());
}

proptest! {
    #[test]
    fn no_text_is_lost_where_a_line_is_cut(text in "[^\\p{Cc}]{0,400}") {
        let pieces = shown(text.as_bytes());
        prop_assert_eq!(pieces.concat(), text);
        prop_assert!(pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
    }

    #[test]
    fn no_bytes_have_a_terminal_do_something(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for piece in shown(&bytes) {
            prop_assert!(piece.len() <= PIECE && !piece.contains(|c: char| c.is_control() && c != '\t'));
        }
    }
}

#[test]
fn a_port_holds_so_many_calls_even_if_all_are_cancelled() {
    let mut port = Port::new();
    let mut numbers = Vec::new();
    for client in 0..MAX_CALLS as u32 {
        assert!(matches!(port.receive(1000), Outcome::Later));
        let called = port.call(client, b"x", |_, reply| {
            let Reply::Request(number, _) = reply else { panic!("{reply:?}") };
            numbers.push(number);
        });
        assert!(matches!(called, Outcome::Later) && port.cancel(client), "call {client}");
    }
    let refused = |port: &mut Port<u32>| port.call(7, b"x", |_, _| ());
    assert!(matches!(refused(&mut port), Outcome::Now(Reply::NoMemory)));
    assert_eq!(port.reply(numbers[0], b"", |_, _| panic!("nobody waits")), Some(()));
    assert!(matches!(refused(&mut port), Outcome::Later));
}
