//! What it costs to have a message spread over several ports.

use crate::steps::{Ask, here, with_server};
use lwkt_port::{Group, InTurn, Port, ThreadPort};

/// One thread behind all places, so that what is added to kernel/port_do is the choice.
static GROUP: Group<Ask, ThreadPort<Ask>, InTurn, 4> = Group::new(InTurn::new());

bench_api::bench! {
    name: "port/group",
    doc: "`do` to a group of four thread ports of this CPU, each in turn: as kernel/port_do, and the choice of the member.",
    lies: "Empty places before the member would be looked at, too.",
    shape: "flat in members, CPUs and threads",
    run: |b| with_server(here(), |cx, port| {
        let places = [(); 4].map(|()| GROUP.join(port));
        let mut message = Ask::after(0);
        b.iter(|| {
            let reply = GROUP.do_(cx, &mut message).unwrap_or(0);
            message.body().go_on(reply);
        });
        let rounds = message.body().answer();
        b.check(rounds > 2, "each message was answered, with the number after its own");
        places.into_iter().flatten().for_each(|place| {
            GROUP.leave(place);
        });
    }),
}
