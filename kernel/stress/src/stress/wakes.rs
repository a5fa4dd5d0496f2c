//! Threads that wake each other over all CPUs: one at a time, and all at once.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::registry::{Run, Verdict, check};
use crate::team::Team;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_core::plant::Faults;
use kernel_core::{cpu, order, thread};
use lwkt_sched::{MayBlock, Reason, Why};
use percpu::CpuId;

check! {
    name: "kernel/wakes",
    doc: "Threads of all CPUs wake each other, singly and in herds: every wait ends, no wake is lost.",
    kind: Stress,
    run: wakes,
}

/// Threads on each CPU.
const EACH: usize = 6;
/// Wakes of a full run in each half.
const WAKES: u64 = 200_000;

/// One thread's part: what it was given, and what it has taken.
#[derive(Default)]
struct Part {
    given: AtomicU64,
    taken: AtomicU64,
}

struct Wakes {
    team: Team<Part>,
    /// Wakes that each group has left, or rounds of the herd.
    left: Vec<AtomicUsize>,
    /// Threads of the herd that have come this round.
    arrived: AtomicUsize,
}

impl Wakes {
    fn new(threads: usize, groups: usize, left: usize) -> Arc<Self> {
        Arc::new(Self {
            team: Team::new(threads, Part::default),
            left: (0..groups).map(|_| AtomicUsize::new(left)).collect(),
            arrived: AtomicUsize::new(0),
        })
    }

    /// Gives one to a thread and wakes it.
    #[inline]
    fn give(&self, to: usize) {
        // Pairs with: `take`, acquire.
        self.team.part(to).given.fetch_add(1, Ordering::Release);
        cpu::critical(|crit| self.team.wake(crit, to));
    }

    /// Waits until the thread is given one; false when the crew is stopped.
    #[inline]
    fn take(&self, cx: &mut MayBlock, crew: &Crew, me: usize) -> bool {
        let part = self.team.part(me);
        let taken = part.taken.load(Ordering::Relaxed);
        let why = Why::on(Reason::Event, part);
        // Pairs with: `give`, release.
        let over = || part.given.load(Ordering::Acquire) > taken || crew.is_stopped();
        if taken.is_multiple_of(2) {
            thread::wait_until(cx, why, |_| over());
        } else {
            // In two critical sections: a wake that comes between them finds a thread that does not wait yet.
            while !over() {
                cpu::critical(|crit| thread::block(crit, cx, why));
            }
        }
        if crew.is_stopped() {
            return false;
        }
        part.taken.store(taken + 1, Ordering::Relaxed);
        order::note(me, taken as usize);
        true
    }

    fn verdict(&self, ended: Ended, what: &str) -> Result<u64, String> {
        ended.nobody_deaf("wakes")?;
        let of =
            |part: &Part| (part.given.load(Ordering::Relaxed), part.taken.load(Ordering::Relaxed));
        let unlike = self.team.parts().position(|part| of(part).0 != of(part).1);
        match (ended, unlike) {
            (_, Some(thread)) => {
                let ((given, taken), cpu) =
                    (of(self.team.part(thread)), self.team.home(thread).index());
                Err(format!(
                    "a wake was lost ({what}): thread {thread} on CPU {cpu} was woken {given} times and saw {taken}"
                ))
            }
            (Ended::Stuck { .. }, None) => {
                Err(format!("a wait did not end ({what}), though every wake was seen"))
            }
            (Ended::Done, None) => Ok(self.team.parts().map(|part| of(part).1).sum()),
        }
    }
}

fn wakes(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let threads = EACH * cpus;
    let places = || (0..threads).map(move |number| CpuId::at(number / EACH));
    let meet = |s: &Wakes, n, t| s.team.enter(n, t);

    let relays = Wakes::new(threads, EACH, (run.steps(WAKES) / EACH as u64) as usize);
    let ended = crew::run(
        run,
        cx,
        &Job {
            name: "relay",
            shared: relays.clone(),
            work: relay,
            faults: Faults::All,
            stay: Stay::Free,
            meet,
        },
        places(),
    );
    let single = relays.verdict(ended, "one at a time")?;

    let rounds = (run.steps(WAKES) / (2 * threads as u64)).max(4) as usize;
    let herds = Wakes::new(threads, 1, rounds);
    let ended = crew::run(
        run,
        cx,
        &Job {
            name: "herd",
            shared: herds.clone(),
            work: herd,
            faults: Faults::All,
            stay: Stay::Free,
            meet,
        },
        places(),
    );
    let many = herds.verdict(ended, "all at once")?;

    run.count("wakes", single);
    run.count("herd_wakes", many);
    Ok(format!("{} wakes over {cpus} CPUs, none lost; every wait ended", single + many))
}

/// One group has a thread on each CPU and one thing that they hand around: who is not woken stops its group.
fn relay(cx: &mut MayBlock, crew: &Crew, wakes: &Wakes, me: usize) {
    let (group, mates) = (me % EACH, wakes.team.len() / EACH);
    let mut dice = Dice::new(me);
    if me < EACH {
        wakes.give(me);
    }
    while wakes.take(cx, crew, me) {
        crew.step();
        // Only who has the thing touches the group's count.
        let left = wakes.left[group].load(Ordering::Relaxed);
        wakes.left[group].store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 {
            // The last turn goes around once: each hands over to the next and ends.
            if me / EACH + 1 < mates {
                wakes.give(me + EACH);
            }
            return;
        }
        let next = if left == 1 { 0 } else { dice.below(mates) };
        wakes.give(next * EACH + group);
    }
}

/// Thread 0 wakes all; the last to see it wakes thread 0.
fn herd(cx: &mut MayBlock, crew: &Crew, wakes: &Wakes, me: usize) {
    let others = wakes.team.len() - 1;
    for _ in 0..wakes.left[0].load(Ordering::Relaxed) {
        if me == 0 {
            // Relaxed: each thread is given its wake after this, and `give` and `take` order it.
            wakes.arrived.store(0, Ordering::Relaxed);
            (1..=others).for_each(|thread| wakes.give(thread));
        }
        if !wakes.take(cx, crew, me) {
            return;
        }
        crew.step();
        // Pairs with: itself: the last wakes thread 0 after all others have come.
        if me != 0 && wakes.arrived.fetch_add(1, Ordering::AcqRel) + 1 == others {
            wakes.give(0);
        }
    }
}
