//! Takes all memory there is, then goes on calling the kernel: what cannot be had is refused, or the program ends.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::{io, memory, port, process, thread};
use programs::{ensure, seed, spread, stats};

program::main!(hostile_memory);

fn hostile_memory() -> i64 {
    let carriers = spread(process::argument(2));
    let threads: [_; 8] = core::array::from_fn(|_| {
        thread::builder().small().spawn(|| (0..50).for_each(|_| thread::sleep(10_000))).ok()
    });
    let mapped = memory::map(1 << 40);
    let Ok(huge) = mapped else { return ensure_none() };
    // All but a few pages, and then the calls; or all of them, which ends the program.
    let leave = if seed().is_multiple_of(2) { 0 } else { 40 };
    let mut page = 0;
    while stats().free_frames > leave || leave == 0 {
        for _ in 0..16 {
            // SAFETY: fresh memory of this program.
            unsafe { ((huge + page * 4096) as *mut u64).write_volatile(page) };
            page += 1;
        }
        if leave != 0 && stats().free_frames < 2000 {
            break;
        }
    }
    while stats().free_frames > leave {
        // SAFETY: as above.
        unsafe { ((huge + page * 4096) as *mut u64).write_volatile(page) };
        page += 1;
    }
    let mut bytes = [0; 4096];
    for number in 0..200 {
        let pipe = io::pipe();
        if let Ok((reader, writer)) = pipe {
            let _ = (io::write(writer, &bytes), io::read(reader, &mut bytes), number);
        }
        let _ = (process::rfork(number % 4), memory::map(4096), port::create("memory"));
        if let Ok(made) =
            thread::builder().on((number % u64::from(carriers)) as u8).spawn(move || number)
        {
            let _ = made.join();
        }
    }
    drop(threads);
    0
}

fn ensure_none() -> i64 {
    ensure!(false, "no room for a terabyte");
    1
}
