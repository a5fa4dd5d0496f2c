//! Tries to keep the CPU from its equals by means of its own tick: it can only be ended from outside.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::{process, thread};
use programs::ensure;

program::main!(greedy);

/// A tick that never comes.
const NEVER: u64 = 1 << 60;

fn greedy() -> i64 {
    let set = process::set_tick(NEVER);
    ensure!(set.is_ok(), "set_tick: {set:?}");
    match process::argument(3) {
        0 => uarch::hostile::spin(),
        1 => loop {
            let _ = process::set_tick(NEVER);
        },
        _ => loop {
            thread::sleep(NEVER);
        },
    }
}
