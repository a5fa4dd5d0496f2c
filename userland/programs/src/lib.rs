//! What the programs of the tests share: seeded numbers, CPU processes on all CPUs, checks that end the program.
//!
//! Context law: for programs of ring 3 alone; what fails ends the program with a line and status 1.
#![cfg_attr(target_os = "none", no_std)]

pub mod order;

use program::thread::{JoinHandle, NoThread};
use program::{process, thread};

/// Ends the program with a line unless something holds.
#[macro_export]
macro_rules! ensure {
    ($holds:expr, $($line:tt)+) => {
        if !$holds {
            program::println!($($line)+);
            program::process::exit(1)
        }
    };
}

/// Seeded pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// As the program's seed and `salt` say.
    #[must_use]
    pub fn new(salt: u64) -> Self {
        Self::from_seed(seed() ^ salt.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// Of a seed of its own.
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[inline]
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }
}

/// Scatters the bits of a word.
#[inline]
#[must_use]
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// The seed that the program was started with.
#[must_use]
pub fn seed() -> u64 {
    process::argument(0)
}

/// How many steps the program is asked to take.
#[must_use]
pub fn steps() -> u64 {
    process::argument(1)
}

/// Adds a CPU process on each other CPU, up to `limit` in all, so many on the same CPU as it takes. Returns how many there
/// are; a thread can be spawned on each.
pub fn spread(limit: u64) -> u8 {
    let cpus = process::cpus();
    for number in 1..limit {
        let added = process::rfork(number % cpus);
        ensure!(added.is_ok(), "rfork {number}: {added:?}");
    }
    (1..limit as u8).for_each(|index| spawn(index, || ()).join());
    limit as u8
}

/// Starts a thread on a CPU process, which may not have begun yet.
pub fn spawn<T, F>(index: u8, closure: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static + Clone,
    T: Send + 'static,
{
    let end = process::clock() + 5_000_000_000;
    loop {
        match thread::builder().on(index).spawn(closure.clone()) {
            Ok(handle) => return handle,
            Err(NoThread) => ensure!(process::clock() < end, "no thread on CPU process {index}"),
        }
        thread::sleep(20_000);
    }
}

/// The kernel's and the process's figures.
pub fn stats() -> abi::answer::StatsList {
    let mut bytes = [0; abi::answer::StatsList::MAX_WORDS * 8];
    let used = process::stats(&mut bytes, u64::MAX).unwrap_or(0);
    let mut words = [0; abi::answer::StatsList::MAX_WORDS];
    let pairs = words.iter_mut().zip(bytes[..used].as_chunks().0);
    pairs.for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    match abi::answer::StatsList::decode(&words[..used / 8]) {
        Ok(list) => list.value,
        Err(why) => {
            program::println!("the kernel's figures: {why:?}");
            process::exit(1)
        }
    }
}
