//! A process without a machine: carriers driven by whatever threads the test has, user threads as state machines.
//!
//! A user thread is a closure that says what it does next; the driver carries out the library's decisions as the assembly
//! would, `pending` included. The kernel is its `wait` and `wake` as the design has them: a sticky token, a count of completions.
#![allow(dead_code, reason = "each test uses its part")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{HashMap, HashSet};
use std::ptr::NonNull;
use std::sync::Mutex as Plain;

use abi::{Completion, Completions};
use percpu::sync::Ordering;
use uthread::{Carrier, Class, Condition, Join, Kernel, Landing, Options, Process, Semaphore, Tcb};

#[cfg(feature = "loom")]
pub use loom::sync::{Condvar, Mutex};
#[cfg(all(feature = "shuttle", not(feature = "loom")))]
pub use shuttle::sync::{Condvar, Mutex};
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
pub use std::sync::{Condvar, Mutex};

/// What a user thread does next.
pub enum Do {
    Take(&'static Semaphore),
    Give(&'static Semaphore),
    /// Waits for the condition; the mutex is to be taken again afterwards.
    Await(&'static Condition, &'static Semaphore),
    NotifyOne(&'static Condition),
    NotifyAll(&'static Condition),
    Create(Body, Options),
    Join(Ref),
    Detach(Ref),
    Yield,
    SleepUntil(u64),
    /// A call that is not answered at once.
    Call,
    Exit(u64),
    /// Ends the driver of this carrier.
    Stop,
}

/// A thread's block, which tests pass between the threads that play carriers.
#[derive(Clone, Copy)]
pub struct Ref(pub &'static Tcb);
// SAFETY: blocks go from carrier to carrier by the library's own rules, which the tests try.
unsafe impl Send for Ref {}

/// An object that the threads of a test share as the library lets them.
pub struct Object<T: 'static>(&'static T);
impl<T> Clone for Object<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Object<T> {}
// SAFETY: the library's own rules for the object are what the tests try.
unsafe impl<T> Send for Object<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Object<T> {}

impl<T> Object<T> {
    /// Lives for ever.
    pub fn new(value: T) -> Self {
        Self(Box::leak(Box::new(value)))
    }
    pub fn get(self) -> &'static T {
        self.0
    }
}

/// What the last step gave: the result of a blocking call, or the thread that was created.
pub enum Last {
    Begin,
    Value(u64),
    Thread(Ref),
}

pub type Body = Box<dyn FnMut(Last) -> Do + Send>;

struct Asleep {
    token: bool,
    produced: u64,
    now: u64,
}

/// The kernel's side of one CPU process.
struct Cpu {
    state: Mutex<Asleep>,
    bell: Condvar,
}

pub struct Machine {
    process: Process,
    cpus: Vec<Cpu>,
    completions: Vec<Completions>,
    areas: Vec<NonNull<Carrier>>,
    bodies: Plain<HashMap<usize, Body>>,
    /// Threads whose stacks carriers stand on: a decision is made on the stack of the thread that asks for it.
    stood_on: Plain<HashSet<usize>>,
    slab: (NonNull<u8>, Layout),
    /// Forgets to ring the sleeper, to show that the tests see it.
    pub deaf: bool,
}

// SAFETY: carriers are driven by one thread each; all else is shared as the library shares it.
unsafe impl Send for Machine {}
// SAFETY: as above.
unsafe impl Sync for Machine {}

const STACKS: u64 = 64;

fn zeroed(layout: Layout) -> NonNull<u8> {
    // SAFETY: never of size zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory")
}

/// The model as kernel of the library.
#[derive(Clone, Copy)]
pub struct Model(&'static Machine);

impl Kernel for Model {
    fn now(self, carrier: &Carrier) -> u64 {
        self.0.cpus[carrier.index() as usize].state.lock().unwrap().now
    }

    fn wait(self, carrier: &Carrier, seen: u64, deadline: u64) {
        let cpu = &self.0.cpus[carrier.index() as usize];
        let mut state = cpu.state.lock().unwrap();
        loop {
            if std::mem::take(&mut state.token) || state.produced != seen {
                return;
            }
            if deadline != 0 {
                // Time passes only when somebody waits for it.
                state.now = state.now.max(deadline);
                return;
            }
            state = cpu.bell.wait(state).unwrap();
        }
    }

    fn wake(self, index: u32) {
        if self.0.deaf {
            return;
        }
        let cpu = &self.0.cpus[index as usize];
        cpu.state.lock().unwrap().token = true;
        cpu.bell.notify_one();
    }
}

impl Machine {
    pub fn new(carriers: usize) -> &'static Machine {
        Self::make(carriers, false)
    }

    /// A machine for `carriers`; [`Machine::end`] takes it apart.
    pub fn make(carriers: usize, deaf: bool) -> &'static Machine {
        let layout =
            Layout::from_size_align((Class::Small.stride() * STACKS) as usize, 4096).unwrap();
        let machine: &'static Machine = Box::leak(Box::new(Machine {
            process: Process::new(),
            cpus: (0..carriers)
                .map(|_| Cpu {
                    state: Mutex::new(Asleep { token: false, produced: 0, now: 1 }),
                    bell: Condvar::new(),
                })
                .collect(),
            completions: (0..carriers).map(|_| Completions::new()).collect(),
            areas: (0..carriers).map(|_| zeroed(Layout::new::<Carrier>()).cast()).collect(),
            bodies: Plain::new(HashMap::new()),
            stood_on: Plain::new(HashSet::new()),
            slab: (zeroed(layout), layout),
            deaf,
        }));
        // SAFETY: fresh memory, freed with the machine.
        unsafe { machine.process.give_slab(Class::Small, machine.slab.0.as_ptr() as u64, STACKS) };
        for index in 0..carriers {
            let landing = Landing { trampoline: 0, resume: 0 };
            let (area, pages) = (machine.areas[index], &machine.completions[index]);
            // SAFETY: fresh memory; nothing is ever switched to.
            unsafe { Carrier::make(area, index as u64, 0, pages, &machine.process, landing, 0) };
        }
        machine
    }

    /// Takes the machine apart: nobody uses it any more.
    pub fn end(&'static self) {
        for &area in &self.areas {
            // SAFETY: made by `make`, used by nobody.
            unsafe { area.drop_in_place() };
            // SAFETY: allocated with this layout.
            unsafe { dealloc(area.cast().as_ptr(), Layout::new::<Carrier>()) };
        }
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.slab.0.as_ptr(), self.slab.1) };
        // SAFETY: leaked by `make`.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self).cast_mut()) });
    }

    pub fn carrier(&'static self, index: usize) -> &'static Carrier {
        // SAFETY: made in `make`.
        unsafe { self.areas[index].as_ref() }
    }

    pub fn kernel(&'static self) -> Model {
        Model(self)
    }

    /// The kernel completes the oldest call of `thread`, of carrier `index`, on that carrier's CPU.
    pub fn complete(&self, index: usize, thread: Ref, value: u64) {
        let cpu = &self.cpus[index];
        let mut state = cpu.state.lock().unwrap();
        let cookie = std::ptr::from_ref(thread.0) as u64;
        self.completions[index]
            .publish(state.produced, &Completion { cookie, status: 0, value, value2: 0 });
        state.produced += 1;
        drop(state);
        cpu.bell.notify_one();
    }

    /// Makes a thread, by the thread that runs on `carrier` or its own loop.
    pub fn create(&'static self, carrier: &'static Carrier, body: Body, options: Options) -> Ref {
        let options = Options { class: Class::Small, run: uthread::Run::Held, ..options };
        let thread = carrier.create(0, 0, options.word(), self.kernel()).expect("a stack");
        let taken = self.stood_on.lock().unwrap().contains(&(std::ptr::from_ref(thread) as usize));
        assert!(!taken, "a stack is given to a thread while a carrier stands on it");
        self.bodies.lock().unwrap().insert(std::ptr::from_ref(thread) as usize, body);
        carrier.launch(thread, 0, 0, self.kernel());
        Ref(thread)
    }

    /// Runs carrier `index` until a thread on it says [`Do::Stop`].
    pub fn drive(&'static self, index: usize) {
        let (carrier, kernel) = (self.carrier(index), self.kernel());
        let mut last: HashMap<usize, Last> = HashMap::new();
        let mut next = carrier.run(kernel);
        loop {
            if std::ptr::eq(next, carrier.idle()) || carrier.pending.load(Ordering::Relaxed) != 0 {
                next = carrier.run(kernel);
            }
            let running = next;
            let key = std::ptr::from_ref(running) as usize;
            // Not held while it runs: others may create threads meanwhile.
            let mut body =
                self.bodies.lock().unwrap().remove(&key).expect("a thread that runs has a body");
            let seen = match last.remove(&key) {
                Some(Last::Begin) | None => Last::Value(running.result.get()),
                Some(other) => other,
            };
            let action = body(seen);
            self.stood_on.lock().unwrap().insert(key);
            let ends = matches!(action, Do::Exit(_));
            if !ends {
                self.bodies.lock().unwrap().insert(key, body);
            }
            next = match action {
                Do::Take(semaphore) => semaphore
                    .take_here(carrier, running)
                    .unwrap_or_else(|| semaphore.take(carrier, running, kernel)),
                Do::Give(semaphore) => {
                    if semaphore.give_here(running) == uthread::Given::NotYet {
                        semaphore.give(carrier, kernel);
                    }
                    running
                }
                Do::Await(condition, mutex) => condition.wait(mutex, carrier, running, kernel),
                Do::NotifyOne(condition) => {
                    condition.notify_one(carrier, kernel);
                    running
                }
                Do::NotifyAll(condition) => {
                    condition.notify_all(carrier, kernel);
                    running
                }
                Do::Create(body, options) => {
                    last.insert(key, Last::Thread(self.create(carrier, body, options)));
                    running
                }
                Do::Join(thread) => carrier
                    .join_here(running, thread.0)
                    .unwrap_or_else(|| carrier.join(running, thread.0, Join::Free, kernel)),
                Do::Detach(thread) => carrier.detach(running, thread.0, kernel),
                Do::Yield => carrier.yield_now(running),
                Do::SleepUntil(deadline) => carrier.sleep_until(running, deadline),
                Do::Call => carrier.await_completion(running),
                Do::Exit(value) => {
                    let here = carrier.exit_here(running, value);
                    // The rest of an end is decided on the carrier's own stack.
                    self.stood_on.lock().unwrap().remove(&key);
                    here.unwrap_or_else(|| carrier.exit(running, value, kernel))
                }
                Do::Stop => return,
            };
            if !ends {
                self.stood_on.lock().unwrap().remove(&key);
            }
        }
    }
}
