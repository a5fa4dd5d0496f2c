//! A thread of a play: its jobs, one after the other, as `bench/sim/src/machine/life.rs` has them.

use crate::stage::{Group, Request, Stage, Tally};
use alloc::boxed::Box;
use alloc::vec::Vec;
use kernel_core::{cpu, ipi, thread, timer};
use lwkt_port::{Message, Owned, Port, Received, Replies, Server};
use lwkt_sched::{MayBlock, Reason, Why};
use percpu::{CpuId, Crit};
use workload::{Arrivals, Barrier, Chance, Job, Source};

/// Wakes that a thread has room for from the start.
const WAKES: usize = 4096;

/// What a thread has to itself.
struct Player {
    stage: &'static Stage,
    number: usize,
    index: usize,
    chance: Chance,
    arrivals: Arrivals,
    backlog: u64,
    may_begin: u64,
    /// Requests that it may send: those that are not on their way.
    free: Vec<Owned<Request>>,
    tally: Tally,
}

/// Where a job comes from.
enum From {
    Nobody,
    A(Received<Request>),
}

/// Plays, from the start to the end of the play.
pub(crate) fn live(cx: &mut MayBlock, stage: &'static Stage, number: usize, index: usize) {
    let group = stage.group(number);
    let (member, said) = (group.member(index), group.said(stage));
    let window = said.send.map_or(0, |send| send.window);
    let request = || Message::new(Request { sent: 0, answered: 0, is_last: false });
    let jobs = stage.workload().jobs.unwrap_or(u64::MAX);
    let mut player = Player {
        stage,
        number,
        index,
        chance: Chance::of_jobs(stage.seed(), number, index),
        arrivals: Arrivals::of(stage.workload(), number, index, stage.cpus(), stage.seed()),
        backlog: 0,
        may_begin: if said.source == Source::Always { jobs } else { 0 },
        free: (0..window).map(|_| Owned::new(Box::leak(Box::new(request())))).collect(),
        tally: Tally { wakes: Vec::with_capacity(WAKES), ..Tally::default() },
    };
    let mut server = (said.source == Source::Requests).then(|| member.port.claim(cx)).flatten();
    let mut replies = said.send.and_then(|_| member.replies.claim(cx));
    member.get_ready();
    sleep_until(cx, stage.start());
    while let Some((from, begun)) = player.begin(cx, server.as_mut()) {
        player.job(cx, from, begun, replies.as_mut());
    }
    if let Some(replies) = &mut replies {
        player.collect(cx, replies, 1);
    }
    player.tally.ended = server.is_some() || !stage.is_over();
    if server.is_none() {
        (player.tally.last, player.tally.rests) = (player.now(), cpu::rests());
    }
    if let Some(send) = said.send {
        stage.group(send.to).note_came(player.tally.sent);
    }
    member.put_tally(player.tally);
    thread::wait_until(cx, Why::on(Reason::Event, stage), |_| stage.is_over());
}

fn sleep_until(cx: &mut MayBlock, moment: u64) {
    cpu::critical(|crit| {
        while timer::now() < moment {
            thread::sleep_until(crit, cx, Why::SLEEP, moment);
        }
    });
}

impl Player {
    fn group(&self) -> &'static Group {
        self.stage.group(self.number)
    }

    fn said(&self) -> &'static workload::Group {
        self.group().said(self.stage)
    }

    /// Nanoseconds since the start.
    fn now(&self) -> u64 {
        timer::now() - self.stage.start()
    }

    /// The thread runs again, which should have run since a moment.
    fn woken(&mut self, since: u64) {
        self.tally.wakes.push(timer::now().saturating_sub(since));
    }

    fn sleep(&mut self, cx: &mut MayBlock, until: u64) {
        let moment = self.stage.start() + until;
        if timer::now() < moment {
            sleep_until(cx, moment);
            self.woken(moment);
        }
    }

    /// Waits for the next job; says whose it is, and when it began. `None`: there are no more.
    fn begin(
        &mut self,
        cx: &mut MayBlock,
        server: Option<&mut Server<Request>>,
    ) -> Option<(From, u64)> {
        if let Some(server) = server {
            let request = match server.get() {
                Some(request) => request,
                None => {
                    let request = server.receive(cx);
                    if !request.body().is_last {
                        self.woken(request.body().sent);
                    }
                    request
                }
            };
            let begun = timer::now();
            return (!request.body().is_last).then_some((From::A(request), begun));
        }
        loop {
            let arrived = self.arrivals.take_until(self.now());
            self.tally.came += arrived;
            self.backlog += arrived;
            if self.stage.is_over() {
                return None;
            }
            if let Some(left) = self.backlog.checked_sub(1) {
                self.backlog = left;
                return Some((From::Nobody, timer::now()));
            }
            match self.arrivals.next() {
                Some(next) => self.sleep(cx, next),
                None => break,
            }
        }
        self.may_begin = self.may_begin.checked_sub(1)?;
        self.tally.came += 1;
        Some((From::Nobody, timer::now()))
    }

    fn job(
        &mut self,
        cx: &mut MayBlock,
        from: From,
        begun: u64,
        replies: Option<&mut Replies<Request>>,
    ) {
        let said = self.said();
        let others = said.send.map_or(1, |send| self.stage.group(send.to).count());
        let job = self.chance.job(said, self.index, others, self.stage.cpus());
        self.tally.service += job.service;
        let begun = match job.goes {
            None => begun,
            Some(to) => {
                let gone = thread::migrate(cx, CpuId::at(to));
                gone.expect("it is not bound, and no CPU is taken away");
                timer::now()
            }
        };
        self.work(cx, begun, job.service);
        if let (Some(send), Some(replies)) = (said.send, replies) {
            self.ask(send.to, &job, replies);
            self.collect(cx, replies, send.window as usize);
        }
        if let Some(further) = job.asks {
            cpu::critical(|crit| {
                let other = (cpu::here().id().index() + further) % self.stage.cpus();
                thread::ask_for_one(crit, CpuId::at(other));
            });
        }
        if let From::A(mut request) = from {
            request.body_mut().answered = timer::now();
            request.reply(());
        }
        if said.barrier == Barrier::All {
            self.meet(cx);
        }
        self.tally.done += 1;
        self.tally.last = self.now();
        if job.sleep > 0 {
            self.sleep(cx, self.tally.last + job.sleep);
        }
    }

    /// Works, from a moment on that has just been: what this takes itself is part of the work.
    fn work(&mut self, cx: &mut MayBlock, mut since: u64, mut left: u64) {
        while left > 0 {
            // Again after it was over: that is what begins the next one.
            while thread::take_turn(cx) {
                self.tally.turns += 1;
                since = timer::now();
            }
            let worked = cpu::critical(|crit| timer::occupy(crit, since, left));
            self.tally.cpu_time += worked;
            left = left.saturating_sub(worked);
            since = timer::now();
        }
    }

    fn ask(&mut self, to: usize, job: &Job, replies: &mut Replies<Request>) {
        let mut request = self.free.pop().expect("no more are on their way than the window lets");
        request.body().sent = timer::now();
        self.tally.sent += 1;
        self.stage.group(to).member(job.to).port.send_to(request, replies);
    }

    /// Takes the answers that came, and waits until fewer than so many are outstanding.
    fn collect(&mut self, cx: &mut MayBlock, replies: &mut Replies<Request>, window: usize) {
        loop {
            while let Some(reply) = replies.get() {
                self.free.push(reply.take().1);
            }
            if replies.outstanding() < window {
                return;
            }
            let Some(reply) = replies.wait_any(cx) else { return };
            let (_, mut request) = reply.take();
            self.woken(request.body().answered);
            self.free.push(request);
        }
    }

    /// Waits until all of the group are at the barrier.
    fn meet(&mut self, cx: &mut MayBlock) {
        let group = self.group();
        let keeper = group.place(self.stage, 0);
        let times = self.tally.done;
        let mut waited = false;
        cpu::critical(|crit| {
            if keeper == cpu::here().id().index() {
                group.one_more(crit);
            } else {
                let word = core::ptr::from_ref(group).expose_provenance();
                ipi::send(crit, CpuId::at(keeper), one_more_there, [word, 0, 0]);
            }
            while !group.is_released(times) && !self.stage.is_over() {
                waited = true;
                thread::block(crit, cx, Why::on(Reason::Event, group));
            }
        });
        if waited {
            self.woken(group.released());
        }
    }
}

/// The message of a thread that is at the barrier.
fn one_more_there(crit: &Crit, group: usize, _: usize, _: usize) {
    // SAFETY: `meet` made the word from a group, which is for good.
    let group = unsafe { &*core::ptr::with_exposed_provenance::<Group>(group) };
    group.one_more(crit);
}
