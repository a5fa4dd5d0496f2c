//! The kernel: CPUs, threads, messages and processes, wired to the machine.
//!
//! What is decided is decided in the crates below (those of `lwkt` and `smp`, `dispatch`, `servers`, `memory`); here the
//! decisions meet registers, stacks and page tables (`arch`). Law: per-CPU data is touched by its CPU alone, inside a
//! critical section ([`cpu`]); another CPU is asked by message ([`ipi`]).
#![no_std]

extern crate alloc;

pub mod boot;
pub mod callout;
pub mod chaos;
pub mod clocks;
pub mod console;
pub mod cpu;
pub mod exec;
mod fallible;
pub mod faults;
mod idle;
pub mod interrupt;
pub mod ipi;
pub mod memory;
pub mod order;
mod park;
pub mod plant;
pub mod process;
pub mod published;
pub mod records;
mod report;
pub mod serializer;
pub mod thread;
pub mod timeline;
pub mod timer;
pub mod token;
pub mod wait_queue;

/// What this kernel was built with where there is a choice, as far as it is not the usual one: `runq=list`.
pub fn variants() -> alloc::string::String {
    use {::memory::remote, ipiq::handover, ipiq::knocking, lwkt_sched::queue, percpu::checks};
    let all = [
        ("runq", queue::CHOSEN, queue::IS_USUAL),
        ("ipi", knocking::CHOSEN, knocking::IS_USUAL),
        ("ring", handover::CHOSEN, handover::IS_USUAL),
        ("free", remote::CHOSEN, remote::IS_USUAL),
        ("trace", probe::CHOSEN, probe::IS_USUAL),
        ("checks", checks::CHOSEN, checks::IS_USUAL),
        ("faults", ::faults::CHOSEN, ::faults::IS_USUAL),
    ];
    let unusual = all.iter().filter(|(.., usual)| !usual);
    let words: alloc::vec::Vec<_> =
        unusual.map(|(key, chosen, _)| alloc::format!("{key}={chosen}")).collect();
    words.join(" ")
}

#[global_allocator]
static HEAP: memory::Heap = memory::Heap;

#[panic_handler]
fn on_panic(info: &core::panic::PanicInfo<'_>) -> ! {
    trace::emergency_drain();
    let (message, at) = (info.message(), info.location());
    let (file, line) = at.map_or(("?", 0), |at| (at.file(), at.line()));
    arch::panic::die(format_args!("{message} ({file}:{line})"), None)
}
