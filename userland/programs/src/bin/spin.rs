//! Does nothing, for ever, on all its CPU processes, with upcalls off: it can only be ended from outside.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::{process, thread};
use programs::{spawn, spread};

program::main!(spin);

fn spin() -> i64 {
    let carriers = spread(process::argument(2));
    (1..carriers).for_each(|index| drop(spawn(index, forever)));
    forever()
}

fn forever() -> ! {
    let _ = process::set_tick(0);
    thread::yield_now();
    uarch::hostile::spin()
}
