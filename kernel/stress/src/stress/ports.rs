//! Messages to threads of all CPUs, and their replies.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::window::Window;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_core::chaos::mix;
use kernel_core::cpu;
use kernel_core::exec::Threads;
use kernel_core::order;
use kernel_core::plant::Faults;
use lwkt_port::{Body, Error, Message, Port, ThreadPort};
use lwkt_sched::MayBlock;
use percpu::CpuId;

check! {
    name: "kernel/ports",
    doc: "A client on each CPU asks the server of every CPU, many questions at a time: each is answered once, in order.",
    kind: Stress,
    run: ports,
}

/// Questions of a full run.
const QUESTIONS: u64 = 100_000;
/// Questions of one client that are on their way at once.
const WINDOW: usize = 8;

/// A question.
struct Question {
    /// The client that asks.
    from: usize,
    /// Its number among those of this client to this server; the last is 0: the client asks no more.
    number: u64,
    /// Whether the server passes it on to the next.
    forward: bool,
}

impl Body for Question {
    type Reply = u64;
    type Exec = Threads;
    const RECEIPT: Option<fn(&Self)> = Some(|_| {
        QUEUED.fetch_add(1, Ordering::Relaxed);
    });
}

/// How often a question went into a queue.
static QUEUED: AtomicU64 = AtomicU64::new(0);

struct Ports {
    ports: Vec<&'static ThreadPort<Question>>,
    each: u64,
    answered: AtomicU64,
    wrong: AtomicU64,
    /// Questions that came to a server out of order.
    disorder: AtomicU64,
    /// Those that a server passed on.
    passed: AtomicU64,
}

fn ports(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let each = (run.steps(QUESTIONS) / cpus as u64).max(16);
    let shared = Arc::new(Ports {
        ports: (0..cpus).map(|_| &*Box::leak(Box::new(ThreadPort::new()))).collect(),
        each,
        answered: AtomicU64::new(0),
        wrong: AtomicU64::new(0),
        disorder: AtomicU64::new(0),
        passed: AtomicU64::new(0),
    });
    QUEUED.store(0, Ordering::Relaxed);
    let places = (0..2 * cpus).map(move |number| CpuId::at(number % cpus));
    let job = Job {
        name: "ports",
        shared: shared.clone(),
        work,
        faults: Faults::None,
        stay: Stay::Bound,
        meet: Ports::meet,
    };
    let ended = crew::run(run, cx, &job, places);
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (answered, wrong, disorder) =
        (of(&shared.answered), of(&shared.wrong), of(&shared.disorder));
    let total = each * cpus as u64;
    run.count("questions", total);
    run.count("answers", answered);
    ensure!(wrong == 0, "{wrong} answers belong to other questions");
    ensure!(disorder == 0, "{disorder} questions overtook another of their client");
    ensure!(
        ended == Ended::Done && answered == total,
        "{answered} of {total} questions were answered: everybody waits"
    );
    // Each client also says to each server that it asks no more.
    let (queued, expected) = (of(&QUEUED), total + of(&shared.passed) + (cpus * cpus) as u64);
    ensure!(queued == expected, "{queued} receipts for {expected} messages");
    Ok(format!("{total} questions over {cpus} CPUs, each answered once, in order for each pair"))
}

impl Ports {
    fn meet(&self, number: usize, thread: lwkt_sched::ThreadRef) {
        if let Some(port) = self.ports.get(number) {
            port.assign(thread);
        }
    }
}

fn work(cx: &mut MayBlock, crew: &Crew, ports: &Ports, me: usize) {
    let cpus = ports.ports.len();
    if me < cpus { serve(cx, ports, me) } else { ask(cx, crew, ports, me - cpus) }
}

/// Answers until each client has said that it asks no more.
fn serve(cx: &mut MayBlock, ports: &Ports, me: usize) {
    let mut server = ports.ports[me].claim(cx).expect("assigned to this thread, by `meet`");
    let next = ports.ports[(me + 1) % ports.ports.len()];
    let mut last: Vec<u64> = ports.ports.iter().map(|_| 0).collect();
    let mut open = ports.ports.len();
    while open > 0 {
        let mut message = server.receive(cx);
        let Question { from, number, forward } = *message.body();
        order::note(from << 8 | me, number as usize);
        if number == 0 {
            open -= 1;
        } else if forward {
            message.body_mut().forward = false;
            message.body_mut().number |= PASSED;
            ports.passed.fetch_add(1, Ordering::Relaxed);
            message.forward(next);
            continue;
        } else if number & PASSED == 0 {
            if number <= last[from] {
                ports.disorder.fetch_add(1, Ordering::Relaxed);
            }
            last[from] = number;
        }
        message.reply(mix(number & !PASSED));
    }
}

/// Marks a question that came from another server: in no order with those that came straight.
const PASSED: u64 = 1 << 63;

/// Asks any server, some questions one by one and some many at a time.
fn ask(cx: &mut MayBlock, crew: &Crew, ports: &Ports, me: usize) {
    let mut dice = Dice::new(me);
    let last = || Question { from: me, number: 0, forward: false };
    let mut window = Window::new(WINDOW, last);
    for number in 1..=ports.each {
        let to = ports.ports[dice.below(ports.ports.len())];
        let forward = dice.below(8) == 0;
        if dice.below(4) == 0 {
            let mut message = Message::new(Question { from: me, number, forward });
            let reply = to.do_(cx, &mut message);
            judge(ports, number, reply);
        } else {
            window.send(to, number, Question { from: me, number, forward });
        }
        if let Some((number, reply)) = window.take_if_full(cx, &mut dice) {
            judge(ports, number, reply);
        }
        crew.step();
    }
    while let Some((number, reply)) = window.take(cx) {
        judge(ports, number, reply);
    }
    // All questions of this client are answered by now, so a server that has heard of the end from all forwards no more.
    for to in &ports.ports {
        let _ = to.do_(cx, &mut Message::new(last()));
        crew.step();
    }
}

fn judge(ports: &Ports, number: u64, reply: Result<u64, Error>) {
    let counter = if reply == Ok(mix(number)) { &ports.answered } else { &ports.wrong };
    counter.fetch_add(1, Ordering::Relaxed);
}
