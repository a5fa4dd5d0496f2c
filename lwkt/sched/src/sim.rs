//! A machine of simulated CPUs for tests: kernel threads are threads of shuttle that hand the CPU to one another as the
//! scheduler says; CPUs exchange calls over inboxes. Shuttle explores the orders; a lost wake-up is its deadlock.
//!
//! Everything runs within a shuttle test, through [`run`]. Time is simulated: an idle CPU with nothing to do jumps to its
//! next deadline. The laws of every scheduler are checked at the end of every critical section.
#![allow(unsafe_code, clippy::missing_panics_doc)]

mod handover;
mod moves;

pub use moves::{deschedule, evict, forwards, migrate, pull, schedule};

use core::any::{Any, TypeId};
use core::cell::{Cell, RefCell};
use std::boxed::Box;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::string::ToString;
use std::vec::Vec;

use percpu::{CpuId, Crit};
use shuttle::rand::Rng;
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread::JoinHandle;

use self::handover::{arrive, go, open, pass, preempt_due, switch, work};
use crate::{
    Chase, Context, Join, Life, MayBlock, Name, Next, Priority, Scheduler, Thread, ThreadCache,
    ThreadRef, Unstarted, Wake, Why,
};

type Call = (fn(&Crit, usize, usize, usize), [usize; 3]);

/// A moment, and what to do then.
type Alarm = (u64, fn(&Crit));

/// What a CPU has to itself. A double borrow is a use in two places at once, and panics.
struct Cpu {
    own: RefCell<(Scheduler, ThreadCache<Unstarted>)>,
    clock: Cell<u64>,
    /// Interrupts' threads that are to run, when the outermost critical section ends.
    due: RefCell<VecDeque<ThreadRef>>,
    /// A deadline beside those of threads, and what to do then.
    alarm: Cell<Option<Alarm>>,
    /// What crates above keep on this CPU.
    kept: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
    inbox: Mutex<(VecDeque<Call>, bool)>,
    arrival: Condvar,
    /// Who was left for whoever arrives.
    left: Cell<Option<ThreadRef>>,
}

/// What who arrives does about tokens: for the thread that was left with so many, and for itself.
pub type Tokens = (fn(&Crit, ThreadRef, usize), fn(&Crit));

static TOKENS: std::sync::OnceLock<Tokens> = std::sync::OnceLock::new();

/// Says what is done about tokens, the same in all machines.
pub fn on_tokens(tokens: Tokens) {
    TOKENS.get_or_init(|| tokens);
}

/// Lends the scheduler of this CPU.
pub fn scheduler<R>(f: impl FnOnce(&mut Scheduler) -> R) -> R {
    me().with(f)
}

/// Lets others of this CPU run, without taking tokens again, in the one critical section of the thread.
pub fn step_aside(crit: &Crit) {
    assert_eq!(DEPTH.with(Cell::get), 1, "steps aside in a nested critical section");
    handover::step_aside(crit);
}

/// One step of a wait in a critical section: serves messages, and lets another CPU go on.
pub fn relax(crit: &Crit) {
    shuttle::thread::yield_now();
    if DEPTH.with(Cell::get) == 1 {
        drain(crit);
    }
}

struct Machine {
    cpus: Vec<Cpu>,
    live: Mutex<usize>,
    /// The most forwards of a message that ran after a thread.
    forwards: Mutex<usize>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

// SAFETY: shuttle's threads take turns on one thread of the host; the cells of a CPU are what is being tested.
unsafe impl Sync for Machine {}
// SAFETY: as above.
unsafe impl Send for Machine {}

/// Opened by whoever switches to the thread.
struct Gate {
    open: Mutex<bool>,
    change: Condvar,
}

#[derive(Clone)]
struct Me {
    machine: Arc<Machine>,
    thread: ThreadRef,
}

shuttle::thread_local! {
    static ME: RefCell<Option<Me>> = RefCell::new(None);
    static DEPTH: Cell<usize> = Cell::new(0);
}

fn me() -> Me {
    ME.with(|me| me.borrow().clone()).expect("a thread of the machine")
}

impl Me {
    fn cpu(&self) -> &Cpu {
        &self.machine.cpus[self.thread.home().index()]
    }

    fn with<R>(&self, f: impl FnOnce(&mut Scheduler) -> R) -> R {
        f(&mut self.cpu().own.borrow_mut().0)
    }
}

fn gate(thread: ThreadRef) -> &'static Gate {
    // SAFETY: every thread of the machine has a leaked gate in its word, set before it was started.
    let gate = unsafe { thread.ext() };
    // SAFETY: as above.
    unsafe { &*core::ptr::with_exposed_provenance::<Gate>(gate) }
}

fn memory() -> Unstarted {
    let gate = Box::leak(Box::new(Gate { open: Mutex::new(false), change: Condvar::new() }));
    let mut thread = Unstarted::new(Box::leak(Box::new(Thread::new())));
    thread.set_ext(core::ptr::from_ref(gate).expose_provenance());
    thread
}

/// Boots `cpus` CPUs, runs `main` as the first thread of CPU 0, and returns when no thread is left.
pub fn run(cpus: usize, main: impl FnOnce(&mut MayBlock) + Send + 'static) {
    let mut idle = Vec::new();
    let cpus = (0..cpus).map(CpuId::at).map(|cpu| {
        let mut thread = memory();
        thread.prepare(Name::new("idle"), Priority::BACKGROUND, Life::Detached, Context::default());
        idle.push(thread.thread());
        // SAFETY: one scheduler for each CPU of this machine.
        let scheduler = unsafe { Scheduler::new(cpu, thread, || 0) };
        let inbox = Mutex::new((VecDeque::new(), false));
        let own = RefCell::new((scheduler, ThreadCache::new()));
        let (clock, due, left) = (Cell::new(0), RefCell::default(), Cell::new(None));
        let (alarm, kept) = (Cell::new(None), RefCell::default());
        Cpu { own, clock, due, alarm, kept, inbox, arrival: Condvar::new(), left }
    });
    let machine = Arc::new(Machine {
        cpus: cpus.collect(),
        live: Mutex::new(0),
        forwards: Mutex::new(0),
        handles: Mutex::new(Vec::new()),
    });
    let first = begin(&machine, Priority::USER, Life::Detached, "main", memory(), main);
    post(&machine, CpuId::BOOT, (start, [first.into_word(), 0, 0]));
    let idle: Vec<_> = idle
        .into_iter()
        .map(|thread| {
            let machine = machine.clone();
            shuttle::thread::spawn(move || {
                become_thread(machine, thread);
                crit(|crit| {
                    while let Some(next) = work(crit) {
                        switch(crit, next)
                    }
                });
            })
        })
        .collect();
    for one in idle {
        one.join().unwrap();
    }
    let handles = core::mem::take(&mut *machine.handles.lock().unwrap());
    for one in handles {
        one.join().unwrap();
    }
}

/// Makes the shuttle thread of a kernel thread, which waits at its gate.
fn begin(
    machine: &Arc<Machine>,
    priority: Priority,
    life: Life,
    name: &str,
    mut thread: Unstarted,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Unstarted {
    *machine.live.lock().unwrap() += 1;
    thread.prepare(Name::new(name), priority, life, Context::default());
    let (inner, thread_ref) = (machine.clone(), thread.thread());
    let handle = shuttle::thread::spawn(move || {
        pass(thread_ref);
        become_thread(inner, thread_ref);
        crit(arrive);
        // SAFETY: the entry of a thread of the machine; once.
        f(&mut unsafe { MayBlock::assume() });
        crit(|crit| {
            let me = me();
            let next = me.with(|own| own.exit(crit));
            me.cpu().left.set(Some(me.thread));
            open(next);
            // Nothing of this thread runs any more; its critical section ends with it.
            DEPTH.with(|depth| depth.set(1000));
        });
    });
    machine.handles.lock().unwrap().push(handle);
    thread
}

fn become_thread(machine: Arc<Machine>, thread: ThreadRef) {
    ME.with(|me| *me.borrow_mut() = Some(Me { machine, thread }));
}

fn start(crit: &Crit, thread: usize, _: usize, _: usize) {
    // SAFETY: sent with a thread that was not started.
    let thread = unsafe { Unstarted::from_word(thread) };
    me().with(|own| own.spawn(crit, thread));
}

/// A thread of the machine, to be joined.
pub struct Handle(ThreadRef);

/// Starts a thread on CPU `cpu`.
pub fn spawn(cpu: usize, name: &str, f: impl FnOnce(&mut MayBlock) + Send + 'static) -> Handle {
    spawn_with(cpu, Priority::USER, name, f)
}

/// Starts a thread of this priority on CPU `cpu`.
pub fn spawn_with(
    cpu: usize,
    priority: Priority,
    name: &str,
    f: impl FnOnce(&mut MayBlock) + Send + 'static,
) -> Handle {
    let me = me();
    let kept = crit(|_| me.cpu().own.borrow_mut().1.take());
    let thread = begin(&me.machine, priority, Life::Joinable, name, kept.unwrap_or_else(memory), f);
    let handle = Handle(thread.thread());
    // What is sent to the thread from now on goes where it will be.
    handle.0.set_home(CpuId::at(cpu));
    crit(|crit| send(crit, CpuId::at(cpu), start, [thread.into_word(), 0, 0]));
    handle
}

impl Handle {
    /// The thread.
    pub fn thread(&self) -> ThreadRef {
        self.0
    }

    /// Waits for its end.
    pub fn join(self, cx: &mut MayBlock) {
        let joiner = current();
        crit(|crit| {
            join_here(crit, self.0.into_word(), joiner.into_word(), 0);
            while !me().with(|own| own.take_joined(crit)) {
                block_in(crit, cx, Why::on(crate::Reason::Join, &*self.0));
            }
        });
    }
}

fn join_here(crit: &Crit, thread: usize, joiner: usize, chase: usize) {
    // SAFETY: both were made from threads.
    let [thread, joiner] = [thread, joiner].map(|word| unsafe { ThreadRef::from_word(word) });
    if after(crit, thread, chase, join_here, joiner.into_word()) {
        return;
    }
    let join = me().with(|own| own.join(crit, thread, joiner));
    match join {
        Join::Remote(_) => unreachable!("caught"),
        Join::Waiting => {}
        Join::Over(thread) => {
            keep(thread);
            joined_here(crit, joiner.into_word(), 0, 0);
        }
    }
}

fn joined_here(crit: &Crit, word: usize, _: usize, chase: usize) {
    // SAFETY: made from a thread.
    let joiner = unsafe { ThreadRef::from_word(word) };
    if !after(crit, joiner, chase, joined_here, 0) {
        assert!(!matches!(me().with(|own| own.joined(crit, joiner)), Wake::Remote(_)));
    }
}

/// Sends a call that wants `thread` after it, if it is not of this CPU; else it is caught, and this answers false.
fn after(
    crit: &Crit,
    thread: ThreadRef,
    chase: usize,
    func: fn(&Crit, usize, usize, usize),
    word: usize,
) -> bool {
    let chase = Chase::from_word(chase);
    let cpu = thread.home();
    if cpu == here() {
        chase.caught(thread);
        return false;
    }
    let (to, chase) = chase.forward(thread);
    let machine = me().machine;
    let mut most = machine.forwards.lock().unwrap();
    // The first step is the sending, no forward.
    *most = (*most).max(chase.into_word() - 1);
    drop(most);
    call(crit, to, func, [thread.into_word(), word, chase.into_word()]);
    true
}

fn keep(thread: Unstarted) {
    let _ = me().cpu().own.borrow_mut().1.put(thread);
}

/// Runs `f` in a critical section; what arrived meanwhile is taken at its end.
pub fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    // SAFETY: nothing else of this CPU runs until it is handed over.
    let crit = unsafe { Crit::assume() };
    let result = f(&crit);
    if DEPTH.with(Cell::get) == 1 {
        drain(&crit);
        // Time passes, or not, while threads run.
        if me().cpu().alarm.get().is_some() && shuttle::rand::thread_rng().gen_bool(0.25) {
            ring(&crit);
        }
        preempt_due(&crit);
        me().with(|own| own.check(&crit)).expect("the laws of the scheduler");
    }
    DEPTH.with(|depth| depth.set(depth.get() - 1));
    result
}

/// The CPU that this is.
pub fn here() -> CpuId {
    me().thread.home()
}

/// The running thread.
pub fn current() -> ThreadRef {
    let me = me();
    assert_eq!(me.thread, me.with(|own| own.current()), "a thread that has not got the CPU");
    me.thread
}

/// What the simulated clock of this CPU says.
pub fn now() -> u64 {
    me().cpu().clock.get()
}

/// Lends what this CPU keeps of type `T`, which a crate above gives it.
pub fn own<T: Default + 'static, R>(_: &Crit, f: impl FnOnce(&mut T) -> R) -> R {
    let me = me();
    let kept = {
        let mut all = me.cpu().kept.borrow_mut();
        all.entry(TypeId::of::<T>()).or_insert_with(|| Rc::new(RefCell::new(T::default()))).clone()
    };
    let kept = kept.downcast_ref::<RefCell<T>>().expect("stored by its type");
    f(&mut kept.borrow_mut())
}

/// Has this CPU call `f` when the simulated clock says `deadline`, or not before the next word of this.
pub fn set_alarm(_: &Crit, deadline: Option<u64>, f: fn(&Crit)) {
    me().cpu().alarm.set(deadline.map(|deadline| (deadline, f)));
}

/// The time of the alarm has come.
fn ring(crit: &Crit) {
    let me = me();
    if let Some((deadline, f)) = me.cpu().alarm.take() {
        me.cpu().clock.set(now().max(deadline));
        f(crit);
    }
}

/// Has another CPU call `func`.
pub fn call(_: &Crit, to: CpuId, func: fn(&Crit, usize, usize, usize), args: [usize; 3]) {
    post(&me().machine, to, (func, args));
}

fn execute(crit: &Crit, func: fn(&Crit, usize, usize, usize), [a, b, c]: [usize; 3]) {
    func(crit, a, b, c);
}

/// Has a CPU, maybe this one, call `func`.
fn send(crit: &Crit, to: CpuId, func: fn(&Crit, usize, usize, usize), args: [usize; 3]) {
    if to == here() { execute(crit, func, args) } else { call(crit, to, func, args) }
}

fn post(machine: &Machine, to: CpuId, one: Call) {
    let cpu = &machine.cpus[to.index()];
    cpu.inbox.lock().unwrap().0.push_back(one);
    cpu.arrival.notify_one();
}

/// Serves messages at any depth, as a send to a full ring does.
pub fn serve(crit: &Crit) {
    shuttle::thread::yield_now();
    drain(crit);
}

fn drain(crit: &Crit) {
    loop {
        let me = me();
        let one = me.cpu().inbox.lock().unwrap().0.pop_front();
        let Some((func, args)) = one else { return };
        execute(crit, func, args);
    }
}

/// Wakes a thread, wherever it is.
pub fn wake(crit: &Crit, thread: ThreadRef) {
    wake_here(crit, thread.into_word(), 0, 0);
}

fn wake_here(crit: &Crit, word: usize, _: usize, chase: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    if !after(crit, thread, chase, wake_here, 0) {
        assert!(!matches!(me().with(|own| own.wake(crit, thread)), Wake::Remote(_)));
    }
}

/// Has an interrupt's thread run, wherever it is: it preempts who runs there at the end of its critical section.
pub fn interrupt(crit: &Crit, thread: ThreadRef) {
    send(crit, thread.home(), interrupt_here, [thread.into_word(), 0, 0]);
}

fn interrupt_here(_: &Crit, word: usize, _: usize, _: usize) {
    // SAFETY: made from a thread.
    let thread = unsafe { ThreadRef::from_word(word) };
    me().cpu().due.borrow_mut().push_back(thread);
}

/// What this CPU has counted of preemption.
pub fn borrowed() -> crate::Borrowed {
    me().with(|own| own.borrowed())
}

/// Gives way.
pub fn yield_now(_: &mut MayBlock) {
    crit(|crit| {
        let next = me().with(|own| match own.yield_now(crit) {
            Next::Same => own.depart(crit),
            next => next,
        });
        go(crit, next);
    });
}

/// Blocks until woken, maybe by an older wake.
pub fn block(cx: &mut MayBlock, why: Why) {
    crit(|crit| block_in(crit, cx, why));
}

/// Blocks within the one critical section of the thread.
pub fn block_in(crit: &Crit, _: &mut MayBlock, why: Why) {
    assert_eq!(DEPTH.with(Cell::get), 1, "blocks in a nested critical section");
    let next = me().with(|own| own.block(crit, why));
    go(crit, next);
}

/// Sleeps until woken or until `deadline`; answers whether it was the deadline.
pub fn sleep(cx: &mut MayBlock, why: Why, deadline: u64) -> bool {
    crit(|crit| sleep_in(crit, cx, why, deadline))
}

/// Sleeps within the one critical section of the thread.
pub fn sleep_in(crit: &Crit, _: &mut MayBlock, why: Why, deadline: u64) -> bool {
    assert_eq!(DEPTH.with(Cell::get), 1, "sleeps in a nested critical section");
    let next = me().with(|own| own.sleep(crit, why, deadline));
    go(crit, next);
    me().with(|own| own.timed_out(crit))
}

/// The report of this CPU's threads, a line each.
pub fn report() -> Vec<std::string::String> {
    me().with(|own| own.threads().map(|thread| thread.to_string()).collect())
}

/// The state of a thread of this CPU.
pub fn state_of(thread: ThreadRef) -> Option<crate::State> {
    me().with(|own| own.threads().find(|one| one.thread == thread).map(|one| one.state))
}

/// How often this CPU has switched.
pub fn switches() -> u64 {
    me().with(|own| own.switches())
}
