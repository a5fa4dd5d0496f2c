//! What a read costs that has to wait.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use program::sync::local::Semaphore;
use program::{Handle, io};

/// Lets the writer write one byte.
struct Turn {
    go: Semaphore,
    over: AtomicBool,
}

// SAFETY: both threads belong to the CPU process that made the semaphore.
unsafe impl Sync for Turn {}

impl Turn {
    /// The other thread: writes a byte each time, until it is over.
    fn write(&self, writer: Handle) {
        loop {
            self.go.wait();
            if self.over.load(Relaxed) || io::write(writer, &[7]) != Ok(1) {
                return;
            }
        }
    }
}

bench_api::bench! {
    name: "user/pipe_block",
    doc: "Reads an empty pipe, which blocks the thread; another thread writes the byte that wakes it.",
    lies: "Work, not latency. Both threads on one CPU process: no other CPU is woken.",
    shape: "flat in threads that wait, and in CPUs",
    run: |b| {
        let Ok((reader, writer)) = io::pipe() else { return b.check(false, "the kernel makes a pipe") };
        let turn = Turn { go: Semaphore::new(0), over: AtomicBool::new(false) };
        let mut ok = true;
        b.on(0, |_| turn.write(writer), |b| {
            b.iter(|| {
                let mut byte = [0];
                turn.go.post();
                ok &= io::read(reader, &mut byte) == Ok(1) && byte == [7];
            });
            turn.over.store(true, Relaxed);
            turn.go.post();
        });
        b.check(ok, "each read brought the byte written");
        ok = io::close(reader).is_ok() && io::close(writer).is_ok();
        b.check(ok, "the ends of the pipe are closed");
    },
}
