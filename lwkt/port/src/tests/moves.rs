//! A port, and an aborter, whose owner leaves it and moves to the CPU that is just looking where it is.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use lwkt_sched::{MayBlock, sim};

use super::{Double, Sim, explore, leak, message};
use crate::{Aborter, Body, Error, Message, Port, PublishedPort, Received, ThreadPort};

/// T1 owns the port on CPU 1, gives it up and moves to CPU 0, where the sender is; T2 takes the port over on CPU 2.
#[test]
fn a_port_changes_hands_while_its_owner_moves_here() {
    explore(3, 1000, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let over: &'static AtomicBool = leak(AtomicBool::new(false));
        let first = sim::spawn(1, "first", move |cx| {
            let Some(server) = port.claim(cx) else { return };
            drop(server);
            sim::migrate(cx, 0);
        });
        let second = sim::spawn(2, "second", move |cx| {
            let mut server = loop {
                if let Some(server) = port.claim(cx) {
                    break server;
                }
                if over.load(SeqCst) {
                    return;
                }
                sim::yield_now(cx);
                shuttle::thread::yield_now();
            };
            while !over.load(SeqCst) {
                if let Some(one) = server.get() {
                    let number = one.body().number;
                    one.reply(number * 2);
                }
                sim::yield_now(cx);
                shuttle::thread::yield_now();
            }
        });
        for number in 0..3 {
            let reply = port.do_(cx, &mut message(number));
            assert!(matches!(reply, Ok(_) | Err(Error::Closed)), "{reply:?}");
        }
        over.store(true, SeqCst);
        first.join(cx);
        second.join(cx);
    });
}

/// As above; nobody takes the port over.
#[test]
fn a_port_closes_while_its_owner_moves_here() {
    explore(2, 500, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let over: &'static AtomicBool = leak(AtomicBool::new(false));
        let owner = sim::spawn(1, "owner", move |cx| {
            for _ in 0..4 {
                drop(port.claim(cx).unwrap());
                sim::migrate(cx, 0);
                sim::migrate(cx, 1);
            }
            over.store(true, SeqCst);
        });
        while !over.load(SeqCst) {
            assert_eq!(port.do_(cx, &mut message(1)), Err(Error::Closed));
            sim::yield_now(cx);
        }
        owner.join(cx);
    });
}

/// An aborter that one thread gives up, which moves to the CPU that aborts, and another takes over.
#[test]
fn an_aborter_changes_hands() {
    explore(3, 1000, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let aborter: &'static Aborter<Double> = leak(Aborter::new());
        let free: &'static AtomicBool = leak(AtomicBool::new(false));
        let server = sim::spawn(1, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            for _ in 0..2 {
                let deadline = sim::now() + 5;
                if let Some(one) = server.receive_until(cx, deadline) {
                    let number = one.body().number;
                    one.reply(number * 2);
                }
            }
        });
        assert!(port.assign(server.thread()));
        let one = sim::spawn(1, "one", move |cx| {
            let _ = port.do_abortable(cx, &mut message(1), aborter);
            free.store(true, SeqCst);
            sim::migrate(cx, 0);
        });
        let two = sim::spawn(2, "two", move |cx| {
            while !free.load(SeqCst) {
                sim::yield_now(cx);
                shuttle::thread::yield_now();
            }
            let _ = port.do_abortable(cx, &mut message(2), aborter);
        });
        for _ in 0..4 {
            aborter.abort();
            shuttle::thread::yield_now();
        }
        one.join(cx);
        two.join(cx);
        server.join(cx);
    });
}

/// A message whose receipt is counted, and serves messages.
struct Serving(&'static AtomicUsize);

impl Body for Serving {
    type Reply = usize;
    type Exec = Sim;
    const RECEIPT: Option<fn(&Self)> = Some(|serving| {
        serving.0.fetch_add(1, SeqCst);
        sim::crit(sim::serve);
    });
}

/// A receipt serves messages, by one of which the owner of the port is given away: the message goes after it, with no second receipt.
fn an_owner_goes_in_the_time_of_a_receipt<P: Port<Serving>>(
    new: fn() -> P,
    receive: fn(&mut MayBlock, &'static P, &dyn Fn(Received<Serving>)),
) {
    let left = &*leak(AtomicUsize::new(0));
    explore(2, 500, move |cx| {
        let (port, queued) = (&*leak(new()), &*leak(AtomicUsize::new(0)));
        let owner = sim::spawn(0, "owner", move |cx| {
            receive(cx, port, &|message| {
                left.fetch_add(sim::here().index(), SeqCst);
                let receipts = message.body().0.load(SeqCst);
                message.reply(receipts);
            });
        });
        let thread = owner.thread();
        sim::yield_now(cx);
        let pulls = sim::spawn(1, "pulls", move |_| sim::crit(|crit| sim::pull(crit, thread, 1)));
        assert_eq!(port.do_(cx, &mut Message::new(Serving(queued))), Ok(1), "receipts");
        pulls.join(cx);
        owner.join(cx);
    });
    assert!(left.load(SeqCst) > 0, "it never went");
}

#[test]
fn an_owner_goes_in_the_time_of_a_receipt_at_its_port() {
    an_owner_goes_in_the_time_of_a_receipt(ThreadPort::new, |cx, port, answer| {
        answer(port.claim(cx).unwrap().receive(cx));
    });
}

#[test]
fn an_owner_goes_in_the_time_of_a_receipt_at_a_place() {
    an_owner_goes_in_the_time_of_a_receipt(PublishedPort::new, |cx, place, answer| {
        answer(place.open(cx, leak(ThreadPort::new())).unwrap().receive(cx));
    });
}
