//! Abort against everything that can come between, in many orders: exactly one reply always.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use lwkt_sched::{MayBlock, sim};

use super::single::{serve, serve_later};
use super::{Double, Doubler, explore, leak, message, owned};
use crate::{
    Aborter, Error, Port, ReplyPort, SpinPort, SyncPort, ThreadPort, wait_any, wait_any_until,
};

const RUNS: usize = 200;

fn thread_port() -> &'static ThreadPort<Double> {
    leak(ThreadPort::new())
}

/// Counts on what it is called with.
fn count(_: &percpu::Crit, word: usize) {
    // SAFETY: the tests hand in counters that they have leaked.
    #[allow(unsafe_code)]
    let counter = unsafe { &*core::ptr::with_exposed_provenance::<AtomicUsize>(word) };
    counter.fetch_add(1, Ordering::Relaxed);
}

fn word(counter: &'static AtomicUsize) -> usize {
    core::ptr::from_ref(counter).expose_provenance()
}

/// Both may come first; a message that was received is answered by its receiver.
#[test]
fn abort_against_receive_and_reply() {
    let seen = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let outcomes = seen.clone();
    explore(3, RUNS, move |cx| {
        let port = thread_port();
        let server = sim::spawn(2, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            let mut served = 0;
            while let Some(message) = server.receive_until(cx, 1_000) {
                let twice = message.body().number * 2;
                message.reply(twice);
                served += 1;
            }
            assert!(served <= 4);
        });
        assert!(port.assign(server.thread()));
        let outcomes = outcomes.clone();
        let client = sim::spawn(1, "client", move |cx| {
            for number in [1, 2] {
                let sent = port.send(owned(number)).abort();
                let (reply, mut message) = sent.wait(cx).take();
                match reply {
                    Ok(twice) => assert_eq!(twice, number * 2),
                    Err(error) => {
                        assert!(matches!(error, Error::Aborted | Error::Closed), "{error:?}")
                    }
                }
                outcomes[usize::from(reply.is_ok())].fetch_add(1, Ordering::Relaxed);
                // The same memory again, which nothing of before reaches any more.
                message.body().number = 9;
                let (reply, _) = port.send(message).wait(cx).take();
                assert!(matches!(reply, Ok(18) | Err(Error::Closed)), "{reply:?}");
            }
        });
        client.join(cx);
        server.join(cx);
    });
    assert!(seen.iter().all(|one| one.load(Ordering::Relaxed) > 0), "{seen:?}");
}

#[test]
fn abort_against_forward() {
    let seen = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let outcomes = seen.clone();
    explore(3, RUNS, move |cx| {
        let (first, second) = (thread_port(), thread_port());
        let forwarder = sim::spawn(1, "forwarder", move |cx| {
            let mut server = first.claim(cx).unwrap();
            if let Some(message) = server.receive_until(cx, 1_000) {
                message.forward(second);
            }
        });
        assert!(first.assign(forwarder.thread()));
        let worker = sim::spawn(2, "worker", move |cx| {
            let mut server = second.claim(cx).unwrap();
            sim::yield_now(cx);
            if let Some(message) = server.receive_until(cx, 2_000) {
                let twice = message.body().number * 2;
                message.reply(twice);
            }
        });
        assert!(second.assign(worker.thread()));
        let sent = first.send(owned(4));
        // Early in some runs, late in others.
        let runs: usize = outcomes.iter().map(|one| one.load(Ordering::Relaxed)).sum();
        for _ in 0..runs % 16 {
            sim::yield_now(cx);
        }
        let (reply, _) = sent.abort().wait(cx).take();
        assert!(matches!(reply, Ok(8) | Err(Error::Aborted | Error::Closed)), "{reply:?}");
        outcomes[usize::from(reply.is_ok())].fetch_add(1, Ordering::Relaxed);
        forwarder.join(cx);
        worker.join(cx);
    });
    assert!(seen.iter().all(|one| one.load(Ordering::Relaxed) > 0), "{seen:?}");
}

#[test]
fn abort_against_the_death_of_the_port() {
    explore(3, RUNS, |cx| {
        let port = thread_port();
        let server = sim::spawn(2, "server", move |cx| serve(port, 1, cx));
        assert!(port.assign(server.thread()));
        let clients: Vec<_> = (0..2)
            .map(|cpu| {
                sim::spawn(cpu, "client", move |cx| {
                    let sent: Vec<_> = (1..3).map(|number| port.send(owned(number))).collect();
                    for one in sent {
                        let (reply, mut message) = one.abort().wait(cx).take();
                        let number = message.body().number;
                        assert!(
                            matches!(reply, Err(Error::Aborted | Error::Closed))
                                || reply == Ok(number * 2),
                            "{reply:?}"
                        );
                    }
                    // Ends the server, if nobody was quick enough.
                    let _ = port.do_(cx, &mut message(7));
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join(cx));
        server.join(cx);
    });
}

/// A port that a second thread takes over, on another CPU, while requests for messages of the first are on their way.
#[test]
fn abort_against_a_new_owner() {
    explore(3, RUNS, |cx| {
        let port = thread_port();
        let first = sim::spawn(1, "first", move |cx| {
            if let Some(mut server) = port.claim(cx)
                && let Some(message) = server.receive_until(cx, 500)
            {
                message.reply(1);
            }
        });
        let second = sim::spawn(2, "second", move |cx| {
            for _ in 0..4 {
                let Some(mut server) = port.claim(cx) else {
                    sim::yield_now(cx);
                    continue;
                };
                if let Some(message) = server.receive_until(cx, 900) {
                    message.reply(2);
                }
            }
        });
        for number in 0..2 {
            let (reply, _) = port.send(owned(number)).abort().wait(cx).take();
            let fits = matches!(reply, Ok(1 | 2) | Err(Error::Closed | Error::Aborted));
            assert!(fits, "{reply:?}");
        }
        first.join(cx);
        second.join(cx);
    });
}

/// Sender, receiver, and the one it is forwarded to all change their CPU meanwhile.
#[test]
fn abort_finds_those_that_move() {
    explore(3, RUNS, |cx| {
        let (first, second) = (thread_port(), thread_port());
        let forwarder = sim::spawn(0, "forwarder", move |cx| {
            let mut server = first.claim(cx).unwrap();
            for cpu in [1, 2] {
                let message = server.receive(cx);
                sim::migrate(cx, cpu);
                message.forward(second);
            }
        });
        assert!(first.assign(forwarder.thread()));
        let worker = sim::spawn(1, "worker", move |cx| {
            let mut server = second.claim(cx).unwrap();
            sim::migrate(cx, 2);
            while let Some(message) = server.receive_until(cx, 2_000) {
                sim::migrate(cx, 0);
                let twice = message.body().number * 2;
                message.reply(twice);
            }
        });
        assert!(second.assign(worker.thread()));
        let client = sim::spawn(1, "client", move |cx| {
            let sent: Vec<_> = (1..3).map(|number| first.send(owned(number))).collect();
            sim::migrate(cx, 2);
            for one in sent {
                let asked = one.abort();
                sim::migrate(cx, 0);
                let (reply, mut message) = asked.wait(cx).take();
                let number = message.body().number;
                let fits =
                    matches!(reply, Err(Error::Aborted | Error::Closed)) || reply == Ok(number * 2);
                assert!(fits, "{reply:?}");
            }
            // Whom it takes to end the forwarder.
            for _ in 0..2 {
                let _ = first.do_(cx, &mut message(7));
            }
        });
        client.join(cx);
        forwarder.join(cx);
        worker.join(cx);
    });
}

/// Nobody receives: the message is out of its queue at once, and the others are not disturbed.
#[test]
fn a_queued_message_comes_back_at_once() {
    explore(2, 50, |cx| {
        for home in [0, 1] {
            let port = thread_port();
            let (server, go) = serve_later(home, port, 2);
            assert!(port.assign(server.thread()));
            let mut sent: Vec<_> = (1..5).map(|number| port.send(owned(number))).collect();
            let (last, second) = (sent.remove(3), sent.remove(1));
            for one in [second, last] {
                assert_eq!(one.abort().wait(cx).take().0, Err(Error::Aborted));
            }
            assert_eq!(go.do_(cx, &mut message(0)), Ok(0));
            let replies: Vec<_> = sent.into_iter().map(|one| one.wait(cx).take().0).collect();
            assert_eq!(replies, [Ok(2), Ok(6)]);
            server.join(cx);
        }
    });
}

/// Passed on before it is asked for, to a port at which nobody receives yet, wherever that is.
#[test]
fn a_forwarded_message_is_found() {
    explore(3, 100, |cx| {
        for home in [0, 1, 2] {
            let (first, second) = (thread_port(), thread_port());
            let (server, go) = serve_later(home, second, 1);
            let forwarder = sim::spawn(1, "forwarder", move |cx| {
                let mut server = first.claim(cx).unwrap();
                server.receive(cx).forward(second);
                server.receive(cx).reply(0);
            });
            assert!(first.assign(forwarder.thread()));
            let sent = first.send(owned(1));
            // Answered after the other was passed on.
            assert_eq!(first.do_(cx, &mut message(0)), Ok(0));
            assert_eq!(sent.abort().wait(cx).take().0, Err(Error::Aborted));
            assert_eq!(go.do_(cx, &mut message(0)), Ok(0));
            assert_eq!(second.do_(cx, &mut message(4)), Ok(8));
            forwarder.join(cx);
            server.join(cx);
        }
    });
}

/// The receiver is told once, and sees it, and answers as it likes.
#[test]
fn a_held_message_is_told_of() {
    explore(2, RUNS, |cx| {
        let port = thread_port();
        let calls: &'static AtomicUsize = leak(AtomicUsize::new(0));
        let server = sim::spawn(1, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            let message = server.receive(cx);
            let held = server.hold(message, count, word(calls));
            // A second one, received while the first is held.
            server.receive(cx).reply(0);
            while calls.load(Ordering::Relaxed) == 0 {
                sim::yield_now(cx);
            }
            assert!(held.abort_requested());
            held.reply(77);
        });
        assert!(port.assign(server.thread()));
        let sent = port.send(owned(1));
        let other = port.send(owned(2));
        assert_eq!(other.wait(cx).take().0, Ok(0));
        let (reply, message) = sent.abort().wait(cx).take();
        assert_eq!((reply, calls.load(Ordering::Relaxed)), (Ok(77), 1));
        server.join(cx);
        // Nothing of the request is left on the message.
        let sync = leak(SyncPort::new(Doubler));
        assert_eq!(sync.send(message).wait(cx).take().0, Ok(2));
    });
}

/// What was asked for before it is held, and while it is.
#[test]
fn abort_against_hold() {
    explore(2, RUNS, |cx| {
        let port = thread_port();
        let calls: &'static AtomicUsize = leak(AtomicUsize::new(0));
        let server = sim::spawn(1, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            if let Some(message) = server.receive_until(cx, 1_000) {
                let held = server.hold(message, count, word(calls));
                sim::yield_now(cx);
                held.reply(5);
            }
        });
        assert!(port.assign(server.thread()));
        let (reply, _) = port.send(owned(1)).abort().wait(cx).take();
        let calls = calls.load(Ordering::Relaxed);
        match reply {
            Ok(5) => assert!(calls <= 1),
            _ => {
                assert!(matches!(reply, Err(Error::Aborted | Error::Closed)), "{reply:?}");
                assert_eq!(calls, 0);
            }
        }
        server.join(cx);
    });
}

/// A message that its sender gives up comes back with the others, whatever becomes of it.
#[test]
fn a_message_that_is_given_up() {
    explore(2, RUNS, |cx| {
        let port = thread_port();
        let server = sim::spawn(1, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            while let Some(message) = server.receive_until(cx, 1_000) {
                let twice = message.body().number * 2;
                message.reply(twice);
            }
        });
        assert!(port.assign(server.thread()));
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        let mut replies = replies.claim(cx).unwrap();
        let sent: Vec<_> = (1..4).map(|number| port.send(owned(number))).collect();
        for one in sent {
            one.give_up(&mut replies);
        }
        assert_eq!(replies.outstanding(), 3);
        let mut numbers = Vec::new();
        while let Some(replied) = replies.wait_any(cx) {
            let (reply, mut message) = replied.take();
            let number = message.body().number;
            numbers.push(number);
            let fits =
                matches!(reply, Err(Error::Aborted | Error::Closed)) || reply == Ok(number * 2);
            assert!(fits, "{reply:?}");
            // Asked for no more: it goes all the way.
            let (reply, _) = port.send(message).wait(cx).take();
            assert!(reply == Ok(number * 2) || reply == Err(Error::Closed), "{reply:?}");
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3]);
        server.join(cx);
    });
}

/// A `do` that another thread aborts, from another CPU; what comes late has no effect, nor on the next.
#[test]
fn an_aborter_against_the_end_of_the_do() {
    let seen = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let outcomes = seen.clone();
    explore(3, RUNS, move |cx| {
        let port = thread_port();
        let aborter: &'static Aborter<Double> = leak(Aborter::new());
        let server = sim::spawn(2, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            sim::yield_now(cx);
            while let Some(message) = server.receive_until(cx, 1_000) {
                let twice = message.body().number * 2;
                message.reply(twice);
            }
        });
        assert!(port.assign(server.thread()));
        let other = sim::spawn(1, "other", move |_| aborter.abort());
        let reply = port.do_abortable(cx, &mut message(3), aborter);
        assert!(matches!(reply, Ok(6) | Err(Error::Aborted | Error::Closed)), "{reply:?}");
        outcomes[usize::from(reply.is_ok())].fetch_add(1, Ordering::Relaxed);
        other.join(cx);
        let reply = port.do_abortable(cx, &mut message(3), aborter);
        assert!(matches!(reply, Ok(6) | Err(Error::Closed)), "{reply:?}");
        server.join(cx);
    });
    assert!(seen.iter().all(|one| one.load(Ordering::Relaxed) > 0), "{seen:?}");
}

/// Deadlines against replies: whichever is first, nothing is lost or doubled.
#[test]
fn waits_end_at_their_deadline() {
    explore(2, RUNS, |cx| {
        let port = thread_port();
        let server = sim::spawn(1, "server", move |cx| {
            sim::sleep(cx, lwkt_sched::Why::SLEEP, 1_000);
            serve(port, 2, cx);
        });
        assert!(port.assign(server.thread()));
        // Long before anybody receives, or just when somebody does.
        for deadline in [10, 1_000] {
            let reply = port.do_until(cx, &mut message(1), deadline);
            assert!(matches!(reply, Ok(2) | Err(Error::Aborted)), "{reply:?}");
        }
        let sent = port.send(owned(4));
        let mut tries = 0;
        let mut waiting = Some(sent);
        while let Some(sent) = waiting.take() {
            match sent.wait_until(cx, sim::now() + 400) {
                Ok(replied) => {
                    let reply = replied.take().0;
                    assert!(matches!(reply, Ok(8) | Err(Error::Closed)), "{reply:?}");
                }
                Err(sent) => waiting = Some(sent),
            }
            tries += 1;
            assert!(tries < 1_000);
        }
        // Ends the server, if it was not yet.
        for _ in 0..2 {
            let _ = port.do_(cx, &mut message(7));
        }
        server.join(cx);
    });
}

#[test]
fn waiting_for_any_until() {
    explore(2, 100, |cx| {
        let port = thread_port();
        let mine = thread_port();
        let mut own = mine.claim(cx).unwrap();
        assert!(own.receive_until(cx, 5).is_none());
        let server = sim::spawn(1, "server", move |cx| {
            sim::sleep(cx, lwkt_sched::Why::SLEEP, 500);
            serve(port, 1, cx);
        });
        assert!(port.assign(server.thread()));
        let sent = port.send(owned(4));
        match wait_any_until(cx, [&own, &sent], 100) {
            None => {}
            Some(which) => assert_eq!(which, 1),
        }
        assert_eq!(wait_any(cx, [&own, &sent]), 1);
        assert_eq!(sent.poll().expect("it said so").take().0, Ok(8));
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        let mut replies = replies.claim(cx).unwrap();
        assert!(replies.wait_any_until(cx, 5).is_none());
        server.join(cx);
    });
}

/// In the queue of a lock, wherever the sender is.
#[test]
fn abort_at_a_spin_port() {
    let seen = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let outcomes = seen.clone();
    explore(3, RUNS, move |cx| {
        let port: &'static SpinPort<Double> = leak(SpinPort::new());
        let receivers: Vec<_> = (1..3)
            .map(|cpu| {
                let mut receiver = port.receiver();
                sim::spawn(cpu, "receiver", move |cx| receive_spin(&mut receiver, cx))
            })
            .collect();
        let sent: Vec<_> = (1..4).map(|number| port.send(owned(number))).collect();
        for one in sent {
            let (reply, mut message) = one.abort().wait(cx).take();
            let twice = message.body().number * 2;
            let fits = matches!(reply, Err(Error::Aborted | Error::Closed)) || reply == Ok(twice);
            assert!(fits, "{reply:?}");
            outcomes[usize::from(reply.is_ok())].fetch_add(1, Ordering::Relaxed);
        }
        receivers.into_iter().for_each(|one| one.join(cx));
        assert_eq!(port.do_(cx, &mut message(7)), Err(Error::Closed));
    });
    assert!(seen.iter().all(|one| one.load(Ordering::Relaxed) > 0), "{seen:?}");
}

fn receive_spin(receiver: &mut crate::Receiver<Double>, cx: &mut MayBlock) {
    while let Some(message) = receiver.receive_until(cx, 1_000) {
        let twice = message.body().number * 2;
        message.reply(twice);
    }
}
