//! Does one thing that a program may not do: the one whose number is its argument. Status 0 says that it came back as it should,
//! 1 that it should not have, 99 that there is no such deed.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::{Error, println, process, thread};
use programs::{ensure, spread, steps};
use uarch::hostile::{FATAL, HARMLESS, foreign_interrupt, foreign_syscall};

program::main!(hostile_deeds);

fn hostile_deeds() -> i64 {
    let carriers = spread(process::argument(2));
    let deed = steps() as usize;
    let handle = programs::spawn(carriers - 1, move || perform(deed));
    handle.join()
}

fn perform(deed: usize) -> i64 {
    if let Some((name, deed)) = FATAL.get(deed) {
        // SAFETY: it ends the program.
        unsafe { deed() };
        println!("{name} came back");
        return 1;
    }
    if let Some((name, harmless)) = HARMLESS.get(deed - FATAL.len()) {
        // SAFETY: it comes back, with the registers that a C function keeps.
        unsafe { harmless() };
        thread::yield_now();
        println!("{name} came back");
        return 0;
    }
    if deed > FATAL.len() + HARMLESS.len() {
        return 99;
    }
    let refused = -(Error::NotLayer as i64);
    for number in [0, 1, 2, 3, 39, 60, u64::MAX] {
        let status = foreign_syscall(number, [1, 2, 3]);
        ensure!(status == refused, "syscall {number} from outside the layer: {status}");
        let status = foreign_interrupt(number);
        ensure!(status == refused, "int 0x80 with {number}: {status}");
    }
    0
}
