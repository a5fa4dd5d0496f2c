//! What a benchmark declares, and the slice in which the linker collects them.

use crate::Bencher;

/// What the samples of a benchmark count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Ticks of the time stamp counter: instructions in mode `insns`, cycles elsewhere.
    Ticks,
    /// Something counted, by name (plural).
    Count(&'static str),
}

/// What a figure may depend on beside the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    /// Nothing: one number of CPUs says it all.
    Point,
    /// How many CPUs there are: the benchmark uses all of them, or claims that they make no difference.
    Cpus,
}

/// A benchmark, as declared by [`bench!`](crate::bench).
pub struct Bench {
    /// `group/name`, unique.
    pub name: &'static str,
    /// One sentence: what it measures.
    pub doc: &'static str,
    /// The goal it answers (`G5`), or empty.
    pub goal: &'static str,
    /// What would make the figure lie.
    pub lies: &'static str,
    /// The shape to expect ("flat in the number of CPUs").
    pub shape: &'static str,
    /// CPUs it needs; with fewer it is skipped.
    pub cpus: usize,
    /// Whether the number of CPUs matters.
    pub curve: Curve,
    /// What its samples count.
    pub unit: Unit,
    /// The steps.
    pub run: fn(&mut Bencher<'_>),
}

/// All benchmarks linked into this image, in link order; [`run()`](crate::run()) takes them by name.
#[linkme::distributed_slice]
pub static BENCHES: [Bench];

/// Declares and registers a benchmark; no list to edit.
///
/// ```ignore
/// bench_api::bench! {
///     name: "kernel/switch",
///     doc: "One thread yields to another of its priority on the same CPU.",
///     goal: "G3",
///     lies: "A third runnable thread would add its own switches.",
///     shape: "flat in threads and CPUs",
///     run: |b| b.ops(2).iter(|| yield_now()),
/// }
/// ```
/// Optional: `goal`, `cpus: 2` (skipped with fewer), `curve: bench_api::Curve::Cpus` (has a place in `./x bench --full`),
/// `unit: bench_api::Unit::Count("IPIs")`, in this order.
#[macro_export]
macro_rules! bench {
    (
        name: $name:expr,
        doc: $doc:expr,
        $(goal: $goal:expr,)?
        $(cpus: $cpus:expr,)?
        $(curve: $curve:expr,)?
        $(unit: $unit:expr,)?
        lies: $lies:expr,
        shape: $shape:expr,
        run: $run:expr $(,)?
    ) => {
        const _: () = {
            $crate::wire::fits($doc);
            $crate::wire::fits($lies);
            $crate::wire::fits($shape);
            #[$crate::linkme::distributed_slice($crate::BENCHES)]
            #[linkme(crate = $crate::linkme)]
            static BENCH: $crate::Bench = {
                #[allow(unused_mut, unused_assignments)]
                let mut bench = $crate::Bench {
                    name: $name,
                    doc: $doc,
                    goal: "",
                    lies: $lies,
                    shape: $shape,
                    cpus: 1,
                    curve: $crate::Curve::Point,
                    unit: $crate::Unit::Ticks,
                    run: $run,
                };
                $(bench.goal = $goal;)?
                $(bench.cpus = $cpus;)?
                $(bench.curve = $curve;)?
                $(bench.unit = $unit;)?
                bench
            };
        };
    };
}

/// Whether `name` is chosen by `filter`: empty for all, else parts of names, separated by commas.
pub fn matches(filter: &str, name: &str) -> bool {
    filter.is_empty() || filter.split(',').any(|part| !part.is_empty() && name.contains(part))
}

/// The first part of `filter` that `known` does not hold of: a typing error, most likely.
pub fn unknown_part(filter: &str, known: impl Fn(&str) -> bool) -> Option<&str> {
    filter.split(',').filter(|part| !part.is_empty()).find(|part| !known(part))
}
