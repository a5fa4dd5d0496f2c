//! Ports that come and go while messages come.

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::vec::Vec;

use lwkt_sched::sim;

use super::{Double, explore, leak, message, owned};
use crate::{Error, Port, PublishedPort, ThreadPort};

fn place() -> &'static PublishedPort<Double> {
    leak(PublishedPort::new())
}

#[test]
fn one_thread_has_it_open() {
    explore(2, 100, |cx| {
        let place = place();
        assert_eq!(place.do_(cx, &mut message(1)), Err(Error::Closed));
        let mut opened = place.open(cx, leak(ThreadPort::new())).unwrap();
        let other = sim::spawn(1, "other", move |cx| {
            assert!(place.open(cx, leak(ThreadPort::new())).is_err());
            assert_eq!(place.do_(cx, &mut message(2)), Ok(4));
        });
        let one = opened.receive(cx);
        assert_eq!(one.body().number, 2);
        one.reply(4);
        other.join(cx);
        let sent = place.send(owned(3));
        let memory = opened.close(cx);
        assert_eq!(sent.wait(cx).take().0, Err(Error::Closed));
        // It is this thread's to open again, or another's.
        let mut opened = place.open(cx, memory).unwrap();
        assert!(opened.get().is_none());
        drop(opened);
        assert!(place.open(cx, leak(ThreadPort::new())).is_ok());
    });
}

/// A server opens and closes in turn; clients of all CPUs send and ask for what they sent. Each message is answered once. (That
/// nobody is at the memory between is for loom to show.)
#[test]
fn ports_come_and_go_while_messages_come() {
    explore(3, 400, |cx| {
        let place = place();
        let left = &*leak(AtomicUsize::new(2));
        let clients: Vec<_> = (0..2)
            .map(|cpu| {
                sim::spawn(cpu, "client", move |cx| {
                    for number in 0..3 {
                        let reply = match number {
                            0 => place.do_(cx, &mut message(number)),
                            1 => place.send(owned(number)).abort().wait(cx).take().0,
                            _ => place.do_until(cx, &mut message(number), sim::now() + 2),
                        };
                        match reply {
                            Ok(twice) => assert_eq!(twice, number * 2),
                            Err(error) => assert_ne!(error, Error::Dropped),
                        }
                    }
                    left.fetch_sub(1, SeqCst);
                })
            })
            .collect();
        let server = sim::spawn(2, "server", move |cx| {
            let mut memory = leak(ThreadPort::new());
            while left.load(SeqCst) > 0 {
                let mut opened = place.open(cx, memory).unwrap_or_else(|_| panic!("it is closed"));
                sim::migrate(cx, left.load(SeqCst));
                if let Some(one) = opened.receive_until(cx, sim::now() + 3) {
                    let twice = one.body().number * 2;
                    one.reply(twice);
                }
                memory = opened.close(cx);
                *memory = ThreadPort::new();
                sim::yield_now(cx);
            }
        });
        clients.into_iter().for_each(|client| client.join(cx));
        server.join(cx);
    });
}
