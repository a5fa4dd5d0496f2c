//! Webs of tokens over all CPUs: random sets, shared and exclusive, nested, with waits and threads that come and go inside.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::add;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_core::plant::Faults;
use kernel_core::token::{Outer, Token};
use kernel_core::{cpu, order, thread};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "kernel/tokens",
    doc: "Webs of tokens over all CPUs, with waits inside: who has one has it alone, and every increment is there.",
    kind: Stress,
    run: tokens,
}

/// Threads on each CPU.
const EACH: usize = 3;
/// Webs of a full run.
const WEBS: u64 = 40_000;
/// Tokens, and the most of a web.
const TOKENS: usize = 8;
const DEEP: usize = 4;
/// Turns of CPUs while somebody works, in mode `insns`: others that had the token would work, too.
const TURNS: usize = 12;

/// What a token guards: plain numbers, which are equal but while a thread is at them. (Atomics, read and written apart, so
/// that shared holders may look.)
struct Guarded {
    one: AtomicU64,
    other: AtomicU64,
    /// Who is at them: one more than its number, or 0.
    at_it: AtomicU64,
}

static WEB: [Token<Guarded>; TOKENS] = [const {
    Token::new(Guarded {
        one: AtomicU64::new(0),
        other: AtomicU64::new(0),
        at_it: AtomicU64::new(0),
    })
}; TOKENS];

/// What all threads counted.
#[derive(Default)]
struct Counts {
    /// Increments of each token's numbers.
    added: [AtomicU64; TOKENS],
    /// Times that a thread found another one where it must not be.
    at_once: AtomicU64,
    /// Looks of shared holders.
    looks: AtomicU64,
    webs: AtomicU64,
    children: AtomicU64,
}

struct Webs {
    each: u64,
    counts: Arc<Counts>,
}

/// One token of a web.
#[derive(Clone, Copy)]
struct Pick {
    token: usize,
    shared: bool,
}

fn tokens(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let threads = EACH * cpus;
    let each = (run.slow_steps(WEBS) / threads as u64).max(1);
    let counts = Arc::new(Counts::default());
    for token in &WEB {
        let held = token.lock(cx);
        held.one.store(0, Ordering::Relaxed);
        held.other.store(0, Ordering::Relaxed);
        held.at_it.store(0, Ordering::Relaxed);
    }
    let job = Job {
        name: "weaver",
        shared: Arc::new(Webs { each, counts: counts.clone() }),
        work: weave,
        faults: Faults::Tokens,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let places = (0..threads).map(|number| CpuId::at(number / EACH));
    let ended = crew::run(run, cx, &job, places);
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (webs, looks) = (of(&counts.webs), of(&counts.looks));
    run.count("webs", webs);
    run.count("children", of(&counts.children));
    run.count("looks", looks);
    ensure!(
        ended == Ended::Done,
        "threads are stuck after {webs} webs of {}",
        each * threads as u64
    );
    let lost = |at: usize, cx: &mut MayBlock| {
        let held = WEB[at].lock(cx);
        let there = of(&held.one).min(of(&held.other));
        of(&counts.added[at]).saturating_sub(there)
    };
    let (mut sum, mut first) = (0, None);
    for at in 0..TOKENS {
        let lost = lost(at, cx);
        first = first.or((lost > 0).then_some(at));
        sum += lost;
    }
    let at_once = of(&counts.at_once);
    ensure!(
        at_once == 0 && sum == 0,
        "{at_once} times two threads had a token at once, {sum} increments lost{}",
        first.map_or_else(String::new, |at| format!(", first of token {at}"))
    );
    let added: u64 = counts.added.iter().map(of).sum();
    run.count("increments", added);
    Ok(format!(
        "{webs} webs over {cpus} CPUs; {added} increments, all there; {looks} looks, at nothing half done"
    ))
}

/// Weaves webs.
fn weave(cx: &mut MayBlock, crew: &Crew, webs: &Webs, me: usize) {
    let mut dice = Dice::new(me);
    let mut picks = [Pick { token: 0, shared: false }; DEEP];
    for number in 0..webs.each {
        if crew.is_stopped() {
            return;
        }
        let deep = 1 + dice.below(DEEP);
        for at in 0..deep {
            let token = dice.below(TOKENS);
            let before = picks[..at].iter().find(|pick| pick.token == token);
            // Nobody goes from shared to exclusive.
            let shared = before.is_some_and(|pick| pick.shared) || dice.below(3) == 0;
            picks[at] = Pick { token, shared };
        }
        let mut web = Web { me, dice: &mut dice, counts: &webs.counts };
        web.within(cx, &picks[..deep]);
        webs.counts.webs.fetch_add(1, Ordering::Relaxed);
        order::note(me, number as usize);
        crew.step();
    }
}

/// One thread's web.
struct Web<'a> {
    me: usize,
    dice: &'a mut Dice,
    counts: &'a Arc<Counts>,
}

impl Web<'_> {
    /// Takes one token after the other, does something with each, and waits at the innermost.
    fn within(&mut self, outer: &mut dyn Outer, picks: &[Pick]) {
        let Some((pick, inner)) = picks.split_first() else { return self.rest(outer.cx()) };
        let token = &WEB[pick.token];
        if pick.shared {
            let mut held = token.share(outer);
            self.look(&held);
            self.within(&mut held, inner);
            self.look(&held);
        } else {
            let mut held = token.lock(outer);
            self.work(&held, pick.token);
            self.within(&mut held, inner);
            self.work(&held, pick.token);
        }
    }

    /// What two at once would spoil.
    fn work(&mut self, at: &Guarded, token: usize) {
        work(self.counts, at, token, self.me);
    }

    fn look(&mut self, at: &Guarded) {
        let one = at.one.load(Ordering::Relaxed);
        arch::irq::pause();
        let other = at.other.load(Ordering::Relaxed);
        if one != other || at.at_it.load(Ordering::Relaxed) != 0 {
            self.counts.at_once.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits in some way, or not.
    fn rest(&mut self, cx: &mut MayBlock) {
        match self.dice.below(12) {
            0..=2 => thread::yield_now(cx),
            3..=4 => thread::sleep(cx, 2_000),
            5 => self.bring_up(cx),
            _ => {}
        }
    }

    /// A thread that wants a token itself comes and goes; its parent may have that one, and waits.
    fn bring_up(&mut self, cx: &mut MayBlock) {
        let (to, token) = (CpuId::at(self.dice.below(cpu::count())), self.dice.below(TOKENS));
        let priority = if self.dice.below(2) == 0 { Priority::SOFT } else { Priority::USER };
        let (me, counts) = (self.me, self.counts.clone());
        let life = move |cx: &mut MayBlock| {
            let mut held = WEB[token].lock(cx);
            work(&counts, &held, token, me);
            thread::yield_now(held.cx());
            work(&counts, &held, token, me);
            counts.children.fetch_add(1, Ordering::Relaxed);
        };
        let child =
            crew::start(cx, || thread::spawn_on(to, Name::new("child"), priority, life.clone()));
        child.join(cx);
    }
}

fn work(counts: &Counts, at: &Guarded, token: usize, me: usize) {
    let mark = me as u64 + 1;
    let mut alone = at.at_it.load(Ordering::Relaxed) == 0;
    at.at_it.store(mark, Ordering::Relaxed);
    add(&at.one, 1);
    // Under emulation each lets all other CPUs go on.
    (0..(TURNS / cpu::count()).max(1)).for_each(|_| arch::irq::pause());
    add(&at.other, 1);
    alone &= at.one.load(Ordering::Relaxed) == at.other.load(Ordering::Relaxed);
    alone &= at.at_it.load(Ordering::Relaxed) == mark;
    at.at_it.store(0, Ordering::Relaxed);
    if !alone {
        counts.at_once.fetch_add(1, Ordering::Relaxed);
    }
    counts.added[token].fetch_add(1, Ordering::Relaxed);
}
