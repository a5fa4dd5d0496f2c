//! A token and a thread that waits with it in hand.

use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use core::cell::Cell;
use kernel_core::token::{Outer, Token};
use kernel_core::{cpu, thread};
use lwkt_sched::{MayBlock, Name, Priority, Reason, Why};

check! {
    name: "kernel/token_wait",
    doc: "A token is let go while its thread waits, on a busy CPU and on one that rests, and is there when it comes back.",
    kind: Test,
    run: token_wait,
}

static TOKEN: Token<Cell<usize>> = Token::new(Cell::new(0));

fn token_wait(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let me = thread::current();
    TOKEN.lock(cx).set(0);
    let mut rounds = 0;
    for cpu in cpu::all() {
        // The other thread can have the token only while this one waits; on its own CPU or on another, which leaves this
        // one at rest.
        let mut held = TOKEN.lock(cx);
        let started = thread::spawn_on(cpu.id(), Name::new("taker"), Priority::SERVER, move |cx| {
            let held = TOKEN.lock(cx);
            held.set(held.get() + 1);
            cpu::critical(|crit| thread::wake(crit, me));
        });
        let handle = started.map_err(|_| String::from("no memory"))?;
        rounds += 1;
        let before = held.get();
        ensure!(before == rounds - 1, "the token was taken from who holds it");
        while held.get() < rounds {
            cpu::critical(|crit| thread::block(crit, held.cx(), Why::on(Reason::Event, &TOKEN)));
        }
        let mut again = TOKEN.lock(&mut held);
        thread::sleep(again.cx(), 20_000);
        ensure!(again.get() == rounds, "{} instead of {rounds}", again.get());
        drop(again);
        handle.join(held.cx());
    }
    Ok(String::new())
}
