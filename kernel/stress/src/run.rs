//! Runs the checks that match, one after the other, each between two records.

use crate::registry::{CHECKS, Check, Kind, Run};
use alloc::string::String;
use alloc::vec::Vec;
use bench_api::matches;
use bench_api::wire::{Named, Record};
use kernel_core::faults::{self, Fault};
use kernel_core::{chaos, order, records, thread};
use lwkt_sched::MayBlock;
use servers::options::Options;

/// Runs the tests that match, or lists them; says whether all passed.
pub fn tests(cx: &mut MayBlock, options: &Options<'_>) -> bool {
    each(Kind::Test, options, |check| {
        records::emit(&Record::TestBegin { name: check.name });
        let verdict = (check.run)(&mut Run::new(options), cx).and_then(lawful);
        let message = verdict.as_ref().map_or_else(String::as_str, |_| "");
        records::emit(&Record::TestEnd { name: check.name, ok: verdict.is_ok(), message });
        verdict.is_ok()
    })
}

/// Runs the stress tests that match, or lists them; says whether all passed.
pub fn stress(cx: &mut MayBlock, options: &Options<'_>) -> bool {
    each(Kind::Stress, options, |check| {
        let (name, seed) = (check.name, options.seed);
        records::emit(&Record::StressBegin { name, seed });
        order::begin();
        let turns = chaos::turns();
        let struck = struck();
        let mut run = Run::new(options);
        let verdict = (check.run)(&mut run, cx).and_then(lawful).map(|m| m + run.size());
        let trace = order::trace();
        run.count("turns", chaos::turns() - turns);
        for ((now, before), (_, fault)) in self::struck().iter().zip(struck).zip(Fault::ALL) {
            run.count(fault.counter(), now - before);
        }
        let (Ok(message) | Err(message)) = &verdict;
        let counts = Named::Plain(run.counts());
        records::emit(&Record::StressEnd {
            name,
            seed,
            ok: verdict.is_ok(),
            trace,
            counts,
            message,
        });
        verdict.is_ok()
    })
}

/// A verdict that holds if the schedulers keep their laws, too.
fn lawful(message: String) -> Result<String, String> {
    match thread::check() {
        Ok(()) => Ok(message),
        Err(broken) => Err(alloc::format!("a scheduler's law is broken: {broken:?}")),
    }
}

/// Does `f` to each check that matches, by name, or lists them.
fn each(kind: Kind, options: &Options<'_>, mut f: impl FnMut(&Check) -> bool) -> bool {
    let mut chosen: Vec<&Check> =
        CHECKS.iter().filter(|c| c.kind == kind && matches(options.filter, c.name)).collect();
    chosen.sort_unstable_by_key(|check| check.name);
    if options.list {
        for check in chosen {
            records::emit(&Record::StressInfo { name: check.name, doc: check.doc });
        }
        return true;
    }
    for pair in chosen.windows(2) {
        // One of them would be taken for the other.
        assert!(pair[0].name != pair[1].name, "two checks are called {}", pair[0].name);
    }
    chosen.into_iter().fold(true, |ok, check| f(check) & ok)
}

/// How often each sort of fault has struck, in a kernel that was built for them.
fn struck() -> [u64; if faults::ARE_BUILT_IN { Fault::ALL.len() } else { 0 }] {
    core::array::from_fn(|sort| faults::struck(Fault::ALL[sort].1))
}
