//! Spin ports: whoever comes first receives.

use std::vec::Vec;

use lwkt_sched::sim;

use super::{Double, explore, leak, message, owned};
use crate::{Error, Port, SpinPort};

const RUNS: usize = 150;

/// Each message by one of the receivers; the last closes the port, and answers what is left.
#[test]
fn a_spin_port_has_many_receivers() {
    explore(3, RUNS, |cx| {
        let port: &'static SpinPort<Double> = leak(SpinPort::new());
        assert_eq!(port.do_(cx, &mut message(1)), Err(Error::Closed));
        let receivers: Vec<_> = (0..3)
            .map(|cpu| {
                let mut receiver = port.receiver();
                sim::spawn(cpu, "receiver", move |cx| {
                    for _ in 0..2 {
                        let message = receiver.receive(cx);
                        let twice = message.body().number * 2;
                        message.reply(twice);
                    }
                })
            })
            .collect();
        let client = sim::spawn(1, "client", move |cx| {
            for number in 0..3 {
                assert_eq!(port.do_(cx, &mut message(number)), Ok(number * 2));
            }
        });
        let sent: Vec<_> = (0..3).map(|number| port.send(owned(number))).collect();
        for (number, one) in (0..).zip(sent) {
            assert_eq!(one.wait(cx).take().0, Ok(number * 2));
        }
        client.join(cx);
        receivers.into_iter().for_each(|one| one.join(cx));
        assert_eq!(port.do_(cx, &mut message(1)), Err(Error::Closed));
    });
}

/// A receiver that gives up just when it was to be woken leaves the message to another.
#[test]
fn a_late_receiver_loses_nothing() {
    explore(3, RUNS, |cx| {
        let port: &'static SpinPort<Double> = leak(SpinPort::new());
        let (mut hasty, mut patient) = (port.receiver(), port.receiver());
        let first = sim::spawn(1, "hasty", move |cx| {
            let got = hasty.receive_until(cx, 100);
            if let Some(message) = got {
                message.reply(1);
            }
        });
        let second = sim::spawn(2, "patient", move |cx| patient.receive(cx).reply(2));
        sim::sleep(cx, lwkt_sched::Why::SLEEP, 100);
        let replies: Vec<_> = (0..2).map(|_| port.do_(cx, &mut message(1))).collect();
        assert!(replies.contains(&Ok(2)), "{replies:?}");
        first.join(cx);
        second.join(cx);
    });
}

/// Wherever the receivers are, and passed on from there: what went first once does not do so for ever.
#[test]
fn priority_messages_go_first_at_a_spin_port() {
    explore(2, RUNS, |cx| {
        let port: &'static SpinPort<Double> = leak(SpinPort::new());
        let mut receiver = port.receiver();
        let urgent = port.urgent();
        let sent = [
            port.send(owned(1)),
            urgent.send(owned(11)),
            port.send(owned(2)),
            urgent.send(owned(12)),
            urgent.send(owned(13)),
        ];
        // One that is asked for is found among its like.
        let [one, first, two, second, third] = sent;
        assert_eq!(second.abort().wait(cx).take().0, Err(Error::Aborted));
        let server = sim::spawn(1, "server", move |cx| {
            let passed = receiver.receive(cx);
            assert_eq!(passed.body().number, 11);
            passed.forward(port);
            let order: Vec<_> = (0..4)
                .map(|_| {
                    let message = receiver.receive(cx);
                    let number = message.body().number;
                    message.reply(number);
                    number
                })
                .collect();
            assert_eq!(order, [13, 1, 2, 11]);
        });
        let replies = [one, first, two, third].map(|one| one.wait(cx).take().0);
        assert_eq!(replies, [Ok(1), Ok(11), Ok(2), Ok(13)]);
        server.join(cx);
        assert_eq!(urgent.do_(cx, &mut message(1)), Err(Error::Closed));
    });
}
