//! Going to other CPUs, and being taken there.

use crate::crew::relax;
use crate::registry::{Run, Verdict, check, ensure};
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel_core::cpu;
use kernel_core::thread::{self, Handle, MoveError};
use kernel_core::wait_queue::WaitQueue;
use lwkt_sched::{Change, MayBlock, Name, Priority, Reason, Stays, Why};
use percpu::CpuId;

check! {
    name: "kernel/moves",
    doc: "A thread goes to each CPU and is pulled to each; it stops when it is descheduled; a parked CPU has none but what waits on queues, and the last cannot be parked.",
    kind: Test,
    run: moves,
}

fn moves(_: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let nowhere = CpuId::at(cpu::count());
    ensure!(thread::migrate(cx, nowhere) == Err(MoveError::NoSuchCpu), "a thread went nowhere");
    let last = CpuId::at(cpu::count() - 1);
    if cpu::count() > 1 {
        let bound = Err(MoveError::Stays(Stays::Bound));
        ensure!(thread::migrate(cx, last) == bound, "a bound thread went");
    }
    by_itself(cx)?;
    pulled(cx)?;
    descheduled(cx)?;
    parked(cx)?;
    queued(cx)?;
    Ok(String::new())
}

fn start(f: impl FnOnce(&mut MayBlock) + Send + 'static) -> Result<Handle, String> {
    thread::spawn_on(CpuId::BOOT, Name::new("nomad"), Priority::SERVER, f)
        .map_err(|_| String::from("no memory"))
}

/// It goes to each CPU, and ends on the last.
fn by_itself(cx: &mut MayBlock) -> Result<(), String> {
    let stacks = thread::stacks_in_use();
    let found = Arc::new(AtomicUsize::new(0));
    let count = found.clone();
    start(move |cx| {
        for cpu in cpu::all() {
            if thread::migrate(cx, cpu.id()).is_ok() && cpu::here().id() == cpu.id() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    })?
    .join(cx);
    let found = found.load(Ordering::Relaxed);
    ensure!(found == cpu::count(), "a thread found itself on {found} CPUs");
    let now = thread::stacks_in_use();
    ensure!(now == stacks, "{stacks} stacks were in use before, {now} after");
    Ok(())
}

/// It waits, and is taken to each CPU meanwhile; it notices when it is woken.
fn pulled(cx: &mut MayBlock) -> Result<(), String> {
    let go = Arc::new(AtomicBool::new(false));
    let at = Arc::new(AtomicUsize::new(usize::MAX));
    let (sign, noted) = (go.clone(), at.clone());
    let nomad = start(move |cx| {
        thread::wait_until(cx, Why::on(Reason::Event, &*sign), |_| sign.load(Ordering::Acquire));
        noted.store(cpu::here().id().index(), Ordering::Release);
    })?;
    for cpu in cpu::all() {
        take(cx, nomad.thread(), cpu.id())?;
        // It lies there for a moment, and that CPU may wait on its stack.
        thread::sleep(cx, 20_000);
    }
    let ran = at.load(Ordering::Acquire);
    ensure!(ran == usize::MAX, "it went on without a wake");
    go.store(true, Ordering::Release);
    cpu::critical(|crit| thread::wake(crit, nomad.thread()));
    nomad.join(cx);
    let (at, last) = (at.load(Ordering::Acquire), cpu::count() - 1);
    ensure!(at == last, "it went on on CPU {at}, was taken to CPU {last}");
    Ok(())
}

/// Asks until it is given.
fn take(cx: &mut MayBlock, thread: lwkt_sched::ThreadRef, to: CpuId) -> Result<(), String> {
    for _ in 0..1000 {
        match thread::pull(thread, to) {
            Ok(()) => return Ok(()),
            Err(why) if why.passes() => relax(cx),
            Err(why) => return Err(alloc::format!("it was refused: {why:?}")),
        }
    }
    Err(String::from("it was refused a thousand times"))
}

/// It counts, and breathes; descheduled, it counts no further.
fn descheduled(cx: &mut MayBlock) -> Result<(), String> {
    let shared = Arc::new((AtomicUsize::new(0), AtomicBool::new(false)));
    let own = shared.clone();
    let there = CpuId::at(cpu::count() - 1);
    let counter = thread::spawn_on(there, Name::new("counter"), Priority::SERVER, move |cx| {
        while !own.1.load(Ordering::Acquire) {
            own.0.fetch_add(1, Ordering::Relaxed);
            thread::breathe(cx);
            arch::irq::pause();
        }
    })
    .map_err(|_| String::from("no memory"))?;
    let counts = || shared.0.load(Ordering::Relaxed);
    thread::sleep(cx, 50_000);
    let change = thread::deschedule(counter.thread());
    ensure!(matches!(change, Change::Done | Change::Later), "descheduled: {change:?}");
    thread::sleep(cx, 50_000);
    let before = counts();
    thread::sleep(cx, 50_000);
    let after = counts();
    ensure!(before == after && before > 0, "it counted {before}, and then to {after}");
    ensure!(thread::schedule(counter.thread()) == Change::Done, "it is not scheduled");
    thread::sleep(cx, 50_000);
    ensure!(counts() > after, "it did not go on");
    shared.1.store(true, Ordering::Release);
    counter.join(cx);
    Ok(())
}

/// A thread is driven off, one that is started there comes elsewhere, and the last CPU stays.
fn parked(cx: &mut MayBlock) -> Result<(), String> {
    let last = CpuId::at(cpu::count() - 1);
    let stop = Arc::new(AtomicBool::new(false));
    let sign = stop.clone();
    let lodger = thread::spawn_on(last, Name::new("lodger"), Priority::SERVER, move |cx| {
        while !sign.load(Ordering::Acquire) {
            thread::breathe(cx);
            arch::irq::pause();
        }
    })
    .map_err(|_| String::from("no memory"))?;
    let park = |cx: &mut MayBlock| cpu::all().map(|cpu| cpu::park(cx, cpu.id()).is_ok()).collect();
    let done: alloc::vec::Vec<bool> = park(cx);
    let home = lodger.thread().home();
    let elsewhere = thread::spawn_on(CpuId::BOOT, Name::new("new"), Priority::SERVER, |_| ());
    let began = elsewhere.as_ref().map(|one| one.thread().home()).unwrap_or(CpuId::BOOT);
    cpu::all().for_each(|cpu| cpu::unpark(cpu.id()));
    stop.store(true, Ordering::Release);
    lodger.join(cx);
    if let Ok(one) = elsewhere {
        one.join(cx);
    }
    let refused = done.iter().filter(|done| !**done).count();
    ensure!(refused == 1 && !done[done.len() - 1], "parked: {done:?}");
    ensure!(home == last, "it is on CPU {home}, the only one that is left is {last}");
    ensure!(began == last, "a thread began on parked CPU {began}");
    ensure!(!cpu::is_parked(last), "a CPU stays parked");
    Ok(())
}

/// One that waits on a queue stays on its CPU, also when that is parked, and goes when it has been woken.
fn queued(cx: &mut MayBlock) -> Result<(), String> {
    static QUEUE: WaitQueue = WaitQueue::new();
    static OPEN: AtomicBool = AtomicBool::new(false);
    if cpu::count() == 1 {
        return Ok(());
    }
    OPEN.store(false, Ordering::Relaxed);
    let last = CpuId::at(cpu::count() - 1);
    let at = Arc::new(AtomicUsize::new(usize::MAX));
    let noted = at.clone();
    let waiter = thread::spawn_on(last, Name::new("waiter"), Priority::SERVER, move |cx| {
        QUEUE.wait_until(cx, |_| OPEN.load(Ordering::Acquire));
        thread::yield_now(cx);
        noted.store(cpu::here().id().index(), Ordering::Release);
    })
    .map_err(|_| String::from("no memory"))?;
    thread::sleep(cx, 50_000);
    let stays = Err(MoveError::Stays(Stays::Waits));
    let pulled = thread::pull(waiter.thread(), CpuId::BOOT);
    ensure!(pulled == stays, "a thread on a queue was pulled: {pulled:?}");
    ensure!(cpu::park(cx, last).is_ok(), "its CPU was not parked");
    let home = waiter.thread().home();
    // A wake that is not the queue's: it stays, still listed, and waits again.
    cpu::critical(|crit| thread::wake(crit, waiter.thread()));
    thread::sleep(cx, 50_000);
    let still = waiter.thread().home();
    OPEN.store(true, Ordering::Release);
    cpu::critical(|crit| QUEUE.wake_all(crit));
    waiter.join(cx);
    cpu::unpark(last);
    ensure!(home == last && still == last, "it was moved from its queue's list");
    let at = at.load(Ordering::Acquire);
    ensure!(at != last.index(), "it goes on on CPU {at}, which is parked");
    Ok(())
}
