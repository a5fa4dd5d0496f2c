//! The clock and the CPUs.

use core::arch::x86_64::{_mm_lfence, _rdtsc};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The time stamp counter, after what came before and before what comes after.
#[inline(always)]
pub fn ticks() -> u64 {
    // SAFETY: x86-64 has SSE2.
    unsafe { _mm_lfence() };
    // SAFETY: reads a counter.
    let now = unsafe { _rdtsc() };
    // SAFETY: x86-64 has SSE2.
    unsafe { _mm_lfence() };
    now
}

/// The CPUs that this process may use.
pub fn cpus() -> Vec<usize> {
    sched_getaffinity(None)
        .map(|set| (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
        .unwrap_or_default()
}

/// What the processor calls itself.
pub fn model() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = about.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim());
    name.unwrap_or("an unknown processor").into()
}

/// Keeps this thread on `cpu`.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    // Where that is not allowed the thread may wander: the spread of the rounds shows it.
    let _ = sched_setaffinity(None, &set);
}
