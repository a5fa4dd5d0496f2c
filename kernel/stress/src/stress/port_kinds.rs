//! Groups whose members come and go, ports with several receivers, priority messages, batches, and sets of ports.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::window::Spare;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_core::chaos::mix;
use kernel_core::exec::Threads;
use kernel_core::plant::Faults;
use kernel_core::{cpu, order, timer};
use lwkt_port::{
    Batch, Body, ByBody, Error, Group, Port, PortSet, Received, Replies, ReplyPort, SpinPort,
    ThreadPort,
};
use lwkt_sched::{MayBlock, ThreadRef};
use percpu::CpuId;

check! {
    name: "kernel/port_kinds",
    doc: "Clients on all CPUs ask groups, spin ports and servers behind sets of ports, singly, urgently and in batches: one reply each.",
    kind: Stress,
    run: port_kinds,
}

/// Questions of a full run.
const QUESTIONS: u64 = 60_000;
/// Messages of a client.
const WINDOW: usize = 8;
/// Places of a group.
const MEMBERS: usize = 8;
/// Questions that a member answers before it leaves, and comes back.
const STAY: u64 = 30;

/// A question.
struct Question {
    from: usize,
    number: u64,
    /// How many urgent ones the client had sent to this server before.
    urgent_before: u64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// To one server, in its place among the others of its client.
    Ordinary,
    /// To one server, before all that are ordinary.
    Urgent,
    /// To whoever gets it.
    Any,
}

impl Body for Question {
    type Reply = u64;
    type Exec = Threads;
}

type Members = Group<Question, ThreadPort<Question>, ByBody<Question>, MEMBERS>;

struct Kinds {
    /// Two for each CPU: one for whom its server is wanted, and one that is a member of the group now and then.
    own: Vec<&'static ThreadPort<Question>>,
    member: Vec<&'static ThreadPort<Question>>,
    group: &'static Members,
    pool: &'static SpinPort<Question>,
    replies: Vec<&'static ReplyPort<Question>>,
    each: u64,
    open: AtomicUsize,
    answered: AtomicU64,
    refused: AtomicU64,
    wrong: AtomicU64,
    disorder: AtomicU64,
    served: AtomicU64,
    left: AtomicU64,
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

fn ports(count: usize) -> Vec<&'static ThreadPort<Question>> {
    (0..count).map(|_| &*leak(ThreadPort::new())).collect()
}

fn port_kinds(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let each = (run.slow_steps(QUESTIONS) / cpus as u64).max(16);
    let zero = || AtomicU64::new(0);
    let shared = Arc::new(Kinds {
        own: ports(cpus),
        member: ports(cpus),
        group: leak(Group::new(ByBody(|question: &Question| question.number as usize))),
        pool: leak(SpinPort::new()),
        replies: (0..cpus).map(|_| &*leak(ReplyPort::new())).collect(),
        each,
        open: AtomicUsize::new(cpus),
        answered: zero(),
        refused: zero(),
        wrong: zero(),
        disorder: zero(),
        served: zero(),
        left: zero(),
    });
    let places = (0..3 * cpus).map(move |number| CpuId::at(number % cpus));
    let job = Job {
        name: "port_kinds",
        shared: shared.clone(),
        work,
        faults: Faults::None,
        stay: Stay::Bound,
        meet: Kinds::meet,
    };
    // Open before the first client asks.
    let open = shared.pool.receiver();
    let ended = crew::run(run, cx, &job, places);
    drop(open);
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (answered, refused, served) =
        (of(&shared.answered), of(&shared.refused), of(&shared.served));
    let (wrong, disorder, left) = (of(&shared.wrong), of(&shared.disorder), of(&shared.left));
    let total = each * cpus as u64;
    run.count("questions", total);
    run.count("answered", answered);
    run.count("refused", refused);
    run.count("left", left);
    ensure!(wrong == 0, "{wrong} answers belong to other questions");
    ensure!(disorder == 0, "{disorder} questions came before one that was to come first");
    let sum = answered + refused;
    ensure!(ended == Ended::Done && sum == total, "{sum} of {total} questions came back");
    ensure!(answered == served, "{served} replies were given, {answered} were received");
    ensure!(left > 0 && refused < total / 2, "members left {left} times, {refused} were refused");
    Ok(format!(
        "{total} questions: {answered} answered in their order, {refused} refused by members that had left, {left} times"
    ))
}

impl Kinds {
    fn meet(&self, number: usize, thread: ThreadRef) {
        if let (Some(own), Some(member)) = (self.own.get(number), self.member.get(number)) {
            own.assign(thread);
            member.assign(thread);
        }
    }

    fn reply(&self, message: Received<Question>) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let number = message.body().number;
        order::note(1, number as usize);
        message.reply(mix(number));
    }
}

fn work(cx: &mut MayBlock, crew: &Crew, shared: &Kinds, me: usize) {
    let cpus = shared.own.len();
    match me / cpus {
        0 => serve(cx, shared, me),
        1 => help(cx, shared),
        _ => {
            ask(cx, crew, shared, me % cpus);
            shared.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// What a server has seen of a client: its last questions of both kinds, and how many urgent ones.
#[derive(Default, Clone, Copy)]
struct Seen {
    ordinary: u64,
    urgent: u64,
    urgents: u64,
}

/// Serves two ports by way of a set; comes and goes as a member.
fn serve(cx: &mut MayBlock, shared: &Kinds, me: usize) {
    let set: &'static PortSet<Threads> = leak(PortSet::new());
    let mut watcher = set.claim(cx).expect("of this thread");
    let mut own = shared.own[me].claim(cx).expect("assigned to this thread, by `meet`");
    watcher.add(&own, 0);
    let mut seen: Vec<_> = shared.own.iter().map(|_| Seen::default()).collect();
    while shared.open.load(Ordering::Acquire) > 0 {
        let mut member = shared.member[me].claim(cx).expect("assigned, or given up by this thread");
        watcher.add(&member, 1);
        let place = shared.group.join(shared.member[me]);
        let mut stay = STAY;
        while stay > 0 {
            match watcher.wait_until(cx, timer::now() + 20_000) {
                Some(0) => own.get().into_iter().for_each(|message| {
                    note(shared, &mut seen, message.body());
                    shared.reply(message);
                }),
                Some(_) => member.get().into_iter().for_each(|message| shared.reply(message)),
                None if shared.open.load(Ordering::Acquire) == 0 => break,
                None => {}
            }
            stay -= 1;
        }
        place.map(|place| shared.group.leave(place));
        shared.left.fetch_add(1, Ordering::Relaxed);
    }
}

/// Checks a question against what came before it.
fn note(shared: &Kinds, seen: &mut [Seen], question: &Question) {
    let Question { from, number, urgent_before, kind } = *question;
    let seen = &mut seen[from];
    let last = match kind {
        Kind::Urgent => {
            seen.urgents += 1;
            core::mem::replace(&mut seen.urgent, number)
        }
        Kind::Ordinary | Kind::Any => core::mem::replace(&mut seen.ordinary, number),
    };
    if last >= number || seen.urgents < urgent_before {
        shared.disorder.fetch_add(1, Ordering::Relaxed);
    }
}

/// Receives with others at one port.
fn help(cx: &mut MayBlock, shared: &Kinds) {
    let mut receiver = shared.pool.receiver();
    while shared.open.load(Ordering::Acquire) > 0 {
        if let Some(message) = receiver.receive_until(cx, timer::now() + 50_000) {
            shared.reply(message);
        }
    }
}

/// Asks, a window of questions at a time.
fn ask(cx: &mut MayBlock, crew: &Crew, shared: &Kinds, me: usize) {
    let mut dice = Dice::new(me);
    let mut replies = shared.replies[me].claim(cx).expect("each client has one");
    let fresh = || Question { from: me, number: 0, urgent_before: 0, kind: Kind::Any };
    let mut spare = Spare::new(WINDOW, fresh);
    let mut urgents: Vec<u64> = shared.own.iter().map(|_| 0).collect();
    let (mut number, mut batch) = (0, Batch::new());
    while number < shared.each || replies.outstanding() > 0 {
        while number < shared.each
            && let Some(mut message) = spare.pop()
        {
            number += 1;
            let place = dice.below(shared.own.len());
            let (to, urgent_before) = (shared.own[place], urgents[place]);
            let kind = [Kind::Any, Kind::Any, Kind::Urgent, Kind::Ordinary][dice.below(4)];
            *message.body() = Question { from: me, number, urgent_before, kind };
            match kind {
                Kind::Urgent => {
                    urgents[place] += 1;
                    to.urgent().send_to(message, &mut replies);
                }
                // Not behind a batch that is sent later.
                Kind::Ordinary if batch.count() == 0 => to.send_to(message, &mut replies),
                Kind::Ordinary => batch.add(to, message),
                Kind::Any if dice.below(2) == 0 => shared.pool.send_to(message, &mut replies),
                Kind::Any if dice.below(2) == 0 => shared.group.send_to(message, &mut replies),
                Kind::Any => {
                    message.body().kind = Kind::Ordinary;
                    batch.add(to, message);
                }
            }
        }
        core::mem::take(&mut batch).send(&mut replies);
        collect(cx, shared, &mut replies, &mut spare, 1 + dice.below(WINDOW));
        crew.step();
    }
}

/// Takes some back.
fn collect(
    cx: &mut MayBlock,
    shared: &Kinds,
    replies: &mut Replies<Question>,
    spare: &mut Spare<Question>,
    count: usize,
) {
    for _ in 0..count {
        let Some(replied) = replies.wait_any(cx) else { return };
        let (reply, mut message) = replied.take();
        let counter = match reply {
            Ok(answer) if answer == mix(message.body().number) => &shared.answered,
            Err(Error::Closed) => &shared.refused,
            _ => &shared.wrong,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        spare.push(message);
    }
}
