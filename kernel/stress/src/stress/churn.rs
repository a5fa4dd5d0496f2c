//! Threads that come, take memory, and go; everywhere at once.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::held::{self, Held};
use crate::registry::{Run, Verdict, check, ensure};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_core::plant::Faults;
use kernel_core::{cpu, memory, order, thread};
use lwkt_sched::{MayBlock, Name, Priority};
use percpu::CpuId;

check! {
    name: "kernel/churn",
    doc: "Threads are made, exit and are joined on all CPUs, with memory: every stack, page and byte comes back.",
    kind: Stress,
    run: churn,
}

/// Threads of a full run.
const THREADS: u64 = 30_000;
/// Threads of one maker that nobody has joined yet, with few CPUs; and as many that nobody ever joins.
const OPEN: usize = 6;
/// No more live on a CPU at once, all that makers have there: each CPU has that many stacks before, and keeps them.
const AT_ONCE: usize = 48;

struct Churn {
    each: u64,
    open: usize,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    ran: AtomicU64,
}

fn churn(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    // Where there are more CPUs than such threads, some only get what others make.
    let apart = cpu::count().div_ceil(AT_ONCE / 2);
    let makers = || crew::everywhere().step_by(apart);
    let count = makers().count();
    let open = (AT_ONCE / (2 * count)).min(OPEN);
    held::warm_up(cx, 2 * open * count + 12);
    let each = (run.slow_steps(THREADS) / count as u64).max(4);
    let counts = Arc::new(Counts::default());
    let shared = Arc::new(Churn { each, open, counts: counts.clone() });
    let job = Job {
        name: "maker",
        shared: shared.clone(),
        work: make,
        faults: Faults::Pages,
        stay: Stay::Free,
        meet: |_, _, _| (),
    };
    let before = Held::now();
    let ended = crew::run(run, cx, &job, makers());
    let after = Held::soon(cx, &before);
    let ran = counts.ran.load(Ordering::Relaxed);
    run.count("threads", ran);
    after.count(run);
    ensure!(ended == Ended::Done, "threads are stuck after {ran} of {}", each * count as u64);
    ensure!(ran == each * count as u64, "{ran} threads ran of {}", each * count as u64);
    after.is_as(&before)?;
    Ok(format!(
        "{ran} threads came and went; {} stacks, {} pages, {} bytes before and after",
        after.stacks, after.frames, after.bytes
    ))
}

/// Makes threads anywhere, joins them later, or never.
fn make(cx: &mut MayBlock, crew: &Crew, churn: &Churn, me: usize) {
    let cpus = cpu::count();
    let mut dice = Dice::new(me);
    // Detached threads that are not over.
    let mine = Arc::new(AtomicUsize::new(0));
    let mut open = VecDeque::with_capacity(churn.open);
    for number in 0..churn.each as usize {
        let (to, kind) = (CpuId::at(dice.below(cpus)), dice.below(4));
        let bytes = 1 + dice.below(600);
        let brought = vec![number as u8; bytes];
        let frames: [_; 2] = cpu::critical(|crit| core::array::from_fn(|_| memory::take(crit)));
        order::note(me << 8 | to.index(), number);
        let counts = churn.counts.clone();
        let life = move |cx: &mut MayBlock| {
            let own = vec![!0u8; 700 - brought.len()];
            match kind {
                0 => {}
                1 => thread::yield_now(cx),
                2 => thread::sleep(cx, 2_000),
                _ => crew::relax(cx),
            }
            drop((own, brought));
            cpu::critical(|crit| {
                frames.into_iter().flatten().for_each(|frame| memory::put(crit, frame))
            });
            order::note(0xffff, number);
            counts.ran.fetch_add(1, Ordering::Relaxed);
        };
        if number % 5 == 4 {
            while mine.load(Ordering::Relaxed) >= churn.open {
                crew::relax(cx);
            }
            mine.fetch_add(1, Ordering::Relaxed);
            let mine = mine.clone();
            let life = move |cx: &mut MayBlock| {
                life(cx);
                // Pairs with: the maker's last wait, acquire.
                mine.fetch_sub(1, Ordering::Release);
            };
            crew::start(cx, || {
                thread::spawn_detached(to, Name::new("loose"), Priority::SERVER, life.clone())
            });
        } else {
            open.push_back(crew::start(cx, || {
                thread::spawn_on(to, Name::new("brief"), Priority::SERVER, life.clone())
            }));
        }
        if open.len() == churn.open {
            let chosen = dice.below(open.len());
            open.swap(0, chosen);
            if let Some(handle) = open.pop_front() {
                handle.join(cx);
            }
        }
        crew.step();
    }
    open.into_iter().for_each(|handle| handle.join(cx));
    // Pairs with: the end of each loose thread, release: it has counted by then.
    while mine.load(Ordering::Acquire) > 0 && !crew.is_stopped() {
        crew::relax(cx);
    }
}
