//! Whatever words come, a decoder answers, and its error names an element of the list or of the table, or the list.

mod common;

use abi::{Error, Failure, Message};
use common::{build, elements};
use proptest::prelude::*;

/// Ids in the directory that a list claims to have.
fn claimed(words: &[u64]) -> Vec<u16> {
    let halves: Vec<u32> =
        words.iter().flat_map(|&word| [word as u32, (word >> 32) as u32]).collect();
    halves.iter().skip(1).map(|&half| half as u16).collect()
}

fn judge<M: Message>(words: &[u64]) {
    let Err(Failure { error, detail }) = M::decode(words) else {
        assert_eq!(M::decode(words), M::decode(words));
        return;
    };
    let known = M::INFO.request.iter().any(|info| u64::from(info.id) == detail);
    let there = claimed(words).iter().any(|&id| u64::from(id) == detail);
    match error {
        Error::MissingElement => assert!(known),
        Error::BadElement => assert!(known && there),
        Error::DuplicateElement | Error::UnknownElement => assert!(there),
        Error::BadLength | Error::BadPadding => assert!(there || detail == 0),
        other => panic!("a decoder does not say {other:?}"),
    }
}

/// A valid list with a few words or bits changed, cut or lengthened.
fn damaged(infos: &'static [abi::ElementInfo]) -> impl Strategy<Value = Vec<u64>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), 0..64u32), 0..4);
    (elements(infos), changes, -2i32..3).prop_map(|(elements, changes, length)| {
        let mut words = build(&elements);
        words.resize((words.len() as i32 + length).max(1) as usize, 0);
        for (index, bit) in changes {
            let at = index.index(words.len());
            words[at] ^= 1 << bit;
        }
        words
    })
}

macro_rules! each {
    (
        messages { $(
            $number:literal $Name:ident $name:ident $request:tt -> $answer:tt, $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $($lists:tt)* }
    ) => {
        proptest! {
            $(
                #[test]
                fn $name(words in damaged(<abi::request::$Name as Message>::INFO.request)) {
                    judge::<abi::request::$Name>(&words);
                }
            )*

            #[test]
            fn any_words(words in proptest::collection::vec(any::<u64>(), 0..abi::list::MAX_WORDS)) {
                $( judge::<abi::request::$Name>(&words); )*
                let _ = abi::answer::StatsList::decode(&words);
            }

            #[test]
            fn small_words(words in proptest::collection::vec(0u64..0x0010_0003_0000_0003, 0..6)) {
                $( judge::<abi::request::$Name>(&words); )*
                let _ = abi::answer::StatsList::decode(&words);
            }
        }
    };
}

abi::table!(each);

#[test]
fn too_many_elements() {
    let list = |count: u16| build(&(1..=count).map(|id| (id, Vec::new())).collect::<Vec<_>>());
    let most = abi::list::MAX_ELEMENTS as u16;
    assert_eq!(
        abi::request::Null::decode(&list(most)).map(|found| found.ignored),
        Ok(u32::from(most))
    );
    let refused = Failure::new(Error::BadLength);
    assert_eq!(abi::request::Null::decode(&list(most + 1)), Err(refused));
}
