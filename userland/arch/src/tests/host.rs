//! A process on the host: each carrier is a host thread, the kernel below is a token and a condition variable.

use crate::host::{leave, run, set_gs_base};
use crate::switch::Context;
use crate::{entry, landing, loop_entry};
use abi::Completions;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed};
use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};
use std::vec::Vec;
use uthread::{Carrier, Class, Kernel, Options, Process, Tcb};

/// Stacks of each class in a test.
const STACKS: u64 = 512;

#[derive(Default)]
struct Sleeper {
    token: Mutex<bool>,
    bell: Condvar,
}

struct Machine {
    process: &'static Process,
    sleepers: Vec<Sleeper>,
    began: Instant,
    slow_wakes: bool,
}

std::thread_local! {
    static MACHINE: RefCell<Option<Arc<Machine>>> = const { RefCell::new(None) };
    static HOME: Cell<Context> = const { Cell::new(Context(0)) };
    static SLOW_WAKES: Cell<bool> = const { Cell::new(false) };
}

/// Makes who wakes another carrier slow in coming back from it, in processes that this host thread runs.
pub(crate) fn with_slow_wakes(test: impl FnOnce()) {
    SLOW_WAKES.set(true);
    test();
    SLOW_WAKES.set(false);
}

fn machine() -> Arc<Machine> {
    MACHINE.with(|machine| machine.borrow().clone().expect("a carrier's host thread"))
}

/// The host as kernel.
#[derive(Clone, Copy, Default)]
pub(crate) struct Host;

impl Kernel for Host {
    fn now(self, _: &Carrier) -> u64 {
        machine().began.elapsed().as_nanos() as u64
    }

    fn wait(self, carrier: &Carrier, _: u64, deadline: u64) {
        let machine = machine();
        let sleeper = &machine.sleepers[carrier.index() as usize];
        let mut token = sleeper.token.lock().expect("no panic");
        while !*token {
            let rest = if deadline == 0 {
                1_000_000_000
            } else {
                deadline.saturating_sub(self.now(carrier))
            };
            if rest == 0 {
                break;
            }
            token =
                sleeper.bell.wait_timeout(token, Duration::from_nanos(rest)).expect("no panic").0;
        }
        *token = false;
    }

    fn wake(self, index: u32) {
        let machine = machine();
        let sleeper = &machine.sleepers[index as usize];
        *sleeper.token.lock().expect("no panic") = true;
        sleeper.bell.notify_one();
        if machine.slow_wakes {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

fn zeroed(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, 4096).expect("a layout");
    // SAFETY: the size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory")
}

fn carrier(machine: &Arc<Machine>, index: u64) -> &'static Carrier {
    MACHINE.with(|mine| *mine.borrow_mut() = Some(machine.clone()));
    let area = zeroed(abi::map::CARRIER_LENGTH as usize);
    let top = area.as_ptr() as usize + abi::map::CARRIER_LENGTH as usize;
    let completions = Box::leak(Box::new(Completions::new()));
    // SAFETY: fresh memory that is never freed; the addresses are the crate's.
    let carrier = unsafe {
        Carrier::make(
            area.cast(),
            index,
            top,
            completions,
            machine.process,
            landing::<Host>(),
            loop_entry::<Host>(),
        )
    };
    // SAFETY: the area of a carrier; nothing else on this host uses GS.
    unsafe { set_gs_base(area.as_ptr() as usize) };
    carrier
}

fn drive() -> u64 {
    let mut home = Context::default();
    HOME.with(|cell| cell.set(Context(&raw mut home as usize)));
    // SAFETY: `carrier` made the area, whose running thread is its idle block.
    unsafe { run(&mut home, loop_entry::<Host>()) }
}

/// From a user thread: ends the loop of this carrier.
pub(crate) fn stop(value: u64) -> ! {
    let home = HOME.with(Cell::get).0 as *const Context;
    // SAFETY: `drive` keeps the context alive while the loop runs.
    let home = unsafe { *home };
    // SAFETY: saved by `run` on this host thread.
    unsafe { leave(home, value) }
}

/// Runs `main` as the first user thread of a process with `carriers` carriers; returns what it passed to [`stop`].
pub(crate) fn process(carriers: u64, main: extern "C" fn(u64) -> u64, argument: u64) -> u64 {
    let shared: &'static Process = Box::leak(Box::new(Process::new()));
    for class in Class::ALL {
        let slab = zeroed((class.stride() * STACKS) as usize);
        // SAFETY: fresh memory that is never freed.
        unsafe { shared.give_slab(class, slab.as_ptr() as u64, STACKS) };
    }
    let machine = Arc::new(Machine {
        process: shared,
        sleepers: (0..carriers).map(|_| Sleeper::default()).collect(),
        began: Instant::now(),
        slow_wakes: SLOW_WAKES.get(),
    });
    let first = carrier(&machine, 0);
    let barrier = Arc::new(std::sync::Barrier::new(carriers as usize));
    let others: Vec<JoinHandle<u64>> = (1..carriers)
        .map(|index| {
            let (machine, barrier) = (machine.clone(), barrier.clone());
            spawn(move || {
                carrier(&machine, index);
                barrier.wait();
                drive()
            })
        })
        .collect();
    barrier.wait();
    let options = Options { class: Class::Large, priority: Some(16), ..Options::USUAL };
    first.create(main as usize, argument, options.word(), Host).expect("a stack");
    let value = drive();
    for other in others {
        other.join().expect("a carrier");
    }
    value
}

/// Calls of the layer, as a program makes them.
pub(crate) mod calls {
    use super::*;
    use crate::call::switching;
    use uthread::{Condition, Semaphore};

    macro_rules! call {
        ($entry:ident) => {
            call!($entry, 0, 0)
        };
        ($entry:ident, $first:expr) => {
            call!($entry, $first, 0)
        };
        ($entry:ident, $first:expr, $second:expr) => {
            // SAFETY: the entry point takes these arguments; objects of the tests live for ever.
            unsafe {
                switching(entry::$entry::<Host> as *const (), [$first as u64, $second as u64])
            }
        };
    }

    pub(crate) fn yield_now() {
        call!(yield_now);
    }
    pub(crate) fn wait(semaphore: &'static Semaphore) {
        call!(semaphore_wait, &raw const *semaphore);
    }
    pub(crate) fn post(semaphore: &'static Semaphore) {
        call!(semaphore_post, &raw const *semaphore);
    }
    pub(crate) fn condition_wait(condition: &'static Condition, mutex: &'static Semaphore) {
        call!(condition_wait, &raw const *condition, &raw const *mutex);
        wait(mutex);
    }
    pub(crate) fn signal(condition: &'static Condition) {
        call!(condition_signal, &raw const *condition);
    }
    pub(crate) fn broadcast(condition: &'static Condition) {
        call!(condition_broadcast, &raw const *condition);
    }
    pub(crate) fn join(thread: &'static Tcb) -> u64 {
        call!(join, &raw const *thread)
    }
    pub(crate) fn clock() -> u64 {
        call!(clock)
    }
    pub(crate) fn sleep_until(deadline: u64) {
        call!(sleep, deadline);
    }
    pub(crate) fn set_priority(thread: &'static Tcb, priority: u8) {
        call!(set_priority, &raw const *thread, priority);
    }
    pub(crate) fn current() -> &'static Tcb {
        let thread = call!(current) as *const Tcb;
        // SAFETY: the calling thread's block.
        unsafe { &*thread }
    }
    pub(crate) fn create(
        function: extern "C" fn(u64) -> u64,
        argument: u64,
        options: Options,
    ) -> Option<&'static Tcb> {
        // SAFETY: called by a user thread.
        unsafe { entry::create::<Host>(function as usize, argument, options.word()) }
    }
    /// A local semaphore of this carrier.
    pub(crate) fn local(units: i64) -> &'static Semaphore {
        Box::leak(Box::new(Semaphore::local(units, crate::carrier().inbox())))
    }
    pub(crate) fn shared(units: i64) -> &'static Semaphore {
        Box::leak(Box::new(Semaphore::shared(units)))
    }
}
