//! Ports between CPUs, in many orders. A lost message or wake-up is a deadlock, and shuttle says so.

use std::vec::Vec;

use lwkt_sched::sim;

use super::single::serve;
use super::{Double, explore, leak, message, owned};
use crate::{Error, Port, ReplyPort, ThreadPort, wait_any};

const RUNS: usize = 300;

#[test]
fn do_across_cpus() {
    explore(3, RUNS, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let server = sim::spawn(2, "server", move |cx| serve(port, 4, cx));
        assert!(port.assign(server.thread()));
        let clients: Vec<_> = (0..2)
            .map(|cpu| {
                sim::spawn(cpu, "client", move |cx| {
                    for number in 0..2 {
                        let mut one = message(number);
                        assert_eq!(port.do_(cx, &mut one), Ok(number * 2));
                        assert!(one.body().seen);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join(cx));
        server.join(cx);
    });
}

/// Each message once, in order per sender, all in flight at the same time.
#[test]
fn sends_keep_their_order() {
    explore(2, RUNS, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let server = sim::spawn(1, "server", move |cx| serve(port, 4, cx));
        assert!(port.assign(server.thread()));
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        let mut replies = replies.claim(cx).unwrap();
        for number in 0..4 {
            port.send_to(owned(number), &mut replies);
        }
        for number in 0..4 {
            let (reply, mut message) = replies.wait_any(cx).unwrap().take();
            assert_eq!(reply, Ok(number * 2));
            assert!(message.body().seen);
        }
        assert!(replies.wait_any(cx).is_none());
        server.join(cx);
    });
}

/// A server and a client that both change their CPU while messages and replies are on their way.
#[test]
fn messages_find_threads_that_move() {
    explore(3, RUNS, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let server = sim::spawn(0, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            for cpu in [1, 2, 0] {
                let message = server.receive(cx);
                sim::migrate(cx, cpu);
                let twice = message.body().number * 2;
                message.reply(twice);
            }
        });
        assert!(port.assign(server.thread()));
        let client = sim::spawn(1, "client", move |cx| {
            for (number, cpu) in [(1, 2), (2, 0)] {
                let sent = port.send(owned(number));
                sim::migrate(cx, cpu);
                assert_eq!(sent.wait(cx).take().0, Ok(number * 2));
            }
        });
        assert_eq!(port.do_(cx, &mut message(5)), Ok(10));
        client.join(cx);
        server.join(cx);
    });
}

/// A port that closes while messages are on their way to it: each of them is answered.
#[test]
fn a_closing_port_answers_all() {
    explore(3, RUNS, |cx| {
        let port: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let server = sim::spawn(2, "server", move |cx| serve(port, 1, cx));
        assert!(port.assign(server.thread()));
        let client = sim::spawn(1, "client", move |cx| {
            matches!(port.do_(cx, &mut message(1)), Ok(2) | Err(Error::Closed))
                .then_some(())
                .unwrap();
        });
        let sent: Vec<_> = (0..2).map(|number| port.send(owned(number))).collect();
        let served =
            sent.into_iter().map(|one| one.wait(cx).take().0).filter(Result::is_ok).count();
        assert!(served <= 1);
        client.join(cx);
        server.join(cx);
    });
}

/// Requests from two CPUs and a reply from a third, all waited for at once.
#[test]
fn waiting_for_any_across_cpus() {
    explore(3, RUNS, |cx| {
        let requests: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let slow: &'static ThreadPort<Double> = leak(ThreadPort::new());
        let worker = sim::spawn(2, "worker", move |cx| serve(slow, 1, cx));
        assert!(slow.assign(worker.thread()));
        let mut server = requests.claim(cx).unwrap();
        let clients: Vec<_> = (1..3)
            .map(|cpu| {
                sim::spawn(cpu, "client", move |cx| {
                    assert_eq!(requests.do_(cx, &mut message(1)), Ok(7))
                })
            })
            .collect();
        let mut sent = Some(slow.send(owned(3)));
        let mut served = 0;
        while sent.is_some() || served < 2 {
            let first = match &sent {
                Some(sent) => wait_any(cx, [sent, &server]),
                None => 1 + wait_any(cx, [&server]),
            };
            if first == 0 {
                let replied = sent.take().and_then(|sent| sent.poll().ok()).expect("it said so");
                assert_eq!(replied.take().0, Ok(6));
            } else {
                server.get().expect("it said so").reply(7);
                served += 1;
            }
        }
        clients.into_iter().for_each(|client| client.join(cx));
        worker.join(cx);
    });
}
