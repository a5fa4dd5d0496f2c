use super::table::{rows, short, subtract};
use super::*;
use bench_report::Collector;
use bench_report::Event;

/// Reads the clock.
const CLOCK: u64 = 0x10;

fn steps(addresses: &[u64]) -> Vec<Step> {
    addresses
        .iter()
        .map(|address| Step { cpu: (address >> 32) as u32, address: *address as u32 as u64 })
        .collect()
}

fn place(function: &str, line: u32, inlined: bool) -> Place {
    Place { function: function.into(), file: Some("a/src/b.rs".into()), line: Some(line), inlined }
}

fn library(function: &str) -> Place {
    Place { file: Some("core/src/ptr/mod.rs".into()), ..place(function, 1, true) }
}

/// The clock in the loop, a yield with a critical section inlined into it, another CPU's interrupt.
fn places(address: u64) -> Vec<Place> {
    match address {
        CLOCK | 0x11 => vec![
            place("bench_api::bencher::timed", 9, true),
            place("bench_api::Bencher::iter::<F>", 5, false),
        ],
        0x20..0x30 => vec![
            library("core::ptr::read"),
            place("percpu::cell::Own<u32>::get", 30, true),
            place("kernel_core::cpu::critical::{{closure}}", 31, true),
            place("kernel_core::thread::yield_now", 32, false),
        ],
        0x30..0x40 => vec![place("<arch::Bell as ipiq::Bell>::ring", 40, false)],
        _ => Vec::new(),
    }
}

fn paths(empty: (&[u64], u64), sample: (&[u64], &[u64])) -> Paths {
    let mut paths = Paths::default();
    paths.explained("t/a", 0, true, vec![empty.1]);
    paths.executed(&steps(empty.0));
    paths.executed(&steps(sample.0));
    paths.explained("t/a", 0, false, sample.1.to_vec());
    paths
}

fn result(ops: u64, min: u64) -> BenchResult {
    use bench_api::wire::{MAX_BYTES, Record, Values};
    let mut collector = Collector::default();
    let values = [min; 7];
    let mut last = None;
    for record in [
        Record::BenchBegin { name: "t/a" },
        Record::Samples { name: "t/a", runs: Values::Plain(&[min, 3]) },
        Record::Counters { name: "t/a", values: Values::Plain(&[]) },
        Record::BenchEnd {
            name: "t/a",
            goal: "",
            ok: true,
            unit: "insns",
            n: 3,
            warmup: 2,
            batch: 1,
            ops,
            overhead: 2,
            overhead_max: 2,
            summary: Values::Plain(&values),
            message: "",
        },
    ] {
        let mut buffer = [0; MAX_BYTES];
        let bytes = record.encode(&mut buffer).expect("it fits");
        last = Some(collector.feed(bytes).expect("it makes sense"));
    }
    match last {
        Some(Event::Bench(result)) => result,
        other => panic!("{other:?}"),
    }
}

fn reads_clock(address: u64) -> bool {
    address == CLOCK
}

const OTHER_CPU: u64 = 1 << 32;

fn read(step: &Step) -> bool {
    step.address == CLOCK
}

fn shown(all: &[Step], ticks: &[u64]) -> Vec<Vec<Step>> {
    windows(all, ticks, 0, &read).iter().map(|window| window.shown.to_vec()).collect()
}

#[test]
fn a_sample_lies_between_two_readings_of_its_cpus_clock() {
    // Readings before and after; one of another CPU's; one inside the sample, which the clock's word steps over.
    let all = steps(&[1, CLOCK, 2, CLOCK, 3, OTHER_CPU + CLOCK, CLOCK, 4, CLOCK, 5, CLOCK]);
    assert_eq!(shown(&all, &[2]), [&all[2..4]]);
    assert_eq!(shown(&all, &[3, 2]), [&all[4..7], &all[9..11]]);
    assert_eq!(shown(&all, &[5]), [&all[2..7]]);
}

#[test]
fn a_sample_may_end_on_another_cpu() {
    let all = steps(&[CLOCK, 2, OTHER_CPU + 3, OTHER_CPU + CLOCK, 4, 5, 6, CLOCK]);
    assert_eq!(shown(&all, &[3]), [&all[1..4]]);
}

#[test]
fn a_sample_may_be_another_cpus() {
    let all = steps(&[1, OTHER_CPU + CLOCK, OTHER_CPU + 2, 3, OTHER_CPU + CLOCK, 4]);
    assert_eq!(shown(&all, &[3]), [&all[2..5]]);
    assert_eq!(shown(&all, &[2]).len(), 0);
}

#[test]
fn a_sample_may_be_a_difference() {
    let all = steps(&[CLOCK, 2, CLOCK, CLOCK, 3, 4, 5, 6, 7, 8, CLOCK]);
    let windows = windows(&all, &[5], 0, &read);
    assert_eq!(windows, [Window { shown: &all[4..11], less: &all[1..3] }]);
}

#[test]
fn a_sample_that_the_clock_disagrees_with_is_taken_in_turn() {
    let all = steps(&[CLOCK, 2, CLOCK, CLOCK, 3, 4, CLOCK]);
    assert_eq!(shown(&all, &[1000]), [&all[1..3]]);
    assert_eq!(shown(&all, &[2, 3, 4]).len(), 2);
}

#[test]
fn the_sample_that_shows_the_figure_is_chosen() {
    let paths =
        paths((&[CLOCK, CLOCK], 1), (&[CLOCK, 0x20, 0x21, CLOCK, CLOCK, 0x20, CLOCK], &[3, 2]));
    let followed = paths.followed("t/a", 1, &reads_clock).expect("both paths");
    assert_eq!((followed.sample.len(), followed.ticks), (2, (2, 1)));
    assert!(paths.followed("t/b", 1, &reads_clock).is_none());
}

#[test]
fn the_empty_loop_is_taken_off_line_by_line() {
    let mut all = rows(&steps(&[0x11, 0x20, 0x21, CLOCK]), &places);
    subtract(&mut all, rows(&steps(&[0x11, 0x30, CLOCK]), &places));
    let left: Vec<_> = all.iter().map(|row| (row.function.as_str(), row.count)).collect();
    assert_eq!(left, [("yield_now", 2), ("less: taken off, as the empty loop is", -1)]);
}

#[test]
fn a_table_adds_up() {
    let paths = paths(
        (&[CLOCK, 0x11, CLOCK], 2),
        (&[CLOCK, 0x20, 0x21, OTHER_CPU + 0x30, 0x22, OTHER_CPU + 0x31, 0x99, 0x11, CLOCK], &[8]),
    );
    let followed = paths.followed("t/a", 6, &reads_clock).expect("both paths");
    let text = draw(&result(2, 6), &followed, &places, 80);
    assert_eq!(
        text,
        "\
why t/a: instructions of one operation; a sample is 2
  insns share  function, inlined < into, line
      2   67%  CPU 0, which measures
   1.50   50%  yield_now
   1.50   50%    Own::get < critical::{}                           a/src/b.rs:30
   0.50   17%  unknown code
   0.50   17%    .                                                 0x99
      1   33%  CPU 1
      1   33%  ring
      1   33%    .                                                 a/src/b.rs:40
      3  100%  the figure (min)
"
    );
}

#[test]
fn what_is_not_shown_is_named() {
    let paths = paths((&[CLOCK, CLOCK], 1), (&[CLOCK, 0x20, CLOCK], &[50]));
    let followed = paths.followed("t/a", 40, &reads_clock).expect("both paths");
    let text = draw(&result(1, 40), &followed, &places, 80);
    assert!(
        text.contains("     48 4800%  not shown: time asleep, or another stretch of the clock\n"),
        "{text}"
    );
    assert!(text.contains("     -9 -900%  this sample is not the smallest\n"), "{text}");
}

#[test]
fn a_narrow_terminal_cuts_names() {
    let paths = paths((&[CLOCK, CLOCK], 1), (&[CLOCK, 0x20, CLOCK], &[2]));
    let followed = paths.followed("t/a", 1, &reads_clock).expect("both paths");
    let text = draw(&result(1, 1), &followed, &places, 44);
    assert!(text.lines().skip(2).all(|line| line.chars().count() <= 44), "{text}");
    assert!(text.contains("  Own::get      a/src/b.rs:30"), "{text}");
}

#[test]
fn names_are_short() {
    for (long, brief) in [
        ("kernel_core::thread::yield_now", "yield_now"),
        ("lwkt_sched::scheduler::Scheduler<Q>::yield_now", "Scheduler::yield_now"),
        ("<arch::Bell as ipiq::Bell>::ring", "ring"),
        ("bench_api::Bencher::iter::{{closure}}", "Bencher::iter::{}"),
        ("timed<fn(u64) -> u64>", "timed"),
        ("suite::BENCH::{{closure}}::{{closure}}", "BENCH::{}"),
        ("syscall_entry", "syscall_entry"),
    ] {
        assert_eq!(short(long), brief);
    }
}
