use super::*;
use proptest::prelude::*;
use std::{string::String, vec, vec::Vec};

fn all() -> Vec<Record<'static>> {
    vec![
        Record::RunBegin {
            version: VERSION,
            kernel: "0.1.0",
            mode: "insns",
            apic: "x2APIC",
            cpus: 4,
            cpus_expected: 4,
            seed: u64::MAX,
            quick: false,
            tick_hz: 1_000_000_000,
            clock_within: 29,
            clock_apart: 0,
            clock_cpu: 3,
            cpu_model: "QEMU TCG CPU",
            variants: "runq=list",
        },
        Record::BenchBegin { name: "kernel/switch" },
        Record::Samples { name: "kernel/switch", runs: Values::Plain(&[58, 999, 60, 1]) },
        Record::Counters { name: "kernel/switch", values: Values::Plain(&[0, 1, 128, u64::MAX]) },
        Record::BenchEnd {
            name: "kernel/switch",
            goal: "G3",
            ok: true,
            unit: "insns",
            n: 1000,
            warmup: 100,
            batch: 1,
            ops: 2,
            overhead: 9,
            overhead_max: 9,
            summary: Values::Plain(&[58, 58, 58, 58, 58, 60, 60]),
            message: "",
        },
        Record::BenchSkip { name: "ipi/one_way", reason: "needs more CPUs" },
        Record::BenchInfo { name: "a", doc: "b", goal: "G1", lies: "c", shape: "d", cpus: 2 },
        Record::StressBegin { name: "kernel/storm", seed: 7 },
        Record::StressEnd {
            name: "kernel/storm",
            seed: 7,
            ok: false,
            trace: 0xdead_beef,
            counts: Named::Plain(&[("messages", 4_000_000), ("wakes", 0)]),
            message: "message 5 came twice",
        },
        Record::StressInfo { name: "kernel/storm", doc: "all to all" },
        Record::TestBegin { name: "trap/page_fault" },
        Record::TestEnd { name: "trap/page_fault", ok: true, message: "" },
        Record::Log { source: "echo", text: "hällo" },
        Record::RunEnd { ok: true, lost: 0 },
        Record::Thread { name: "idle", cpu: 3, state: "port server" },
        Record::PlayedGroup { name: "web", group: "store", counts: Named::Plain(&[("came", 80)]) },
        Record::Played {
            name: "web",
            cpus: 16,
            ok: true,
            counts: Named::Plain(&[("switches", 293), ("duration", u64::MAX)]),
            message: "",
        },
        Record::PathBegin {},
        Record::PathEnd { empty: false, ticks: Values::Plain(&[70, 70, u64::MAX]) },
    ]
}

#[test]
fn each_record_comes_back() {
    for record in all() {
        let mut buffer = [0; MAX_BYTES];
        let bytes = record.encode(&mut buffer).expect("fits");
        assert_eq!(Record::decode(bytes), Ok(record));
    }
}

#[test]
fn a_cut_record_and_a_rest_are_errors() {
    for record in all() {
        let mut buffer = [0; MAX_BYTES];
        let bytes = record.encode(&mut buffer).expect("fits");
        for len in 0..bytes.len() {
            assert!(Record::decode(&bytes[..len]).is_err(), "{record:?} cut to {len}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(Record::decode(&longer), Err(Error::Rest));
    }
    assert_eq!(Record::decode(&[200]), Err(Error::Tag(200)));
}

#[test]
fn a_small_buffer_is_an_error_and_a_long_text_is_cut() {
    let long = "ä".repeat(500);
    let record = Record::Log { source: "x", text: &long };
    assert_eq!(record.encode(&mut [0; 20]), Err(Error::Full));
    let mut buffer = [0; MAX_BYTES];
    let bytes = record.encode(&mut buffer).expect("fits");
    let Ok(Record::Log { text, .. }) = Record::decode(bytes) else { panic!("no log") };
    assert_eq!(text, "ä".repeat(80));
}

#[test]
fn the_longest_record_fits() {
    let long = "x".repeat(500);
    let text = long.as_str();
    let samples = [u64::MAX; 64];
    let mut buffer = [0; MAX_BYTES];
    let info =
        Record::BenchInfo { name: text, doc: text, goal: "", lies: text, shape: text, cpus: 1 };
    assert!(info.encode(&mut buffer).is_ok());
    // Counts of equal neighbours are small; the values may be anything.
    let mut runs = samples;
    runs.iter_mut().skip(1).step_by(2).for_each(|count| *count = 9999);
    assert!(Record::Samples { name: text, runs: Values::Plain(&runs) }.encode(&mut buffer).is_ok());
    let counters = [u64::MAX; 32];
    assert!(
        Record::Counters { name: text, values: Values::Plain(&counters) }
            .encode(&mut buffer)
            .is_ok()
    );
}

#[test]
fn a_number_too_large_is_an_error() {
    // Thread { name: "", cpu: 11 bytes of LEB128 }
    let mut bytes = vec![15, 0];
    bytes.extend([0xff; 10]);
    bytes.extend([0x01, 0]);
    assert_eq!(Record::decode(&bytes), Err(Error::Value));
    let mut max = vec![15, 0];
    max.extend([0xff; 9]);
    max.extend([0x01, 0]);
    assert!(matches!(Record::decode(&max), Ok(Record::Thread { cpu: u64::MAX, .. })));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Record::StressEnd { counts, .. }) = Record::decode(&bytes) {
            counts.iter().count();
        }
    }

    #[test]
    fn arbitrary_fields_come_back(
        name in "[a-z/_]{0,40}",
        values in proptest::collection::vec(any::<u64>(), 0..40),
        named in proptest::collection::vec(("[a-z]{0,8}", any::<u64>()), 0..20),
        ok in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut buffer = [0; MAX_BYTES];
        let record = Record::Samples { name: &name, runs: Values::Plain(&values) };
        let bytes = record.encode(&mut buffer).expect("fits");
        prop_assert_eq!(Record::decode(bytes), Ok(record));

        let pairs: Vec<(&str, u64)> = named.iter().map(|(name, value): &(String, u64)| (name.as_str(), *value)).collect();
        let record = Record::StressEnd {
            name: &name, seed, ok, trace: seed, counts: Named::Plain(&pairs), message: &name,
        };
        let mut buffer = [0; MAX_BYTES];
        let bytes = record.encode(&mut buffer).expect("fits");
        prop_assert_eq!(Record::decode(bytes), Ok(record));
    }
}
