//! Boots a kernel and draws the run: `cargo run -p runner --example boot -- KERNEL [QEMU] [WORD...]`.

use std::{env, io, process::ExitCode, time::Duration};

use runner::{
    Request,
    screen::{Facts, Live, Look, Screen},
};

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let Some(kernel) = words.next() else {
        eprintln!("usage: boot KERNEL [QEMU] [WORD OF THE KERNEL COMMAND LINE...]");
        return ExitCode::from(2);
    };
    let mut request = Request::new(kernel);
    if let Some(qemu) = words.next() {
        request.qemu = qemu.into();
    }
    request.words = words.collect();
    request.limits.quiet = Duration::from_secs(10);
    let screen = Screen::new(io::stdout(), Look::of(&io::stdout()));
    let facts =
        Facts { version: env!("CARGO_PKG_VERSION").into(), verbose: true, ..Facts::default() };
    let mut live = Live::new(screen, facts, &request, String::new);
    match runner::run(&request, &mut live) {
        Ok(report) => {
            live.finish(&report);
            ExitCode::from(report.outcome.status() as u8)
        }
        Err(refusal) => {
            eprintln!("x: {refusal}");
            ExitCode::from(refusal.status() as u8)
        }
    }
}
