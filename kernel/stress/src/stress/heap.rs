//! Blocks of the heap that are allocated on one CPU and freed on another, in messages and outside.

use crate::crew::{self, Crew, Ended, Job, Stay};
use crate::dice::Dice;
use crate::held;
use crate::registry::{Run, Verdict, check, ensure};
use crate::team::Team;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use kernel_core::chaos::mix;
use kernel_core::memory::{self, Refusal};
use kernel_core::plant::Faults;
use kernel_core::{cpu, ipi, order, thread};
use lwkt_sched::MayBlock;
use percpu::{CpuId, Crit};

check! {
    name: "kernel/heap",
    doc: "Blocks of all sizes that other CPUs free: nobody else writes to them meanwhile, and each comes home.",
    kind: Stress,
    run: heap,
}

/// Blocks of a full run.
const BLOCKS: u64 = 120_000;
/// Blocks that a CPU keeps before it frees the oldest.
const SHELF: usize = 97;
/// Words of the largest block: more than a small object has.
const WORDS: usize = 300;

/// What came to a CPU; touched by it alone until all are done.
struct Part {
    shelf: [AtomicUsize; SHELF],
    came: AtomicU64,
    spoilt: AtomicU64,
}

struct Heap {
    team: Team<Part>,
    each: u64,
}

/// A block that says how long it is, and what is in it.
struct Block(Box<[u64]>);

impl Block {
    fn new(words: usize, tag: u64) -> Self {
        let mut block = vec![0; words].into_boxed_slice();
        block.iter_mut().zip(0..).for_each(|(word, place)| *word = tag ^ place);
        block[0] = words as u64;
        block[1] = tag;
        Self(block)
    }

    fn is_whole(&self) -> bool {
        let tag = self.0[1];
        self.0.iter().zip(0..).skip(2).all(|(word, place)| *word == tag ^ place)
    }

    fn into_word(self) -> usize {
        Box::into_raw(self.0).cast::<u64>().expose_provenance()
    }

    /// # Safety
    /// `into_word` made the word, and nobody has taken the block back yet.
    unsafe fn from_word(word: usize) -> Self {
        let first = core::ptr::with_exposed_provenance_mut::<u64>(word);
        // SAFETY: the first word of a block is its length (`new`); the caller's promise.
        let words = unsafe { first.read() } as usize;
        let all = core::ptr::slice_from_raw_parts_mut(first, words);
        // SAFETY: it came out of a box of that length.
        Self(unsafe { Box::from_raw(all) })
    }
}

fn heap(run: &mut Run<'_>, cx: &mut MayBlock) -> Verdict {
    let cpus = cpu::count();
    let part = || Part {
        shelf: [const { AtomicUsize::new(0) }; SHELF],
        came: AtomicU64::new(0),
        spoilt: AtomicU64::new(0),
    };
    let each = (run.slow_steps(BLOCKS) / cpus as u64).max(64);
    let shared = Arc::new(Heap { team: Team::new(cpus, part), each });
    held::warm_up(cx, 1);
    let (bytes, objects) = at_rest();
    let sent = chains();
    let job = Job {
        name: "heap",
        shared: shared.clone(),
        work: hand_out,
        faults: Faults::Frees,
        stay: Stay::Bound,
        meet: |s, n, t| s.team.enter(n, t),
    };
    let ended = crew::run(run, cx, &job, crew::everywhere());
    ensure!(ended == Ended::Done, "a thread that waits for nobody did not end");
    let sum = |of: fn(&Part) -> &AtomicU64| -> u64 {
        shared.team.parts().map(|part| of(part).load(Relaxed)).sum()
    };
    let blocks = each * cpus as u64;
    run.count("blocks", blocks);
    run.count("chains", chains() - sent);
    shared.team.parts().for_each(Part::clear);
    let (came, spoilt) = (sum(|part| &part.came), sum(|part| &part.spoilt));
    ensure!(spoilt == 0, "{spoilt} blocks held something else than what was written to them");
    ensure!(came == blocks, "{blocks} blocks were handed out, and {came} came");
    let (bytes_now, objects_now) = at_rest();
    ensure!(bytes_now == bytes, "{} heap bytes leaked", bytes_now.wrapping_sub(bytes) as i64);
    let lost = objects_now.wrapping_sub(objects) as isize;
    ensure!(lost == 0, "{lost} objects that were freed never came home");
    let chains = chains() - sent;
    Ok(format!("{blocks} blocks, each whole until it was freed; {chains} chains went home"))
}

/// Bytes in use, and objects, when nobody has free ones at hand and all that were freed elsewhere are home.
fn at_rest() -> (u64, usize) {
    // The first sends home what CPUs have at hand, the second fetches what waits to be fetched.
    for _ in 0..2 {
        memory::refuse(Refusal::Count);
        crew::settle();
    }
    let objects = memory::objects_out();
    memory::refuse(Refusal::Off);
    (memory::heap_in_use(), objects)
}

/// Chains of freed objects that went to their CPU, so far.
fn chains() -> u64 {
    cpu::all().map(|cpu| cpu.counters.chains.get()).sum()
}

/// One CPU's thread: hands blocks to all others, and frees some that came.
fn hand_out(cx: &mut MayBlock, crew: &Crew, heap: &Heap, me: usize) {
    let cpus = heap.team.len();
    let shared = core::ptr::from_ref(heap).expose_provenance();
    let mut dice = Dice::new(me);
    for number in 0..heap.each {
        // Small ones are the usual ones.
        let most = if dice.below(16) == 0 { WORDS } else { 40 };
        let block = Block::new(2 + dice.below(most), mix(number << 16 | me as u64)).into_word();
        let to = CpuId::at(dice.below(cpus));
        cpu::critical(|crit| ipi::send(crit, to, deliver, [block, shared, me]));
        if number % 32 == 0 {
            crew.step();
            thread::yield_now(cx);
            cpu::critical(|_| heap.team.part(me).put(dice.below(SHELF), 0));
        }
    }
}

/// A message: a block comes, and takes the place of an older one.
fn deliver(_: &Crit, block: usize, shared: usize, from: usize) {
    // SAFETY: `hand_out` made the word from what its crew shares, which outlives every message (`crew::run` settles).
    let heap = unsafe { &*core::ptr::with_exposed_provenance::<Heap>(shared) };
    let me = cpu::here().id().index();
    let part = heap.team.part(me);
    let came = part.came.load(Relaxed);
    part.came.store(came + 1, Relaxed);
    order::note(from << 8 | me, came as usize);
    part.put(came as usize % SHELF, block);
}

impl Part {
    /// Puts a block, or none, into a place, and frees the one that was there.
    fn put(&self, place: usize, block: usize) {
        let old = self.shelf[place].load(Relaxed);
        self.shelf[place].store(block, Relaxed);
        if old != 0 {
            // SAFETY: `hand_out` made the word; a place gives it once.
            let old = unsafe { Block::from_word(old) };
            if !old.is_whole() {
                self.spoilt.store(self.spoilt.load(Relaxed) + 1, Relaxed);
            }
        }
    }

    fn clear(&self) {
        (0..SHELF).for_each(|place| self.put(place, 0));
    }
}
