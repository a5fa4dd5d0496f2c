use super::*;
use alloc::{format, vec};
use proptest::prelude::*;

/// Three groups that use everything there is.
pub(crate) fn example() -> Workload {
    let group = |name: &str, source, service| Group {
        name: name.into(),
        count: Count::PerCpu(2),
        priority: 10,
        on: Affinity::Spread,
        go: None,
        source,
        service,
        send: None,
        barrier: Barrier::None,
        sleep: None,
        pull: Pull::Never,
    };
    let send = Some(Send { to: 1, window: 300, choose: Choose::Any });
    let bimodal = Time::Bimodal { short: 10, long: 20_000, share: Share(1 << 20) };
    Workload {
        name: "example".into(),
        about: String::new(),
        duration: 1_000_000,
        jobs: Some(0),
        groups: vec![
            Group { send, ..group("client", Source::Arrivals(Time::Exponential(1000)), bimodal) },
            Group {
                on: Affinity::On(vec![3, 200]),
                count: Count::Total(300),
                ..group("server", Source::Requests, Time::Fixed(1 << 40))
            },
            Group {
                barrier: Barrier::All,
                go: Some(Share(u32::MAX)),
                sleep: Some(Time::Fixed(1)),
                pull: Pull::Any,
                ..group("solver", Source::Always, Time::Exponential(5))
            },
        ],
    }
}

fn some_time() -> impl Strategy<Value = Time> {
    let nanos = 1..=LONGEST;
    prop_oneof![
        nanos.clone().prop_map(Time::Fixed),
        nanos.clone().prop_map(Time::Exponential),
        (nanos.clone(), nanos, any::<u32>()).prop_map(|(short, long, share)| {
            Time::Bimodal { short, long, share: Share(share) }
        }),
    ]
}

prop_compose! {
    /// The group at this place of so many: the later ones get requests, which come from earlier ones alone.
    fn some_group(at: usize, of: usize)(
        (name, priority, per_cpu, total) in (".{0,9}", PRIORITIES, any::<bool>(), 1usize..1 << 32),
        on in prop_oneof![
            Just(Affinity::Spread),
            prop::collection::vec(0usize..1024, 1..5).prop_map(Affinity::On),
        ],
        source in prop_oneof![Just(Source::Always), some_time().prop_map(Source::Arrivals)],
        service in some_time(),
        to in prop::option::of((of / 2..of, 1..=MOST_WINDOW, any::<bool>())),
        (barrier, sleep) in (any::<bool>(), prop::option::of(some_time())),
        (go, pull) in (prop::option::of(any::<u32>()), any::<bool>()),
    ) -> Group {
        let asked = at >= of / 2;
        let choose = |any| if any { Choose::Any } else { Choose::Own };
        let send = to.filter(|_| !asked).map(|(to, window, any)| {
            Send { to, window, choose: choose(any) }
        });
        let barrier = if barrier && !asked { Barrier::All } else { Barrier::None };
        let count = if per_cpu { Count::PerCpu(total) } else { Count::Total(total) };
        let source = if asked { Source::Requests } else { source };
        let (go, pull) = (go.map(Share), if pull { Pull::Any } else { Pull::Never });
        let group =
            Group { name, count, priority, on, go, source, service, send, barrier, sleep, pull };
        Group { go: go.filter(|_| group.may_go()), ..group }
    }
}

fn some_workload() -> impl Strategy<Value = Workload> {
    let groups =
        (1usize..7).prop_flat_map(|of| (0..of).map(|at| some_group(at, of)).collect::<Vec<_>>());
    (".{0,9}", 1..=LONGEST, prop::option::of(0..u64::MAX), groups).prop_map(
        |(name, duration, jobs, groups)| Workload {
            name,
            about: String::new(),
            duration,
            jobs,
            groups,
        },
    )
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(workload in some_workload()) {
        prop_assert_eq!(decode(&encode(&workload)), Ok(workload));
    }

    /// What is taken makes sense, and is what was written: one form for a workload.
    #[test]
    fn damaged_bytes_are_refused_or_make_sense(
        workload in some_workload(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&workload);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            match decode(bytes) {
                Ok(taken) => {
                    prop_assert_eq!(decode(&encode(&taken)), Ok(taken.clone()));
                    let cpus = 1 + taken.groups.iter().flat_map(|group| match &group.on {
                        Affinity::On(cpus) => cpus.clone(),
                        Affinity::Spread => vec![],
                    }).max().unwrap_or(0);
                    let fits = taken.fits(cpus);
                    prop_assert!(fits.is_ok() || fits.unwrap_err().contains("threads"));
                }
                Err(why) => {
                    let said = format!("{why}");
                    prop_assert!(!said.is_empty());
                }
            }
        }
    }

    #[test]
    fn no_bytes_end_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
        let _ = decode(&[MAGIC, &[VERSION][..], &bytes].concat());
    }
}

#[test]
fn every_cut_is_short() {
    let bytes = encode(&example());
    assert_eq!(decode(&bytes), Ok(example()));
    for length in MAGIC.len()..bytes.len() {
        assert_eq!(decode(&bytes[..length]), Err(Bad::Short), "{length}");
    }
    assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(Bad::Rest));
    assert_eq!(decode(b"wor"), Err(Bad::Magic));
    assert_eq!(decode(b"work\x09"), Err(Bad::Version(9)));
}

#[test]
fn what_makes_no_sense_is_named() {
    let said = |change: fn(&mut Workload)| {
        let mut workload = example();
        change(&mut workload);
        decode(&encode(&workload)).expect_err("it makes no sense")
    };
    let send = Send { to: 0, window: 1, choose: Choose::Own };
    assert_eq!(said(|w| w.duration = 0), Bad::Field("how long it takes"));
    assert_eq!(said(|w| w.groups.clear()), Bad::Field("how many groups there are"));
    assert_eq!(said(|w| w.groups[0].priority = 32), Bad::Field("a priority"));
    assert_eq!(said(|w| w.groups[0].priority = 0), Bad::Field("a priority"));
    assert_eq!(said(|w| w.groups[2].service = Time::Fixed(0)), Bad::Field("a time"));
    assert_eq!(
        said(|w| w.groups[2].count = Count::Total(0)),
        Bad::Field("how many threads there are")
    );
    assert_eq!(
        said(|w| w.groups[1].barrier = Barrier::All),
        Bad::Field("a barrier behind requests")
    );
    assert_eq!(
        said(|w| w.groups[2].send = Some(Send { to: 3, window: 1, choose: Choose::Own })),
        Bad::Field("who gets requests")
    );
    assert_eq!(
        said(|w| w.groups[2].send = Some(Send { to: 0, window: 1, choose: Choose::Own })),
        Bad::Field("who gets requests")
    );
    for place in [0, 1] {
        let mut going = example();
        going.groups[place].go = Some(Share(1));
        assert_eq!(decode(&encode(&going)), Err(Bad::Field("who goes elsewhere")), "{place}");
    }
    let mut circle = example();
    circle.groups[0].source = Source::Requests;
    circle.groups[1].send = Some(send);
    assert_eq!(decode(&encode(&circle)), Err(Bad::Circle));
}
