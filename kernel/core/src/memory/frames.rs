//! Page frames: a magazine on each CPU before the one shared pool.
//!
//! Law: the pool's lock is taken inside a critical section only, held for a batch at most, and never while
//! waiting for another CPU.

use super::refusal;
use crate::cpu::{self, Cpu};
use arch::layout::Phys;
use core::sync::atomic::{AtomicU64, Ordering};
use memory::{Frame, Links, Magazine, PAGE, Pool};
use percpu::Crit;
use spin::Mutex;

/// Frames that a CPU keeps at hand.
pub(crate) type FrameCache = Magazine<64>;

/// Free frames are linked through their first word, seen through the direct map.
struct DirectLinks;

impl Links for DirectLinks {
    fn set(&mut self, frame: Frame, next: Option<Frame>) {
        let word = Phys(frame.address()).as_ptr::<u64>();
        // SAFETY:
        // 1. The pool calls this for frames that are free, so nobody else reads or writes them.
        // 2. The direct map shows all RAM from before the first frame was added (`init`).
        unsafe { word.write(next.map_or(u64::MAX, |f| f.0)) };
    }

    fn get(&self, frame: Frame) -> Option<Frame> {
        let word = Phys(frame.address()).as_ptr::<u64>();
        // SAFETY: as in `set`; the word was written when the frame became free.
        let next = unsafe { word.read() };
        (next != u64::MAX).then_some(Frame(next))
    }
}

static POOL: Mutex<Pool<DirectLinks>> = Mutex::new(Pool::new(DirectLinks));
static TOTAL: AtomicU64 = AtomicU64::new(0);

/// Hands the usable memory of the boot map to the pool. Called once, before any other CPU runs.
pub(crate) fn init(regions: impl Iterator<Item = arch::layout::PhysRange>) {
    let mut pool = POOL.lock();
    for region in regions {
        pool.add(region.start.0, region.end.0);
    }
    TOTAL.store(pool.available(), Ordering::Relaxed);
}

/// Takes `bytes` of physically contiguous memory for good; boot only, `None` when no region is large enough.
pub(crate) fn take_run(bytes: usize) -> Option<usize> {
    let frames = bytes.div_ceil(PAGE) as u64;
    let first = POOL.lock().take_run(frames)?;
    TOTAL.fetch_sub(frames, Ordering::Relaxed);
    Some(Phys(first.address()).virt())
}

/// Takes a zeroed frame straight from the pool: before the CPU has a block of its own.
pub(crate) fn take_early() -> Option<Phys> {
    let frame = Phys(POOL.lock().take()?.address());
    TOTAL.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: the frame is ours alone, page aligned, shown by the direct map.
    unsafe { core::ptr::write_bytes(frame.as_ptr::<u64>(), 0, PAGE / 8) };
    Some(frame)
}

/// Takes a frame with undefined content.
#[inline]
pub fn take(crit: &Crit) -> Option<Phys> {
    let cpu = cpu::here();
    let number = cpu.frames.with(crit, Magazine::pop).or_else(|| refill(cpu, crit))?;
    cpu.counters.frames.add(crit, 1);
    Some(Phys(Frame(number).address()))
}

/// Takes a frame with undefined content for good: from then on it counts neither as in use nor as free.
pub(crate) fn take_for_good(crit: &Crit) -> Option<Phys> {
    let frame = take(crit)?;
    cpu::here().counters.frames.add(crit, u64::MAX);
    TOTAL.fetch_sub(1, Ordering::Relaxed);
    Some(frame)
}

/// Takes a frame full of zeroes.
pub fn take_zeroed(crit: &Crit) -> Option<Phys> {
    let frame = take(crit)?;
    // SAFETY:
    // 1. The frame is ours alone since `take`.
    // 2. The direct map shows all of it; it is page aligned.
    unsafe { core::ptr::write_bytes(frame.as_ptr::<u64>(), 0, PAGE / 8) };
    Some(frame)
}

/// Puts a frame back that `take` gave and that nothing maps any more, on any CPU.
#[inline]
pub fn put(crit: &Crit, frame: Phys) {
    if crate::plant::leaks_page() {
        return;
    }
    let cpu = cpu::here();
    let number = Frame::containing(frame.0).0;
    cpu.counters.frames.add(crit, u64::MAX);
    cpu.frames.with(crit, |magazine| {
        if magazine.push(number).is_err() {
            let mut pool = POOL.lock();
            magazine.spill(|frame| pool.put(Frame(frame)));
            // One that spilled a batch has room; a closed one never has.
            if magazine.push(number).is_err() {
                pool.put(Frame(number));
            }
        }
    });
}

/// Closes or opens what this CPU keeps at hand: see [`Magazine`].
pub(super) fn keep_at_hand(crit: &Crit, keep: bool) {
    cpu::here().frames.with(crit, |magazine| {
        if keep { magazine.open() } else { magazine.close(|frame| POOL.lock().put(Frame(frame))) }
    });
}

/// Frames that are in use by anybody, kernel or process, beyond what boot took. Exact while no CPU allocates.
pub fn in_use() -> u64 {
    cpu::all().fold(0, |sum, cpu| sum.wrapping_add(cpu.counters.frames.get()))
}

/// Frames that nobody uses. Exact while no CPU allocates.
pub fn free() -> u64 {
    TOTAL.load(Ordering::Relaxed) - in_use()
}

/// Takes a frame from the pool, and a batch of them for this CPU.
#[cold]
fn refill(cpu: &'static Cpu, crit: &Crit) -> Option<u64> {
    if refusal::strikes() {
        return None;
    }
    cpu.frames.with(crit, |magazine| {
        let mut pool = POOL.lock();
        let Some(frame) = pool.take() else { return refusal::dry(&refusal::FRAMES) };
        for _ in 1..FrameCache::BATCH {
            let Some(more) = pool.take() else { break };
            // One that is empty takes a batch; a closed one takes nothing.
            if magazine.push(more.0).is_err() {
                pool.put(more);
                break;
            }
        }
        Some(frame.0)
    })
}
