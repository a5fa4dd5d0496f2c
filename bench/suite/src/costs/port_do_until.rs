//! What a message with a time-out costs that is answered in time.

use crate::steps::{Ask, here, with_server};
use kernel_core::exec::Threads;
use lwkt_port::{Exec, Port};

bench_api::bench! {
    name: "port/do_until",
    doc: "`do` to a thread port of this CPU until a second from now, answered before: as kernel/port_do, the clock read twice, a deadline armed and disarmed.",
    lies: "The timer of the hardware stays armed for the deadline of the first: arming it anew each time would cost more.",
    shape: "flat in CPUs, threads and ports; logarithm of the threads that sleep",
    run: |b| with_server(here(), |cx, port| {
        let mut message = Ask::after(0);
        b.iter(|| {
            let reply = port.do_until(cx, &mut message, Threads::now() + 1_000_000_000);
            message.body().go_on(reply.unwrap_or(0));
        });
        let rounds = message.body().answer();
        b.check(rounds > 2, "each message was answered, with the number after its own");
    }),
}
