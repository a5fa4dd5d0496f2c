//! Records come back as they went, and every line of the table is whole.

use proptest::prelude::*;

use crate::{Event, Kind, Record, letters};

proptest! {
    #[test]
    fn a_record_comes_back(
        tick: u64, kind in 0..64u32, first: u32, second: u64, third: u64,
    ) {
        let record = Record { tick, kind, first, second, third };
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), record);
        match Event::decode(&record) {
            Some(event) => {
                prop_assert_eq!(event.kind as u32, kind);
                let all = [u64::from(first), second, third];
                let said = event.kind.words().len();
                prop_assert_eq!(&event.words[..said], &all[..said]);
                prop_assert_eq!(&event.words[said..], &[0; 3][said..]);
            }
            None => prop_assert!(kind as usize >= Kind::ALL.len()),
        }
    }

    #[test]
    fn letters_come_back(name in "[a-z/-]{0,24}") {
        let [second, third] = letters(&name);
        let event = Event { tick: 0, kind: Kind::started, words: [7, second, third] };
        let back = event.letters();
        let back = std::str::from_utf8(&back).unwrap().trim_end_matches('\0');
        prop_assert_eq!(&name[..name.len().min(16)], back);
    }
}

#[test]
fn every_kind_stands_at_its_number() {
    for (number, kind) in Kind::ALL.iter().enumerate() {
        assert_eq!(*kind as usize, number);
        assert!(kind.words().len() <= 3 && kind.doc().ends_with('.'), "{}", kind.name());
    }
}

#[test]
fn a_build_that_is_not_traced_does_nothing() {
    // Linked without anything that binds it.
    crate::switched(1);
    crate::sent(1, 2);
    const { assert!(crate::IS_USUAL) }
}
