//! Abort under loom, as shipped: every order within the bound is tried.
//!
//! `cargo test -p lwkt-port --profile models --features loom --lib loom`, on the machine of `lwkt_sched::model`. Who gets a message
//! back [seizes](seize) it: whatever still speaks of it then is a touch at the same time, which loom reports. A second reply, or a
//! request that reaches the next message in the same memory, shows in what each model says of its last message.
//!
//! | model | edges of [`Aborting`](crate::Aborting) |
//! |---|---|
//! | [`abort_against_receive_and_reply`] | A1, A3, A5, A7 |
//! | [`abort_against_forward`], [`a_request_goes_after_a_forwarded_message`] | A2, A3, A8 |
//! | [`abort_against_hold`] | A4 |
//! | [`abort_against_close_and_the_next_owner`] | A2, A6 |
//! | [`give_up_against_reply`], [`deadline_against_reply`] | A0, A1, A7 |
//! | [`an_aborter_against_the_end_of_the_do`] | A0, A1, by way of another CPU |
//! | [`send_and_abort_against_a_port_that_goes`] | A1, A3, A5, A6, and the memory of a [`PublishedPort`] |
//!
//! Nobody moves here, and no port has a lock: `tests::abort` has both, in random orders.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::boxed::Box;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use lwkt_sched::MayBlock;
use lwkt_sched::model::{Job, Model, leak, model, thread_of};
use percpu::Crit;

use crate::{
    Aborter, Body, Error, Message, Owned, Port, PublishedPort, Received, Replied, ReplyPort,
    Server, ThreadPort, plant,
};

/// A number, which comes back doubled.
struct Double(u64);

impl Body for Double {
    type Reply = u64;
    type Exec = Model;
}

/// The number that ends who receives.
const LAST: u64 = 9;

fn owned(number: u64) -> Owned<Double> {
    Owned::new(leak(Message::new(Double(number))))
}

fn thread_port() -> &'static ThreadPort<Double> {
    leak(ThreadPort::new())
}

/// Explores the model of these threads; what came of its runs, each of which tells.
fn explore<const CPUS: usize>(
    preemptions: usize,
    jobs: impl Fn(Outcomes) -> [Job; CPUS] + Send + Sync + 'static,
) -> Outcomes {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    model::<Job, CPUS>(preemptions, move || jobs(outcomes.clone()));
    seen
}

/// What came of the runs of a model.
#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<BTreeSet<String>>>);

impl Outcomes {
    fn note(&self, outcome: String) {
        self.0.lock().unwrap().insert(outcome);
    }

    /// All of these, and no others.
    fn were(&self, all: &[&str]) {
        let seen = self.0.lock().unwrap();
        assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), all);
    }
}

/// Touches all of a message that is back, as its sender may; nothing is left of a request for it.
fn seize(memory: &mut Message<Double>) {
    assert!(!memory.wanted.load(Relaxed));
    assert!(memory.heed.take().is_none() && memory.reply.take().is_none());
    memory.next.set(None);
    memory.sender.set(0);
    memory.reply_to.set(None);
    [&memory.done, &memory.waiting, &memory.asking, &memory.asked, &memory.urgent]
        .into_iter()
        .for_each(|mark| mark.set(false));
    memory.place.store(0, Relaxed);
    memory.body().0 = 0;
}

/// What came back, and the memory of it, which then goes all the way as [`LAST`].
fn reply_and_last(
    cx: &mut MayBlock,
    replied: Replied<Double>,
    port: &'static ThreadPort<Double>,
) -> Result<u64, Error> {
    let (reply, message) = replied.take();
    let memory = message.into_inner();
    seize(memory);
    memory.body().0 = LAST;
    assert_eq!(port.send(Owned::new(memory)).wait(cx).take().0, Ok(2 * LAST));
    reply
}

fn double(message: Received<Double>) {
    let twice = message.body().0 * 2;
    message.reply(twice);
}

/// Serves until the last message, which nobody has asked for.
fn serve_with(
    cx: &mut MayBlock,
    port: &'static ThreadPort<Double>,
    each: impl Fn(&mut MayBlock, &Server<Double>, Received<Double>),
) {
    let mut server = port.claim(cx).expect("it is this thread's");
    loop {
        let message = server.receive(cx);
        let last = message.body().0 == LAST;
        assert!(!last || !message.abort_requested());
        each(cx, &server, message);
        if last {
            return;
        }
    }
}

fn serve(cx: &mut MayBlock, port: &'static ThreadPort<Double>) {
    serve_with(cx, port, |_, _, message| double(message));
}

fn receive_and_reply(preemptions: usize) -> Outcomes {
    explore::<2>(preemptions, |outcomes| {
        let port = thread_port();
        [
            Box::new(move |cx| {
                assert!(port.assign(thread_of(1)));
                let replied = port.send(owned(4)).abort().wait(cx);
                outcomes.note(format!("{:?}", reply_and_last(cx, replied, port)));
            }),
            Box::new(move |cx| serve(cx, port)),
        ]
    })
}

/// Both may come first.
#[test]
fn abort_against_receive_and_reply() {
    receive_and_reply(4).were(&["Err(Aborted)", "Ok(8)"]);
}

/// Without the mark `asking` a sender uses a message of which its request still speaks.
#[test]
#[should_panic = "Causality violation"]
fn a_message_that_is_taken_early_is_seen() {
    plant::take_early();
    receive_and_reply(4);
}

/// Who has a place open closes it, and has the memory to itself while messages and requests come.
#[test]
fn send_and_abort_against_a_port_that_goes() {
    explore::<2>(3, |outcomes| {
        let place: &'static PublishedPort<Double> = leak(PublishedPort::new());
        [
            Box::new(move |cx| {
                let (reply, message) = place.send(owned(4)).abort().wait(cx).take();
                seize(message.into_inner());
                outcomes.note(format!("{reply:?}"));
            }),
            Box::new(move |cx| {
                let mut opened = place.open(cx, leak(ThreadPort::new())).expect("nobody else does");
                if let Some(one) = opened.get() {
                    double(one);
                }
                opened.close(cx).seize();
            }),
        ]
    })
    .were(&["Err(Aborted)", "Err(Closed)", "Ok(8)"]);
}

/// The request looks at either port, or meets the message on its way, or the forwarder with it.
#[test]
fn abort_against_forward() {
    explore::<3>(2, |outcomes| {
        let (first, second) = (thread_port(), thread_port());
        let passed: &'static AtomicBool = leak(AtomicBool::new(false));
        [
            Box::new(move |cx| {
                assert!(first.assign(thread_of(1)) && second.assign(thread_of(2)));
                let replied = first.send(owned(4)).abort().wait(cx);
                let passed = passed.load(Relaxed);
                let reply = reply_and_last(cx, replied, first);
                outcomes.note(format!("{reply:?}, passed on: {passed}"));
            }),
            Box::new(move |cx| {
                serve_with(cx, first, |_, _, message| {
                    passed.store(!message.abort_requested(), Relaxed);
                    message.forward(second);
                });
            }),
            Box::new(move |cx| serve(cx, second)),
        ]
    })
    .were(&[
        "Err(Aborted), passed on: false",
        "Err(Aborted), passed on: true",
        "Ok(8), passed on: true",
    ]);
}

/// A message that is passed on to a port of the same home, where nobody receives it, is found there.
#[test]
fn a_request_goes_after_a_forwarded_message() {
    explore::<2>(4, |outcomes| {
        let (first, second) = (thread_port(), thread_port());
        let passed: &'static AtomicBool = leak(AtomicBool::new(false));
        [
            Box::new(move |cx| {
                assert!(first.assign(thread_of(1)) && second.assign(thread_of(1)));
                let replied = first.send(owned(4)).abort().wait(cx);
                let passed = passed.load(Relaxed);
                let reply = reply_and_last(cx, replied, first);
                outcomes.note(format!("{reply:?}, passed on: {passed}"));
            }),
            Box::new(move |cx| {
                serve_with(cx, first, |_, _, message| match message.body().0 {
                    LAST => double(message),
                    _ => {
                        passed.store(!message.abort_requested(), Relaxed);
                        message.forward(second);
                    }
                });
            }),
        ]
    })
    .were(&["Err(Aborted), passed on: false", "Err(Aborted), passed on: true"]);
}

/// Counts on what it is called with.
fn count(_: &Crit, word: usize) {
    // SAFETY: the model hands in a counter that it has leaked.
    #[allow(unsafe_code)]
    let counter = unsafe { &*core::ptr::with_exposed_provenance::<AtomicUsize>(word) };
    counter.fetch_add(1, Relaxed);
}

/// Who holds a message is told once, or not at all; never of one that came back by itself.
#[test]
fn abort_against_hold() {
    explore::<2>(4, |outcomes| {
        let port = thread_port();
        let told: &'static AtomicUsize = leak(AtomicUsize::new(0));
        [
            Box::new(move |cx| {
                assert!(port.assign(thread_of(1)));
                let replied = port.send(owned(4)).abort().wait(cx);
                let reply = reply_and_last(cx, replied, port);
                outcomes.note(format!("{reply:?}, told: {}", told.load(Relaxed)));
            }),
            Box::new(move |cx| {
                serve_with(cx, port, |_, server, message| {
                    let twice = message.body().0 * 2;
                    let word = core::ptr::from_ref(told).expose_provenance();
                    server.hold(message, count, word).reply(twice);
                });
            }),
        ]
    })
    .were(&["Err(Aborted), told: 0", "Ok(8), told: 0", "Ok(8), told: 1"]);
}

/// A port that a thread of another CPU takes over, with a request for a message of the first under way.
#[test]
fn abort_against_close_and_the_next_owner() {
    explore::<3>(3, |outcomes| {
        let port = thread_port();
        let owner = |reply: u64| -> Job {
            Box::new(move |cx| {
                let message = port.claim(cx).and_then(|mut server| server.get());
                message.map(|message| message.reply(reply)).unwrap_or(());
            })
        };
        [
            Box::new(move |cx| {
                let (reply, message) = port.send(owned(4)).abort().wait(cx).take();
                outcomes.note(format!("{reply:?}"));
                // Asked for no more.
                let memory = message.into_inner();
                seize(memory);
                let (reply, message) = port.send(Owned::new(memory)).wait(cx).take();
                assert!(matches!(reply, Ok(1 | 2) | Err(Error::Closed)), "{reply:?}");
                seize(message.into_inner());
            }),
            owner(1),
            owner(2),
        ]
    })
    .were(&["Err(Aborted)", "Err(Closed)", "Ok(1)", "Ok(2)"]);
}

/// It comes back with the others, once.
#[test]
fn give_up_against_reply() {
    explore::<2>(4, |outcomes| {
        let port = thread_port();
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        [
            Box::new(move |cx| {
                assert!(port.assign(thread_of(1)));
                let mut replies = replies.claim(cx).expect("it is this thread's");
                port.send(owned(4)).give_up(&mut replies);
                let replied = replies.wait_any(cx).expect("one is on its way");
                outcomes.note(format!("{:?}", reply_and_last(cx, replied, port)));
                assert!(replies.get().is_none());
            }),
            Box::new(move |cx| serve(cx, port)),
        ]
    })
    .were(&["Err(Aborted)", "Ok(8)"]);
}

/// A borrowed message, whose memory is gone when the `do` is over.
#[test]
fn deadline_against_reply() {
    explore::<2>(4, |outcomes| {
        let port = thread_port();
        [
            Box::new(move |cx| {
                assert!(port.assign(thread_of(1)));
                let mut message = Message::new(Double(4));
                let reply = port.do_until(cx, &mut message, 20);
                outcomes.note(format!("{reply:?}"));
                seize(&mut message);
                message.body().0 = LAST;
                assert_eq!(port.do_(cx, &mut message), Ok(2 * LAST));
            }),
            Box::new(move |cx| serve(cx, port)),
        ]
    })
    .were(&["Err(Aborted)", "Ok(8)"]);
}

/// A request from a third CPU reaches the `do` that it is for, or none.
#[test]
fn an_aborter_against_the_end_of_the_do() {
    explore::<3>(2, |outcomes| {
        let port = thread_port();
        let aborter: &'static Aborter<Double> = leak(Aborter::new());
        [
            Box::new(move |cx| {
                assert!(port.assign(thread_of(1)));
                let mut message = Message::new(Double(0));
                let replies = [4, 5].map(|number| {
                    message.body().0 = number;
                    let reply = port.do_abortable(cx, &mut message, aborter);
                    seize(&mut message);
                    reply
                });
                outcomes.note(format!("{replies:?}"));
                message.body().0 = LAST;
                assert_eq!(port.do_(cx, &mut message), Ok(2 * LAST));
            }),
            Box::new(move |cx| serve(cx, port)),
            Box::new(move |_| aborter.abort()),
        ]
    })
    .were(&["[Err(Aborted), Ok(10)]", "[Ok(8), Err(Aborted)]", "[Ok(8), Ok(10)]"]);
}
