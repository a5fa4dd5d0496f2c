//! Steps that several costs share: who answers, here or on another CPU.
//!
//! Law: a partner is a thread of its own, started before the clock runs and joined before its benchmark ends, so
//! nothing of it is left over in the next window.

use crate::environment::may_block;
use alloc::sync::Arc;
use bench_api::{Bencher, Peer};
use core::ops::Range;
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use kernel_core::cpu::critical;
use kernel_core::exec::Threads;
use kernel_core::ipi;
use kernel_core::thread::{self, Handle};
use lwkt_port::{Body, Handler, Message, Offered, Outcome, Owned, Port, Received, ThreadPort};
use lwkt_sched::{MayBlock, Name, Priority, Reason, ThreadRef, Why};
use percpu::{CpuId, Crit};

/// The CPU that this runs on.
pub(crate) fn here() -> CpuId {
    CpuId::at(arch::cpu_id() as usize)
}

/// Another CPU; there is one, if the benchmark says `cpus: 2`.
pub(crate) fn other() -> CpuId {
    CpuId::at(usize::from(arch::cpu_id() == 0))
}

/// A step that keeps its CPU busy, with interrupts on, and gives way to the other CPUs at each turn.
pub(crate) fn spin(peer: &Peer<'_>) {
    while !peer.stopped() {
        arch::irq::pause();
    }
}

/// Steps that halt their CPUs while they wait, so that no turn of a wait is counted as work.
///
/// | step | leader | a CPU that waits |
/// |---|---|---|
/// | 1 | makes what is waited for true, or `over`, release | asks with interrupts off, acquire |
/// | 2 | sends a call, which interrupts | halts; an interrupt that came after step 1 ends that at once |
///
/// Forbidden: a CPU that halts for good. What a wait is for comes by a call, which is step 2.
pub(crate) struct Halting {
    over: AtomicBool,
}

impl Halting {
    pub const fn new() -> Self {
        Self { over: AtomicBool::new(false) }
    }

    /// Whether the steps shall end.
    pub fn is_over(&self) -> bool {
        // Pairs with: `end`, release.
        self.over.load(Acquire)
    }

    /// Halts this CPU until `done`, or the end.
    pub fn until(&self, done: impl Fn() -> bool) {
        let done = || done() || self.is_over();
        while !done() {
            // SAFETY: steps run on threads, outside critical sections: interrupts are on.
            unsafe { arch::irq::idle(done) };
        }
    }

    /// Runs `peer` on each of `cpus` while `body` measures here; then ends these steps.
    pub fn with<R>(
        &self,
        b: &mut Bencher<'_>,
        cpus: Range<usize>,
        peer: impl Fn(&Peer<'_>) + Sync,
        body: impl FnOnce(&mut Bencher<'_>) -> R,
    ) -> R {
        // Relaxed: the barrier orders it.
        self.over.store(false, Relaxed);
        b.on_each(cpus.clone(), peer, |b| {
            let result = body(b);
            // Pairs with: `is_over`, acquire.
            self.over.store(true, Release);
            cpus.map(CpuId::at)
                .for_each(|cpu| critical(|crit| ipi::send(crit, cpu, nothing, [0; 3])));
            result
        })
    }
}

/// A call that only interrupts.
pub(crate) fn nothing(_: &Crit, _: usize, _: usize, _: usize) {}

/// A thread of that CPU, to be joined before the benchmark ends.
pub(crate) fn partner(cpu: CpuId, f: impl FnOnce(&mut MayBlock) + Send + 'static) -> Handle {
    thread::spawn_on(cpu, Name::new("partner"), Priority::SERVER, f)
        .expect("memory for a benchmark's thread")
}

/// Two threads that wake each other in turn: the word is even when it is the leader's turn.
struct Duet(AtomicU64);

/// Ends the follower; odd.
const OVER: u64 = u64::MAX;

impl Duet {
    fn lead(&self, cx: &mut MayBlock, follower: ThreadRef) {
        critical(|crit| {
            // Relaxed, all of these: the word says nothing about other memory, and the wake that follows orders it.
            let turn = self.0.load(Relaxed) + 1;
            self.0.store(turn, Relaxed);
            thread::wake(crit, follower);
            while self.0.load(Relaxed) == turn {
                thread::block(crit, cx, Why::on(Reason::Event, self));
            }
        });
    }

    fn follow(&self, cx: &mut MayBlock, leader: ThreadRef) {
        loop {
            let turn = critical(|crit| {
                loop {
                    let turn = self.0.load(Relaxed);
                    if turn % 2 == 1 {
                        break turn;
                    }
                    thread::block(crit, cx, Why::on(Reason::Event, self));
                }
            });
            if turn == OVER {
                return;
            }
            critical(|crit| {
                self.0.store(turn + 1, Relaxed);
                thread::wake(crit, leader);
            });
        }
    }
}

/// Measures a wake of a blocked thread of `cpu` and the wake back.
pub(crate) fn wake_and_back(b: &mut Bencher<'_>, cpu: CpuId) {
    let (mut cx, leader) = (may_block(), thread::current());
    let duet = Arc::new(Duet(AtomicU64::new(0)));
    let follower = partner(cpu, {
        let duet = duet.clone();
        move |cx| duet.follow(cx, leader)
    });
    let before = b.open_window();
    b.iter(|| duet.lead(&mut cx, follower.thread()));
    let rounds = duet.0.load(Relaxed) / 2;
    let counted = b.close_window(&before);
    b.check(rounds > 2, "the other thread answered each wake");
    let waits = counted.get(bench_api::Counter::Waits);
    // Where CPUs run at the same time, a wake may be quicker than the wait, which it spares.
    let may_spare = b.mode() != bench_api::Mode::Insns && cpu != here();
    b.check(may_spare || waits >= 2 * rounds, "each wake ended a wait");
    critical(|crit| {
        duet.0.store(OVER, Relaxed);
        thread::wake(crit, follower.thread());
    });
    follower.join(&mut cx);
}

/// What the benchmarks ask of a port: the number after this one.
pub(crate) struct Ask {
    number: u64,
    last: bool,
}

impl Body for Ask {
    type Reply = u64;
    type Exec = Threads;
}

impl Ask {
    /// A message that asks for the number after `number`.
    pub(crate) const fn after(number: u64) -> Message<Ask> {
        Message::new(Ask { number, last: false })
    }

    /// Such a message that is not on a stack, for as long as the kernel runs.
    pub(crate) fn owned(number: u64) -> Owned<Ask> {
        Owned::new(alloc::boxed::Box::leak(alloc::boxed::Box::new(Self::after(number))))
    }

    /// Gives the memory of such a message back.
    pub(crate) fn free(message: Owned<Ask>) {
        // SAFETY: `owned` leaked it out of a box, and no handle to it is left.
        drop(unsafe { alloc::boxed::Box::from_raw(message.into_inner()) });
    }

    /// The message that ends who answers.
    pub(crate) const fn last() -> Message<Ask> {
        Message::new(Ask { number: 0, last: true })
    }

    /// Asks for the number after this one.
    pub(crate) fn go_on(&mut self, number: u64) {
        self.number = number;
    }

    /// The answer.
    #[inline(always)]
    pub(crate) fn answer(&self) -> u64 {
        self.number + 1
    }
}

/// Answers each at once, at a port without a queue.
pub(crate) struct Successor;

impl Handler<Ask> for Successor {
    // Not in line: a caller knows the port, seldom the handler.
    #[inline(never)]
    fn handle<'m>(&self, message: Offered<'m, Ask>) -> Outcome<'m, Ask> {
        let answer = message.body().answer();
        message.done(answer)
    }
}

/// The port at which the partner of [`with_server`] receives.
static PORT: ThreadPort<Ask> = ThreadPort::new();

/// Answers what comes, to the last.
pub(crate) fn answer_all(mut next: impl FnMut() -> Received<Ask>) {
    loop {
        let message = next();
        let (answer, last) = (message.body().answer(), message.body().last);
        message.reply(answer);
        if last {
            return;
        }
    }
}

/// Measures `do` to a port at which `server` answers all.
pub(crate) fn measure_do(b: &mut Bencher<'_>, port: &'static impl Port<Ask>, server: Handle) {
    let mut cx = may_block();
    let mut message = Ask::after(0);
    b.iter(|| {
        let reply = port.do_(&mut cx, &mut message).unwrap_or(0);
        message.body().go_on(reply);
    });
    let rounds = message.body().answer();
    b.check(rounds > 2, "each message was answered, with the number after its own");
    dismiss(&mut cx, port, server);
}

/// Has `server` answer its last message, and end.
fn dismiss(cx: &mut MayBlock, port: &'static impl Port<Ask>, server: Handle) {
    let goodbye = port.do_(cx, &mut Ask::last());
    assert!(goodbye == Ok(1), "the server answers its last message");
    server.join(cx);
}

fn serve(cx: &mut MayBlock) {
    let mut server = PORT.claim(cx).expect("its port is assigned to this thread");
    answer_all(|| server.receive(cx));
}

/// Runs `body` while a thread of `cpu` answers at the port.
pub(crate) fn with_server(cpu: CpuId, body: impl FnOnce(&mut MayBlock, &'static ThreadPort<Ask>)) {
    let mut cx = may_block();
    let server = partner(cpu, serve);
    assert!(PORT.assign(server.thread()), "the port of benchmarks has no other owner");
    body(&mut cx, &PORT);
    dismiss(&mut cx, &PORT, server);
}

/// Measures a message to a thread of `cpu` that is waited for: `do`.
pub(crate) fn port_do(b: &mut Bencher<'_>, cpu: CpuId) {
    with_server(cpu, |cx, port| {
        let mut message = Ask::after(0);
        b.iter(|| message.body().number = port.do_(cx, &mut message).unwrap_or(0));
        let rounds = message.body().number;
        b.check(rounds > 2, "each message was answered, with the number after its own");
    });
}

/// Measures a message to a thread of `cpu` that is sent, and whose reply is then waited for.
pub(crate) fn port_send_reply(b: &mut Bencher<'_>, cpu: CpuId) {
    with_server(cpu, |cx, port| {
        let memory = alloc::boxed::Box::leak(alloc::boxed::Box::new(Ask::after(0)));
        let mut message = Some(Owned::new(memory));
        b.iter(|| {
            let sent = message.take().map(|message| port.send(message));
            message = sent.map(|sent| {
                let (reply, mut message) = sent.wait(cx).take();
                message.body().number = reply.unwrap_or(0);
                message
            });
        });
        let memory = message.expect("each reply brings the message back").into_inner();
        b.check(
            memory.body().number > 2,
            "each message was answered, with the number after its own",
        );
        // SAFETY: it came out of the box above, and no handle to it is left.
        drop(unsafe { alloc::boxed::Box::from_raw(memory) });
    });
}
