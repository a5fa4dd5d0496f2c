//! The ports that are not a thread's, and priority messages, batches and sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use lwkt_sched::sim;

use super::single::{serve, serve_later};
use super::{Double, Doubler, Sim, explore, leak, message, owned};
use crate::{
    Batch, Body, ByBody, ByCpu, Error, Group, InTurn, Message, NullPort, PanicPort, Port, PortSet,
    ReplyPort, Server, SpinPort, SyncPort, ThreadPort,
};

const RUNS: usize = 150;

fn thread_port() -> &'static ThreadPort<Double> {
    leak(ThreadPort::new())
}

#[test]
fn a_null_port_says_the_same_always() {
    explore(1, 5, |cx| {
        let port: &'static NullPort<u64> = leak(NullPort::new(9));
        assert_eq!(port.do_(cx, &mut message(1)), Ok(9));
        assert_eq!(port.send(owned(1)).wait(cx).take().0, Ok(9));
        let silent: &'static NullPort<u64> = leak(NullPort::default());
        assert_eq!(silent.do_(cx, &mut message(1)), Ok(0));
    });
}

#[test]
#[should_panic(expected = "a message for port lost+found, from lwkt/port/src/tests/kinds.rs:38")]
fn a_panic_port_names_the_sender() {
    explore(1, 1, |cx| {
        let port: &'static PanicPort = leak(PanicPort::new("lost+found"));
        let _: Result<u64, _> = port.do_(cx, &mut message(1));
    });
}

#[test]
#[should_panic(expected = "a message for port lost+found, from lwkt/port/src/tests/kinds.rs:50")]
fn a_panic_port_names_who_forwards() {
    explore(1, 1, |cx| {
        let port: &'static PanicPort = leak(PanicPort::new("lost+found"));
        let own = thread_port();
        let mut server = own.claim(cx).unwrap();
        let _sent = own.send(owned(1));
        server.receive(cx).forward(port);
    });
}

/// What is queued is noted, each time, and before it is received; what is not is not.
#[test]
fn a_receipt_is_given_where_a_message_is_queued() {
    static QUEUED: AtomicUsize = AtomicUsize::new(0);
    struct Noted;
    impl Body for Noted {
        type Reply = u64;
        type Exec = Sim;
        const RECEIPT: Option<fn(&Self)> = Some(|_| {
            QUEUED.fetch_add(1, Ordering::Relaxed);
        });
    }
    let queued = || QUEUED.load(Ordering::Relaxed);
    explore(2, RUNS, move |cx| {
        QUEUED.store(0, Ordering::Relaxed);
        let port: &'static ThreadPort<Noted> = leak(ThreadPort::new());
        let spin: &'static SpinPort<Noted> = leak(SpinPort::new());
        assert_eq!(port.do_(cx, &mut Message::new(Noted)), Err(Error::Closed));
        assert_eq!(spin.do_(cx, &mut Message::new(Noted)), Err(Error::Closed));
        assert_eq!(queued(), 0, "a port that is closed queues nothing");
        let mut receiver = spin.receiver();
        let passes = sim::spawn(1, "passes", move |cx| {
            port.claim(cx).unwrap().receive(cx).forward(spin);
        });
        let answers = sim::spawn(0, "answers", move |cx| {
            let message = receiver.receive(cx);
            message.reply(queued() as u64);
        });
        let reply = loop {
            match port.do_(cx, &mut Message::new(Noted)) {
                // The port is not open yet.
                Err(Error::Closed) => sim::yield_now(cx),
                reply => break reply,
            }
        };
        assert_eq!(reply, Ok(2), "in the queue of a thread, and in that of a lock");
        assert_eq!(queued(), 2, "a reply has no receipt");
        passes.join(cx);
        answers.join(cx);
    });
}

#[test]
fn a_group_spreads_by_its_rule() {
    explore(2, 50, |cx| {
        let nobody: &'static Group<Double, ThreadPort<Double>, InTurn, 2> =
            leak(Group::new(InTurn::new()));
        assert_eq!(nobody.do_(cx, &mut message(1)), Err(Error::Closed));
        let ports: [&'static NullPort<u64>; 3] = [1, 2, 3].map(|n| &*leak(NullPort::new(n)));
        let turns: &'static Group<Double, NullPort<u64>, InTurn, 3> =
            leak(Group::new(InTurn::new()));
        let bodies: &'static Group<Double, NullPort<u64>, ByBody<Double>, 3> =
            leak(Group::new(ByBody(|body: &Double| body.number as usize)));
        let cpus: &'static Group<Double, NullPort<u64>, ByCpu, 3> = leak(Group::new(ByCpu));
        for (place, port) in ports.into_iter().enumerate() {
            assert_eq!(turns.join(port), Some(place));
            assert_eq!(bodies.join(port), Some(place));
            assert_eq!(cpus.join(port), Some(place));
        }
        assert_eq!(turns.join(ports[0]), None);
        let asked: Vec<_> = (0..4).map(|_| turns.do_(cx, &mut message(0))).collect();
        assert_eq!(asked, [Ok(1), Ok(2), Ok(3), Ok(1)]);
        assert_eq!(bodies.do_(cx, &mut message(5)), Ok(3));
        assert_eq!(cpus.do_(cx, &mut message(0)), Ok(1));
        sim::migrate(cx, 1);
        assert_eq!(cpus.do_(cx, &mut message(0)), Ok(2));
        // The next takes the place of who has left.
        assert!(bodies.leave(2).is_some() && bodies.leave(2).is_none());
        assert_eq!(bodies.do_(cx, &mut message(5)), Ok(1));
        assert_eq!(bodies.join(ports[1]), Some(2));
        assert_eq!(bodies.do_(cx, &mut message(5)), Ok(2));
    });
}

/// Members leave and close while others send: each message is answered.
#[test]
fn members_leave_while_others_send() {
    explore(3, RUNS, |cx| {
        let group: &'static Group<Double, ThreadPort<Double>, InTurn, 2> =
            leak(Group::new(InTurn::new()));
        let members: Vec<_> = (1..3)
            .map(|cpu| {
                let port = thread_port();
                let member = sim::spawn(cpu, "member", move |cx| {
                    let mut server = port.claim(cx).unwrap();
                    let place = group.join(port).unwrap();
                    let message = server.receive_until(cx, 1_000);
                    group.leave(place);
                    message.map(|message| message.reply(1)).unwrap_or(());
                });
                assert!(port.assign(member.thread()));
                member
            })
            .collect();
        for _ in 0..3 {
            let reply = group.do_(cx, &mut message(1));
            assert!(matches!(reply, Ok(1) | Err(Error::Closed)), "{reply:?}");
        }
        members.into_iter().for_each(|one| one.join(cx));
        assert_eq!(group.do_(cx, &mut message(1)), Err(Error::Closed));
    });
}

#[test]
fn priority_messages_go_first() {
    explore(2, 50, |cx| {
        for cpu in [0, 1] {
            let port = thread_port();
            let order = Arc::new(std::sync::Mutex::new(Vec::new()));
            let seen = order.clone();
            let go = thread_port();
            let server = sim::spawn(cpu, "server", move |cx| {
                serve(go, 1, cx);
                let mut server = port.claim(cx).unwrap();
                for _ in 0..6 {
                    let message = server.receive(cx);
                    seen.lock().unwrap().push(message.body().number);
                    message.reply(0);
                }
            });
            assert!(port.assign(server.thread()) && go.assign(server.thread()));
            let urgent = port.urgent();
            let sent = [
                port.send(owned(1)),
                port.send(owned(2)),
                urgent.send(owned(11)),
                urgent.send(owned(12)),
                port.send(owned(3)),
                urgent.send(owned(13)),
            ];
            assert_eq!(go.do_(cx, &mut message(0)), Ok(0));
            let messages = sent.map(|one| one.wait(cx).take().1);
            server.join(cx);
            assert_eq!(*order.lock().unwrap(), [11, 12, 13, 1, 2, 3]);
            // What went first once does not do so for ever.
            let (server, go) = serve_later(cpu, port, 6);
            let sent = messages.map(|message| port.send(message));
            assert_eq!(go.do_(cx, &mut message(0)), Ok(0));
            sent.into_iter().for_each(|one| drop(one.wait(cx)));
            server.join(cx);
        }
    });
}

/// To ports of this and other CPUs, one of them closed: each in order, each answered.
#[test]
fn a_batch_goes_everywhere() {
    explore(3, RUNS, |cx| {
        let ports = [thread_port(), thread_port(), thread_port()];
        let servers = [0, 1, 2].map(|cpu: usize| {
            let port = ports[cpu];
            let server = sim::spawn(cpu, "server", move |cx| {
                let mut server = port.claim(cx).unwrap();
                for number in 0..3 {
                    let message = server.receive(cx);
                    assert_eq!(message.body().number, number);
                    message.reply(number);
                }
            });
            assert!(port.assign(server.thread()));
            server
        });
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        let mut replies = replies.claim(cx).unwrap();
        let mut batch = Batch::new();
        for number in 0..3 {
            ports.iter().for_each(|port| batch.add(port, owned(number)));
        }
        batch.add(thread_port(), owned(9));
        assert_eq!(batch.count(), 10);
        batch.send(&mut replies);
        let mut sum = 0;
        let mut closed = 0;
        while let Some(one) = replies.wait_any(cx) {
            match one.take().0 {
                Ok(number) => sum += number,
                Err(error) => {
                    assert_eq!(error, Error::Closed);
                    closed += 1;
                }
            }
        }
        assert_eq!((sum, closed), (9, 1));
        servers.into_iter().for_each(|server| server.join(cx));
    });
}

/// Many members, of which few have something: each is answered in turn, and those with nothing are not looked at.
#[test]
fn a_set_of_ports() {
    explore(2, RUNS, |cx| {
        let set: &'static PortSet<Sim> = leak(PortSet::new());
        let mut watcher = set.claim(cx).unwrap();
        assert!(set.claim(cx).is_none());
        assert_eq!(watcher.wait(cx), None);
        let ports: Vec<_> = (0..5).map(|_| thread_port()).collect();
        let mut servers: Vec<Server<Double>> =
            ports.iter().map(|port| port.claim(cx).unwrap()).collect();
        for (key, server) in servers.iter().enumerate() {
            watcher.add(server, key);
        }
        assert_eq!((watcher.poll(), watcher.wait_until(cx, 5)), (None, None));
        let clients: Vec<_> = [(0, 1), (1, 3), (1, 3)]
            .into_iter()
            .map(|(cpu, to)| {
                let port = ports[to];
                sim::spawn(cpu, "client", move |cx| {
                    assert_eq!(port.do_(cx, &mut message(to as u64)), Ok(100 + to as u64));
                })
            })
            .collect();
        let mut served = [0; 5];
        for _ in 0..3 {
            let key = watcher.wait(cx).unwrap();
            let message = servers[key].get().expect("it said so");
            let number = message.body().number;
            message.reply(100 + number);
            served[key] += 1;
        }
        assert_eq!(served, [0, 1, 0, 2, 0]);
        assert_eq!(watcher.wait_until(cx, sim::now() + 5), None);
        clients.into_iter().for_each(|one| one.join(cx));
        // One leaves, one is closed: neither is answered any more. The others are.
        watcher.remove(&servers[1]);
        drop(servers.remove(3));
        let sent = ports[1].send(owned(1));
        assert_eq!(ports[3].do_(cx, &mut message(1)), Err(Error::Closed));
        assert_eq!(watcher.poll(), None);
        let last = ports[4].send(owned(4));
        assert_eq!(watcher.wait(cx), Some(4));
        drop(watcher);
        assert!(set.claim(cx).is_some());
        servers[3].receive(cx).reply(4);
        servers[1].receive(cx).reply(1);
        assert_eq!((sent.wait(cx).take().0, last.wait(cx).take().0), (Ok(1), Ok(4)));
    });
}

/// Two members that always have something are answered in turn; one in between is received from directly.
#[test]
fn a_set_is_fair() {
    explore(1, 5, |cx| {
        let set: &'static PortSet<Sim> = leak(PortSet::new());
        let mut watcher = set.claim(cx).unwrap();
        let ports = [thread_port(), thread_port()];
        let mut servers = ports.map(|port| port.claim(cx).unwrap());
        watcher.add(&servers[0], 0);
        watcher.add(&servers[1], 1);
        let sent: Vec<_> = (0..6).map(|n| ports[n as usize % 2].send(owned(n))).collect();
        let mut order = Vec::new();
        while let Some(key) = watcher.poll() {
            order.push(key);
            servers[key].get().unwrap().reply(key as u64);
        }
        assert_eq!(order, [0, 1, 0, 1, 0, 1]);
        sent.into_iter().for_each(|one| drop(one.poll().unwrap()));
        let one = ports[0].send(owned(1));
        servers[0].receive(cx).reply(1);
        assert_eq!(one.wait(cx).take().0, Ok(1));
        assert_eq!(watcher.poll(), None);
        let one = ports[0].send(owned(1));
        assert_eq!(watcher.wait(cx), Some(0));
        servers[0].receive(cx).reply(1);
        assert_eq!(one.wait(cx).take().0, Ok(1));
    });
}

/// Replies that are there at once, and given up messages, are something to get, too.
#[test]
fn a_set_of_replies() {
    explore(1, 5, |cx| {
        let set: &'static PortSet<Sim> = leak(PortSet::new());
        let mut watcher = set.claim(cx).unwrap();
        let replies: &'static ReplyPort<Double> = leak(ReplyPort::new());
        let mut replies = replies.claim(cx).unwrap();
        watcher.add(&replies, 3);
        assert_eq!(watcher.poll(), None);
        let sync = leak(SyncPort::new(Doubler));
        sync.send_to(owned(4), &mut replies);
        assert_eq!(watcher.wait(cx), Some(3));
        assert_eq!(replies.get().unwrap().take().0, Ok(8));
        assert_eq!(watcher.poll(), None);
        sync.send(owned(5)).give_up(&mut replies);
        assert_eq!(watcher.wait(cx), Some(3));
        assert_eq!(replies.get().unwrap().take().0, Ok(10));
    });
}

/// Members and their set move with their thread while messages are on their way.
#[test]
fn a_set_moves_with_its_thread() {
    explore(3, RUNS, |cx| {
        let ports = [thread_port(), thread_port()];
        let server = sim::spawn(0, "server", move |cx| {
            let set: &'static PortSet<Sim> = leak(PortSet::new());
            let mut watcher = set.claim(cx).unwrap();
            let mut servers = ports.map(|port| port.claim(cx).unwrap());
            servers.iter().enumerate().for_each(|(key, server)| watcher.add(server, key));
            for cpu in [1, 2, 0, 1] {
                let key = watcher.wait(cx).unwrap();
                sim::migrate(cx, cpu);
                servers[key].get().expect("it said so").reply(key as u64);
            }
        });
        ports.iter().for_each(|port| assert!(port.assign(server.thread())));
        let clients = [0, 1].map(|key: usize| {
            let port = ports[key];
            sim::spawn(key + 1, "client", move |cx| {
                for _ in 0..2 {
                    assert_eq!(port.do_(cx, &mut message(1)), Ok(key as u64));
                }
            })
        });
        clients.into_iter().for_each(|one| one.join(cx));
        server.join(cx);
    });
}

/// The order law: messages of one sender keep it, as long as nobody moves; a move of the receiver loses and doubles none.
#[test]
fn order_over_a_move() {
    let overtaken = Arc::new(AtomicUsize::new(0));
    let seen = overtaken.clone();
    explore(3, RUNS, move |cx| {
        let port = thread_port();
        let seen = seen.clone();
        let server = sim::spawn(0, "server", move |cx| {
            let mut server = port.claim(cx).unwrap();
            let mut numbers = Vec::new();
            for count in 0..6 {
                if count < 3 {
                    sim::migrate(cx, (count + 1) % 3);
                }
                let message = server.receive(cx);
                numbers.push(message.body().number);
                message.reply(0);
            }
            // Those that were sent when all had been answered are in order.
            assert_eq!(numbers[3..], [3, 4, 5]);
            seen.fetch_add(usize::from(!numbers.is_sorted()), Ordering::Relaxed);
            numbers.sort_unstable();
            assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
        });
        assert!(port.assign(server.thread()));
        let client = sim::spawn(2, "client", move |cx| {
            for round in [0, 3] {
                let sent: Vec<_> = (round..round + 3).map(|n| port.send(owned(n))).collect();
                sent.into_iter().for_each(|one| drop(one.wait(cx)));
            }
        });
        client.join(cx);
        server.join(cx);
    });
    // The law would promise too little if this never happened.
    assert!(overtaken.load(Ordering::Relaxed) > 0);
}
