//! The benchmarks that measure from ring 3: a file for each cost, in `costs/`, found by the build script and the linker.
//!
//! Law: a file is complete. It says in one sentence what it measures, what would make it lie, and the shape to expect; it
//! calls the layer as any program would. The first thread measures; preemption is off, so no tick falls into a window.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod environment;

include!(concat!(env!("OUT_DIR"), "/costs.rs"));

use bench_api::arguments::{self, FILTER_BYTES};
use bench_api::wire::{MAX_BYTES, Record};
use environment::Ring3;
use program::{memory, process};

/// Most samples that a benchmark may take.
const SAMPLES: usize = 10_000;

program::main!(measure);

/// Runs or lists what the kernel asked for; the status is the number of benchmarks that failed.
fn measure() -> i64 {
    let words = core::array::from_fn(process::argument);
    let mut text = [0; FILTER_BYTES];
    let Some((settings, list)) = arguments::unpack(&words, &mut text) else {
        program::println!("bench-user: arguments that mean nothing");
        return 1;
    };
    if list {
        bench_api::list(&settings, &mut emit);
        return 0;
    }
    let (Ok(samples), Ok(())) = (memory::array(SAMPLES, |_| 0), process::set_tick(0)) else {
        program::println!("bench-user: no memory for samples");
        return 1;
    };
    bench_api::run::run::<Ring3>(&settings, samples, &mut emit).failed as i64
}

/// Hands a record to the kernel, which sends it out.
fn emit(record: &Record<'_>) {
    let mut buffer = [0; MAX_BYTES];
    let sent = record.encode(&mut buffer).is_ok_and(|bytes| process::record(bytes).is_ok());
    assert!(sent, "the kernel takes a record");
}
