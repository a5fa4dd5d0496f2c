//! Mutexes, condition variables and semaphores, hard driven by the threads of one CPU process and of several.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::sync::atomic::{AtomicU64, Ordering};
use program::sync::{Condition, Mutex, Semaphore, local};
use program::thread::{self, JoinHandle};
use programs::{Dice, ensure, order, spawn, spread, steps};

program::main!(sync);

/// Threads on each CPU process that share the mutex, and pairs that share the store.
const THREADS: usize = 4;
/// Numbers that the store holds at most.
const ROOM: usize = 3;

/// A store with room for few: put by many, taken by many.
struct Store {
    numbers: [u64; ROOM],
    used: usize,
}

static COUNT: Mutex<[u64; 2]> = Mutex::new([0; 2]);
static STORE: Mutex<Store> = Mutex::new(Store { numbers: [0; ROOM], used: 0 });
static NOT_EMPTY: Condition = Condition::new();
static NOT_FULL: Condition = Condition::new();
// These three are counted with release and looked at with acquire.
static PUT: AtomicU64 = AtomicU64::new(0);
static TAKEN: AtomicU64 = AtomicU64::new(0);
static RING: [Semaphore; 64] = [const { Semaphore::new(0) }; 64];
static INSIDE: AtomicU64 = AtomicU64::new(0);
static DOOR: Semaphore = Semaphore::new(3);

fn sync() -> i64 {
    let carriers = spread(program::process::argument(2));
    let each = steps() / u64::from(carriers);
    let counted = on_each(carriers, move |me| exclude(me, each));
    let [first, second] = *COUNT.lock();
    ensure!(
        first == counted && second == counted,
        "counted {first} and {second} of {counted} under the mutex"
    );
    let put = on_each(carriers, move |me| exchange(me, each / 2));
    let (sum, back) = (PUT.load(Ordering::Acquire), TAKEN.load(Ordering::Acquire));
    ensure!(sum == back, "of {put} numbers {sum:#x} was put into the store, {back:#x} taken out");
    let rounds = on_each(carriers, move |me| token(me, each / 2, carriers));
    ensure!(rounds == (each / 2) * u64::from(carriers), "{rounds} steps of the ring");
    on_each(carriers, move |me| few(me, each / 2));
    on_each(carriers, move |me| pair(me, each));
    order::tell();
    0
}

/// Runs `f` in [`THREADS`] threads of each CPU process; the sum of what they return.
fn on_each(carriers: u8, f: impl Fn(u64) -> u64 + Send + Copy + 'static) -> u64 {
    let threads: [_; 256] = core::array::from_fn(|number| {
        let index = number / THREADS;
        (index < carriers.into()).then(|| spawn(index as u8, move || f(number as u64)))
    });
    threads.into_iter().flatten().map(JoinHandle::join).sum()
}

/// Two words that are only ever equal outside the mutex.
fn exclude(me: u64, each: u64) -> u64 {
    let mut dice = Dice::new(me);
    for round in 0..each / THREADS as u64 {
        let mut words = COUNT.lock();
        order::note(me, round);
        words[0] += 1;
        if dice.below(4) == 0 {
            thread::yield_now();
        }
        words[1] += 1;
        ensure!(words[0] == words[1], "two threads in the mutex at once");
    }
    each / THREADS as u64
}

/// Even threads put numbers, odd ones take as many.
fn exchange(me: u64, each: u64) -> u64 {
    let mut dice = Dice::new(100 + me);
    for round in 0..each / THREADS as u64 {
        let mut store = STORE.lock();
        order::note(me, round);
        if me.is_multiple_of(2) {
            while store.used == ROOM {
                store = NOT_FULL.wait(store);
            }
            let number = dice.roll() >> 16;
            let at = store.used;
            store.numbers[at] = number;
            store.used += 1;
            PUT.fetch_add(number, Ordering::AcqRel);
            if dice.below(2) == 0 { NOT_EMPTY.notify_one() } else { NOT_EMPTY.notify_all() }
        } else {
            while store.used == 0 {
                store = NOT_EMPTY.wait(store);
            }
            store.used -= 1;
            TAKEN.fetch_add(store.numbers[store.used], Ordering::AcqRel);
            NOT_FULL.notify_one();
        }
    }
    each / THREADS as u64
}

/// One unit goes round the CPU processes: the first thread of each hands it to the next's.
fn token(me: u64, each: u64, carriers: u8) -> u64 {
    if !me.is_multiple_of(THREADS as u64) {
        return 0;
    }
    let at = me as usize / THREADS;
    let next = &RING[(at + 1) % usize::from(carriers)];
    if at == 0 {
        next.post();
    }
    for round in 0..each {
        RING[at].wait();
        if at != 0 || round + 1 < each {
            next.post();
        }
    }
    each
}

/// No more inside than the semaphore has units.
fn few(me: u64, each: u64) -> u64 {
    let mut dice = Dice::new(200 + me);
    for round in 0..each / THREADS as u64 {
        DOOR.wait();
        order::note(me, round);
        let inside = INSIDE.fetch_add(1, Ordering::AcqRel);
        ensure!(inside < 3, "{} threads behind a semaphore of 3", inside + 1);
        if dice.below(8) == 0 {
            thread::sleep(dice.below(20_000));
        }
        INSIDE.fetch_sub(1, Ordering::AcqRel);
        DOOR.post();
    }
    0
}

/// Two threads of one CPU process take turns, without a locked instruction.
fn pair(me: u64, each: u64) -> u64 {
    if !me.is_multiple_of(THREADS as u64) {
        return 0;
    }
    struct Turns {
        mine: local::Semaphore,
        yours: local::Semaphore,
    }
    // SAFETY: both threads are of one CPU process, as local semaphores ask.
    unsafe impl Sync for Turns {}
    let turns = program::memory::array(1, |_| Turns {
        mine: local::Semaphore::new(1),
        yours: local::Semaphore::new(0),
    });
    let Ok([turns]) = turns else { return 0 };
    let turns: &'static Turns = turns;
    let other = thread::spawn(move || {
        for _ in 0..each {
            turns.yours.wait();
            turns.mine.post();
        }
    });
    for _ in 0..each {
        turns.mine.wait();
        turns.yours.post();
    }
    other.map(JoinHandle::join).map_or(0, |()| each)
}
