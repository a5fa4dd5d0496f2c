//! What each port does, on one CPU.

use std::vec::Vec;

use lwkt_sched::sim;
use lwkt_sched::{MayBlock, State};

use super::{Double, Doubler, explore, leak, message, owned};
use crate::{
    Error, Handler, Offered, Outcome, Port, Replied, ReplyPort, Server, SyncPort, Taken,
    ThreadPort, wait_any,
};

fn once(main: impl Fn(&mut MayBlock) + Send + Sync + 'static) {
    explore(1, 20, main);
}

fn thread_port() -> &'static ThreadPort<Double> {
    leak(ThreadPort::new())
}

/// A thread that doubles `count` numbers.
fn server(port: &'static ThreadPort<Double>, count: usize) -> sim::Handle {
    let handle = sim::spawn(0, "server", move |cx| serve(port, count, cx));
    assert!(port.assign(handle.thread()));
    handle
}

pub fn serve(port: &'static ThreadPort<Double>, count: usize, cx: &mut MayBlock) {
    let mut server = port.claim(cx).expect("nobody else receives");
    for _ in 0..count {
        let mut message = server.receive(cx);
        message.body_mut().seen = true;
        let twice = message.body().number * 2;
        message.reply(twice);
    }
}

/// A thread on `cpu` that serves when it is told to, at the second port.
pub fn serve_later(
    cpu: usize,
    port: &'static ThreadPort<Double>,
    count: usize,
) -> (sim::Handle, &'static ThreadPort<Double>) {
    let go = thread_port();
    let handle = sim::spawn(cpu, "server", move |cx| {
        serve(go, 1, cx);
        serve(port, count, cx);
    });
    assert!(port.assign(handle.thread()) && go.assign(handle.thread()));
    (handle, go)
}

#[test]
fn a_sync_port_answers_in_the_caller() {
    once(|cx| {
        let port = leak(SyncPort::new(Doubler));
        let mut one = message(21);
        assert_eq!(port.do_(cx, &mut one), Ok(42));
        assert!(one.body().seen);
        // No queue, no mark.
        assert!(one.sender.get() == 0);
        let replied = port.send(owned(4)).poll().expect("answered at once");
        let (reply, mut message) = replied.take();
        assert_eq!(reply, Ok(8));
        assert!(message.body().seen);
        assert_eq!(port.send(message).wait(cx).take().0, Ok(8));
    });
}

#[test]
fn a_thread_port_is_served_by_its_thread() {
    once(|cx| {
        let port = thread_port();
        let handle = server(port, 3);
        let mut one = message(1);
        assert_eq!(port.do_(cx, &mut one), Ok(2));
        assert!(one.body().seen);
        // The same message again, and an owned one.
        one.body().number = 5;
        assert_eq!(port.do_(cx, &mut one), Ok(10));
        let sent = port.send(owned(7)).poll().expect_err("the server has not run");
        assert_eq!(sent.wait(cx).take().0, Ok(14));
        handle.join(cx);
        // Its server is gone.
        assert_eq!(port.do_(cx, &mut one), Err(Error::Closed));
    });
}

#[test]
fn replies_queue_in_order() {
    once(|cx| {
        let port = thread_port();
        let handle = server(port, 3);
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        let mut replies = replies.claim(cx).unwrap();
        for number in 1..4 {
            port.send_to(owned(number), &mut replies);
        }
        leak(SyncPort::new(Doubler)).send_to(owned(9), &mut replies);
        assert_eq!(replies.outstanding(), 4);
        // What is answered at once is there at once.
        assert_eq!(replies.get().map(|replied| replied.take().0), Some(Ok(18)));
        assert!(replies.get().is_none());
        let got: Vec<_> =
            core::iter::from_fn(|| replies.wait_any(cx)).map(|one| one.take().0).collect();
        assert_eq!(got, [Ok(2), Ok(4), Ok(6)]);
        assert!(replies.get().is_none());
        handle.join(cx);
    });
}

#[test]
fn a_dropped_message_is_answered() {
    once(|cx| {
        let port = thread_port();
        let handle = sim::spawn(0, "careless", move |cx| {
            let mut server = port.claim(cx).unwrap();
            drop(server.receive(cx));
            // One in the queue when the port is closed.
            sim::yield_now(cx);
            assert!(server.mailbox().ready(&crit_of_test()));
        });
        assert!(port.assign(handle.thread()));
        assert_eq!(port.do_(cx, &mut message(1)), Err(Error::Dropped));
        assert_eq!(port.send(owned(2)).wait(cx).take().0, Err(Error::Closed));
        handle.join(cx);
    });
}

fn crit_of_test() -> percpu::Crit {
    // SAFETY: the simulated thread has the CPU until it waits.
    #[allow(unsafe_code)]
    unsafe {
        percpu::Crit::assume()
    }
}

/// Keeps what is odd for the worker.
struct Defers(&'static ThreadPort<Double>);

impl Handler<Double> for Defers {
    fn handle<'m>(&self, message: Offered<'m, Double>) -> Outcome<'m, Double> {
        if message.body().number.is_multiple_of(2) {
            return Doubler.handle(message);
        }
        let Taken { message, outcome } = message.keep();
        message.forward(self.0);
        outcome
    }
}

#[test]
fn a_handler_defers_to_a_thread() {
    once(|cx| {
        let worker = thread_port();
        let handle = server(worker, 2);
        let port = leak(SyncPort::new(Defers(worker)));
        let switches = sim::switches();
        assert_eq!(port.do_(cx, &mut message(2)), Ok(4));
        assert_eq!(sim::switches(), switches);
        assert_eq!(port.do_(cx, &mut message(3)), Ok(6));
        assert!(sim::switches() > switches);
        assert_eq!(port.send(owned(5)).wait(cx).take().0, Ok(10));
        handle.join(cx);
        assert_eq!(port.do_(cx, &mut message(7)), Err(Error::Closed));
    });
}

#[test]
fn forwarding_to_a_sync_port_answers_the_sender() {
    once(|cx| {
        let port = thread_port();
        let sync = leak(SyncPort::new(Doubler));
        let handle =
            sim::spawn(0, "forwarder", move |cx| port.claim(cx).unwrap().receive(cx).forward(sync));
        assert!(port.assign(handle.thread()));
        assert_eq!(port.do_(cx, &mut message(8)), Ok(16));
        handle.join(cx);
    });
}

#[test]
fn a_port_has_one_receiver() {
    once(|cx| {
        let port = thread_port();
        let server = port.claim(cx).unwrap();
        assert!(port.claim(cx).is_none());
        let thief = sim::spawn(0, "thief", |cx| assert!(port.claim(cx).is_none()));
        assert!(!port.assign(thief.thread()));
        thief.join(cx);
        drop(server);
        assert!(port.claim(cx).is_some());
    });
}

/// Who names a thread does not know whether it has claimed the port already.
#[test]
fn assigning_the_owner_changes_nothing() {
    once(|cx| {
        let port = thread_port();
        let handle = server(port, 1);
        sim::yield_now(cx);
        assert!(port.assign(handle.thread()), "it has claimed the port and waits");
        assert_eq!(port.do_(cx, &mut message(3)), Ok(6));
        handle.join(cx);
    });
}

#[test]
fn do_and_reply_are_two_switches() {
    once(|cx| {
        let port = thread_port();
        let handle = server(port, 11);
        assert_eq!(port.do_(cx, &mut message(1)), Ok(2));
        let before = sim::switches();
        for number in 0..10 {
            assert_eq!(port.do_(cx, &mut message(number)), Ok(number * 2));
        }
        assert_eq!(sim::switches() - before, 20);
        handle.join(cx);
    });
}

#[test]
fn whichever_comes_first() {
    once(|cx| {
        let (slow, requests) = (thread_port(), thread_port());
        let handle = server(slow, 1);
        let mut server: Server<Double> = requests.claim(cx).unwrap();
        let me = sim::current();
        let client = sim::spawn(0, "client", move |cx| {
            assert_eq!(me.home(), sim::here());
            assert_eq!(requests.do_(cx, &mut message(1)), Ok(100));
        });
        let sent = slow.send(owned(3));
        let mut first = wait_any(cx, [&server, &sent]);
        if first == 0 {
            server.get().expect("it said so").reply(100);
            first = wait_any(cx, [&sent, &server]);
            assert_eq!(first, 0);
        } else {
            assert_eq!(wait_any(cx, [&server]), 0);
            server.get().expect("it said so").reply(100);
        }
        let replied: Replied<Double> = sent.poll().expect("it said so");
        assert_eq!(replied.take().0, Ok(6));
        handle.join(cx);
        client.join(cx);
    });
}

#[test]
fn the_report_says_who_waits_for_what() {
    once(|cx| {
        let port = thread_port();
        let handle = server(port, 1);
        sim::yield_now(cx);
        let waits = sim::report().into_iter().find(|line| line.starts_with("server")).unwrap();
        assert!(
            waits.starts_with("server (priority 10) waits for a message on port 0x"),
            "{waits}"
        );
        assert_eq!(sim::state_of(handle.thread()), Some(State::Blocked));
        let _ = port.do_(cx, &mut message(1));
        handle.join(cx);
    });
}
