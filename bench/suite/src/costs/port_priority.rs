//! What a priority message costs.

use crate::steps::{Ask, here, with_server};
use lwkt_port::Port;

bench_api::bench! {
    name: "port/priority",
    doc: "`do` with a priority message to a thread port of this CPU, where no other waits: as kernel/port_do.",
    lies: "Behind others of its like it costs a look at each of them; behind ordinary ones it does not.",
    shape: "flat in ordinary messages that wait, linear in priority messages that do",
    run: |b| with_server(here(), |cx, port| {
        let mut message = Ask::after(0);
        b.iter(|| {
            let reply = port.urgent().do_(cx, &mut message).unwrap_or(0);
            message.body().go_on(reply);
        });
        let rounds = message.body().answer();
        b.check(rounds > 2, "each message was answered, with the number after its own");
    }),
}
