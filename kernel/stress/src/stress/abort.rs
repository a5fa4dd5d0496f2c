//! Messages that their senders ask for again, wherever these are by then, and ports that die meanwhile.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
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
    Aborter, Body, Error, Message, Owned, Port, Received, Replied, Replies, ReplyPort, Sent,
    Server, SpinPort, ThreadPort,
};
use lwkt_sched::{MayBlock, ThreadRef};
use percpu::{CpuId, Crit};
use servers::options::Clock;

check! {
    name: "kernel/abort",
    doc: "Clients on all CPUs abort messages that are queued, worked on, passed on, answered, or at a port that dies: one reply each.",
    kind: Stress,
    run: abort,
}

/// Questions of a full run.
const QUESTIONS: u64 = 60_000;
/// Questions of one client that are on their way at once.
const WINDOW: usize = 6;
/// Questions that a server answers before its port dies, and lives again.
const LIFE: u64 = 40;

/// A question.
struct Question {
    number: u64,
    /// How often it may still be passed on.
    hops: usize,
    /// A server has answered it.
    worked: bool,
}

impl Body for Question {
    type Reply = u64;
    type Exec = Threads;
}

/// How many questions ended in each way.
#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    aborted: AtomicU64,
    closed: AtomicU64,
    /// A reply for a message that had had one.
    doubled: AtomicU64,
    /// An answer to another question, or that contradicts what the server noted.
    wrong: AtomicU64,
    /// What the servers count: replies, and calls that told of an abort.
    replied: AtomicU64,
    deaths: AtomicU64,
}

/// Calls that have told a server of an abort.
static TOLD: AtomicU64 = AtomicU64::new(0);

struct Abort {
    ports: Vec<&'static ThreadPort<Question>>,
    pool: &'static SpinPort<Question>,
    aborters: Vec<&'static Aborter<Question>>,
    replies: Vec<&'static ReplyPort<Question>>,
    /// Addresses of the messages, which stay until all is over: `WINDOW` for each client.
    messages: Vec<usize>,
    each: u64,
    /// Clients that have not ended.
    open: AtomicUsize,
    counts: Counts,
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

fn fresh() -> &'static mut Message<Question> {
    leak(Message::new(Question { number: 0, hops: 0, worked: false }))
}

fn abort(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let each = (run.slow_steps(QUESTIONS) / cpus as u64).max(16);
    let shared = Arc::new(Abort {
        ports: (0..cpus).map(|_| &*leak(ThreadPort::new())).collect(),
        pool: leak(SpinPort::new()),
        aborters: (0..cpus).map(|_| &*leak(Aborter::new())).collect(),
        replies: (0..cpus).map(|_| &*leak(ReplyPort::new())).collect(),
        messages: (0..cpus * WINDOW).map(|_| (&raw mut *fresh()).expose_provenance()).collect(),
        each,
        open: AtomicUsize::new(cpus),
        counts: Counts::default(),
    });
    let told = TOLD.load(Ordering::Relaxed);
    let places = (0..2 * cpus).map(move |number| CpuId::at(number % cpus));
    let job = Job {
        name: "abort",
        shared: shared.clone(),
        work,
        faults: Faults::Replies,
        stay: Stay::Free,
        meet: Abort::meet,
    };
    let ended = crew::run(run, cx, &job, places);
    if ended == Ended::Done {
        for address in &shared.messages {
            let message = core::ptr::with_exposed_provenance_mut::<Message<Question>>(*address);
            // SAFETY: `fresh` leaked it out of a box; all threads are over, and so is all that was under way.
            drop(unsafe { Box::from_raw(message) });
        }
    }
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counts = &shared.counts;
    let (answered, aborted, closed) =
        (of(&counts.answered), of(&counts.aborted), of(&counts.closed));
    let (doubled, wrong, replied) = (of(&counts.doubled), of(&counts.wrong), of(&counts.replied));
    let (told, deaths) = (TOLD.load(Ordering::Relaxed) - told, of(&counts.deaths));
    let total = each * cpus as u64;
    run.count("questions", total);
    run.count("answered", answered);
    run.count("aborted", aborted);
    run.count("closed", closed);
    run.count("told", told);
    run.count("deaths", deaths);
    ensure!(
        doubled == 0,
        "{doubled} replies were delivered twice: a message came back that was away"
    );
    ensure!(wrong == 0, "{wrong} answers contradict what was done about their questions");
    let sum = answered + aborted + closed;
    ensure!(ended == Ended::Done && sum == total, "{sum} of {total} questions came back");
    ensure!(answered == replied, "{replied} replies were given, {answered} were received");
    // Elsewhere it is chance whether it comes to each.
    let full = run.options.clock == Clock::Insns && !run.options.quick;
    ensure!(
        !full || [answered, aborted, closed, told, deaths].iter().all(|count| *count > 0),
        "it never came to one of {answered} answers, {aborted} aborted, {closed} closed, {told} told, {deaths} deaths"
    );
    Ok(format!(
        "{total} questions: {answered} answered, {aborted} aborted, {closed} at ports that died {deaths} times; each came back once"
    ))
}

impl Abort {
    fn meet(&self, number: usize, thread: ThreadRef) {
        if let Some(port) = self.ports.get(number) {
            port.assign(thread);
        }
    }
}

fn work(cx: &mut MayBlock, crew: &Crew, shared: &Abort, me: usize) {
    let cpus = shared.ports.len();
    if me < cpus {
        serve(cx, shared, me);
    } else {
        Client::new(cx, shared, me - cpus).ask(cx, crew);
        shared.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves, one life after the other, until all clients have ended.
fn serve(cx: &mut MayBlock, shared: &Abort, me: usize) {
    let mut dice = Dice::new(me << 8);
    let mut pool = shared.pool.receiver();
    while shared.open.load(Ordering::Acquire) > 0 {
        let Some(mut server) = shared.ports[me].claim(cx) else { continue };
        for _ in 0..LIFE {
            let soon = timer::now() + 20_000;
            if let Some(message) = server.receive_until(cx, soon) {
                handle(cx, shared, &server, message, &mut dice);
            }
            if let Some(message) = pool.get() {
                reply(shared, message);
            }
        }
        drop(server);
        shared.counts.deaths.fetch_add(1, Ordering::Relaxed);
        crew::relax(cx);
    }
}

/// Does one of several things with a message.
fn handle(
    cx: &mut MayBlock,
    shared: &Abort,
    server: &Server<Question>,
    mut message: Received<Question>,
    dice: &mut Dice,
) {
    order::note(1, message.body().number as usize);
    let hops = message.body().hops;
    if hops > 0 {
        message.body_mut().hops = hops - 1;
        return match dice.below(shared.ports.len() + 1) {
            0 => message.forward(shared.pool),
            place => message.forward(shared.ports[place - 1]),
        };
    }
    match dice.below(3) {
        0 => {
            let mut held = server.hold(message, told, 1);
            for _ in 0..dice.below(8) {
                crew::relax(cx);
            }
            let number = held.body().number;
            held.body_mut().worked = true;
            shared.counts.replied.fetch_add(1, Ordering::Relaxed);
            held.reply(mix(number));
        }
        1 => {
            crew::relax(cx);
            reply(shared, message);
        }
        _ => reply(shared, message),
    }
}

fn told(_: &Crit, count: usize) {
    TOLD.fetch_add(count as u64, Ordering::Relaxed);
}

fn reply(shared: &Abort, mut message: Received<Question>) {
    message.body_mut().worked = true;
    shared.counts.replied.fetch_add(1, Ordering::Relaxed);
    let number = message.body().number;
    message.reply(mix(number));
}

/// A client, and what it has.
struct Client<'a> {
    shared: &'a Abort,
    me: usize,
    dice: Dice,
    spare: Vec<Owned<Question>>,
    sent: Vec<Sent<Question>>,
    replies: Replies<Question>,
}

impl<'a> Client<'a> {
    fn new(cx: &mut MayBlock, shared: &'a Abort, me: usize) -> Self {
        let own = &shared.messages[me * WINDOW..][..WINDOW];
        let message = |address: &usize| {
            let message = core::ptr::with_exposed_provenance_mut::<Message<Question>>(*address);
            // SAFETY: `fresh` leaked it, and each client takes its own, once.
            Owned::new(unsafe { &mut *message })
        };
        Self {
            shared,
            me,
            dice: Dice::new(me),
            spare: own.iter().map(message).collect(),
            sent: Vec::with_capacity(WINDOW),
            replies: shared.replies[me].claim(cx).expect("each client has one"),
        }
    }

    fn ask(mut self, cx: &mut MayBlock, crew: &Crew) {
        for number in 1..=self.shared.each {
            self.one(cx, (self.me as u64) << 32 | number);
            while self.spare.is_empty() && self.has_some_away() {
                self.collect(cx);
            }
            crew.step();
        }
        while self.has_some_away() {
            self.collect(cx);
            crew.step();
        }
    }

    fn has_some_away(&self) -> bool {
        !self.sent.is_empty() || self.replies.outstanding() > 0
    }

    /// Asks one question, in one of several ways.
    fn one(&mut self, cx: &mut MayBlock, number: u64) {
        let mut message = self.spare.pop().unwrap_or_else(|| Owned::new(fresh()));
        let hops = [0, 0, 1, 3][self.dice.below(4)];
        *message.body() = Question { number, hops, worked: false };
        let place = self.dice.below(self.shared.ports.len());
        let to = self.shared.ports[place];
        match self.dice.below(10) {
            0 => {
                let asked = to.send(message).abort();
                self.take(asked.wait(cx));
            }
            1 => {
                let asked = self.shared.pool.send(message).abort();
                self.take(asked.wait(cx));
            }
            2 => {
                let sent = to.urgent().send(message);
                crew::relax(cx);
                self.take(sent.abort().wait(cx));
            }
            3 => {
                let soon = timer::now() + self.dice.below(40_000) as u64;
                let memory = message.into_inner();
                let reply = to.do_until(cx, memory, soon);
                self.judge(reply, Owned::new(memory));
            }
            4 => {
                let memory = message.into_inner();
                let reply = to.do_abortable(cx, memory, self.shared.aborters[self.me]);
                self.judge(reply, Owned::new(memory));
            }
            5 => match to.send(message).wait_until(cx, timer::now() + 10_000) {
                Ok(replied) => self.take(replied),
                Err(sent) => self.take(sent.abort().wait(cx)),
            },
            6 => to.send(message).give_up(&mut self.replies),
            7 => to.send_to(message, &mut self.replies),
            _ => self.sent.push(to.send(message)),
        }
        // Others may wait with theirs, or not.
        if self.dice.below(4) == 0 {
            self.shared.aborters[self.dice.below(self.shared.aborters.len())].abort();
        }
    }

    /// Takes one of the messages that are away back: any, with or without asking for it.
    fn collect(&mut self, cx: &mut MayBlock) {
        if self.dice.below(2) == 0
            && let Some(replied) = self.replies.wait_any(cx)
        {
            return self.take(replied);
        }
        if self.sent.is_empty() {
            return;
        }
        let sent = self.sent.swap_remove(self.dice.below(self.sent.len()));
        let replied = match self.dice.below(3) {
            0 => sent.wait(cx),
            _ => sent.abort().wait(cx),
        };
        self.take(replied);
    }

    fn take(&mut self, replied: Replied<Question>) {
        let (reply, message) = replied.take();
        self.judge(reply, message);
    }

    fn judge(&mut self, reply: Result<u64, Error>, mut message: Owned<Question>) {
        let Question { number, worked, .. } = *message.body();
        let counts = &self.shared.counts;
        let counter = match reply {
            // No server drops one: it had its reply before, and has another coming. Nobody uses it any more.
            Err(Error::Dropped) => {
                counts.doubled.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ok(answer) if worked && answer == mix(number) => &counts.answered,
            Err(Error::Aborted) if !worked => &counts.aborted,
            Err(Error::Closed) if !worked => &counts.closed,
            _ => &counts.wrong,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        order::note(2, number as usize);
        self.spare.push(message);
    }
}
