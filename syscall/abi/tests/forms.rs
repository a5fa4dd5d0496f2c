//! Every form of a request decodes to the same request: canonical, any order, registers, and through the encoder.

mod common;

use abi::{Decoded, Error, Failure, MUST, Message};
use common::{build, elements, encoded, registers};
use proptest::prelude::*;

fn value<M: Message>(words: &[u64]) -> Result<M, Failure> {
    M::decode(words).map(|decoded| decoded.value)
}

/// All that must hold for one message and one set of payloads.
fn check<M: Message>(canonical: &[(u16, Vec<u8>)], order: &[usize], extra: &[(u16, Vec<u8>)]) {
    let list = build(canonical);
    let request: M = value(&list).unwrap();
    assert_eq!(encoded(&request), list, "the encoder writes the canonical form");

    let mut mixed: Vec<_> = canonical.to_vec();
    mixed.extend_from_slice(extra);
    let shuffled: Vec<_> = order
        .iter()
        .filter(|&&index| index < mixed.len())
        .map(|&index| mixed[index].clone())
        .collect();
    let ignored = extra.len() as u32;
    assert_eq!(M::decode(&build(&shuffled)), Ok(Decoded { value: request, ignored }));

    let scalars = request.to_registers();
    assert_eq!(scalars.is_some(), M::INFO.registers);
    match scalars {
        Some(scalars) => {
            assert_eq!(registers(canonical), Some(scalars));
            assert_eq!(M::from_registers(scalars), Ok(request));
        }
        None => assert_eq!(M::from_registers([1; 4]), Err(Failure::new(Error::BadFlags))),
    }

    for (index, info) in M::INFO.request.iter().enumerate() {
        let mut fewer = canonical.to_vec();
        fewer.remove(index);
        match (info.default, value::<M>(&build(&fewer))) {
            (None, found) => {
                assert_eq!(found, Err(Failure::element(Error::MissingElement, info.id)));
            }
            (Some(default), found) => {
                let mut stated = canonical.to_vec();
                stated[index].1 = default.to_le_bytes().to_vec();
                assert_eq!(found, value::<M>(&build(&stated)));
            }
        }
        let mut twice = canonical.to_vec();
        twice.push(canonical[index].clone());
        let refused = Failure::element(Error::DuplicateElement, info.id);
        assert_eq!(value::<M>(&build(&twice)), Err(refused));
    }

    let mut foreign = canonical.to_vec();
    foreign.push((MUST | 0x700, vec![1; 8]));
    let refused = Failure::element(Error::UnknownElement, MUST | 0x700);
    assert_eq!(value::<M>(&build(&foreign)), Err(refused));

    let mut trailing = list.clone();
    trailing.push(0);
    if !list.is_empty() {
        assert!(value::<M>(&trailing).is_err(), "trailing data is refused");
    }

    let mut small = vec![0; list.len().saturating_sub(1)];
    if !list.is_empty() {
        assert_eq!(request.encode(&mut small), Err(list.len()), "the encoder says what it needs");
    }
}

/// Unknown elements that may be passed over, each id once.
fn extras() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..24);
    proptest::collection::btree_map(0x100u16..0x7fff, payload, 0..4)
        .prop_map(|map| map.into_iter().collect())
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
                fn $name(
                    canonical in elements(<abi::request::$Name as Message>::INFO.request),
                    order in Just((0..16).collect::<Vec<usize>>()).prop_shuffle(),
                    extra in extras(),
                ) {
                    check::<abi::request::$Name>(&canonical, &order, &extra);
                }
            )*
        }
    };
}

abi::table!(each);

proptest! {
    /// A list of the kernel's is read by an older and a newer layer: unknown skipped, absent as its default.
    #[test]
    fn stats_list(
        figures in elements(abi::answer::StatsList::INFO.elements),
        order in Just((0..32).collect::<Vec<usize>>()).prop_shuffle(),
        wanted in any::<u64>(),
        extra in extras(),
    ) {
        use abi::answer::StatsList;
        let whole = StatsList::decode(&build(&figures)).unwrap().value;
        let mut out = [0; StatsList::MAX_WORDS];
        let used = whole.encode(u64::MAX, &mut out).unwrap();
        prop_assert_eq!(&out[..used], &build(&figures)[..]);

        let part: Vec<_> = figures.iter().filter(|(id, _)| wanted & (1 << id) != 0).cloned().collect();
        let used = whole.encode(wanted, &mut out).unwrap();
        prop_assert_eq!(&out[..used], &build(&part)[..]);

        let mut mixed = part.clone();
        mixed.extend_from_slice(&extra);
        let shuffled: Vec<_> =
            order.iter().filter(|&&index| index < mixed.len()).map(|&index| mixed[index].clone()).collect();
        let read = StatsList::decode(&build(&shuffled)).unwrap();
        prop_assert_eq!(read.value, StatsList::decode(&build(&part)).unwrap().value);
        prop_assert_eq!(read.ignored, extra.len() as u32);
        if wanted & 2 == 0 {
            prop_assert_eq!(read.value.kernel_bytes, 0);
        }
    }
}
