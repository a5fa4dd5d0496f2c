//! Webs of tokens over the machine of simulated CPUs, in many orders: a livelock is too many steps, a deadlock is shuttle's.

use core::cell::{Cell, RefCell};
use std::boxed::Box;
use std::collections::HashMap;
use std::vec::Vec;

use ::shuttle::rand::Rng;
use lwkt_sched::sim::{self, current, migrate, sleep, spawn, spawn_with, wake, yield_now};
use lwkt_sched::{MayBlock, Priority, Reason, ThreadRef, Why};
use percpu::{CpuId, Crit};

use crate::{Exec, Held, Outer};

/// The simulated kernel.
enum Sim {}

std::thread_local! {
    /// The lists of the threads of this test's machine.
    static LISTS: RefCell<HashMap<usize, &'static Held>> = RefCell::default();
}

fn list_of(thread: ThreadRef) -> &'static Held {
    let new = || -> &'static Held { Box::leak(Box::new(Held::new::<Sim>())) };
    LISTS.with_borrow_mut(|lists| *lists.entry(thread.into_word()).or_insert_with(new))
}

fn let_go(crit: &Crit, left: ThreadRef, count: usize) {
    list_of(left).park(count);
    if left.home() == sim::here() {
        sim::scheduler(|own| own.let_go(crit, left));
    }
}

fn again(crit: &Crit) {
    let me = Sim::me();
    crate::take_again::<Sim>(crit, me, me.parked());
}

fn assume() -> Crit {
    // SAFETY: what is counted is this thread's, and nothing else of its CPU runs.
    #[allow(unsafe_code)]
    unsafe {
        Crit::assume()
    }
}

// SAFETY: `sim` does what each function says; it is the test double of the kernel.
#[allow(unsafe_code)]
unsafe impl Exec for Sim {
    fn me() -> &'static Held {
        list_of(sim::scheduler(|own| own.current()))
    }

    fn word() -> usize {
        sim::scheduler(|own| own.held(&assume()))
    }

    fn took() {
        sim::scheduler(|own| own.set_held(&assume(), own.held(&assume()) + 1));
    }

    fn gave() {
        sim::scheduler(|own| own.set_held(&assume(), own.held(&assume()) - 1));
    }

    fn let_go(crit: &Crit) {
        sim::scheduler(|own| {
            own.set_held(crit, 0);
            own.let_go(crit, own.current());
        });
    }

    fn taken_again(crit: &Crit, held: usize) {
        sim::scheduler(|own| own.taken_again(crit, held));
    }

    fn crit<R>(f: impl FnOnce(&Crit) -> R) -> R {
        sim::crit(f)
    }

    fn relax(crit: &Crit) {
        sim::relax(crit);
    }

    fn step_aside(crit: &Crit) {
        sim::step_aside(crit);
    }

    unsafe fn enter() -> Crit {
        unimplemented!("tokens alone")
    }

    unsafe fn leave() {}

    fn here(_: &Crit) -> CpuId {
        sim::here()
    }

    fn ranks(_: &Crit) -> u32 {
        0
    }

    fn set_ranks(_: &Crit, _: u32) {}
}

type Token = crate::Token<Sim, Cell<u32>>;

const WHY: Why = Why { reason: Reason::Event, address: 0 };
const RUNS: usize = 2000;

fn explore(cpus: usize, main: impl Fn(&mut MayBlock) + Send + Sync + 'static) {
    sim::on_tokens((let_go, again));
    let main = std::sync::Arc::new(main);
    let mut config = ::shuttle::Config::new();
    // A web is several frames deep.
    config.stack_size = 1 << 18;
    let random = ::shuttle::scheduler::RandomScheduler::new(RUNS);
    ::shuttle::Runner::new(random, config).run(move || {
        LISTS.with_borrow_mut(HashMap::clear);
        let main = main.clone();
        sim::run(cpus, move |cx| main(cx));
    });
}

fn tokens(count: usize) -> &'static [Token] {
    Box::leak((0..count).map(|_| Token::new(Cell::new(0))).collect())
}

/// Two steps, between which other CPUs may do theirs: what two at once would break.
fn add(cell: &Cell<u32>) {
    let seen = cell.get();
    ::shuttle::thread::yield_now();
    cell.set(seen + 1);
}

/// A wait of some sort, chosen by chance.
fn rest(cx: &mut MayBlock) {
    match ::shuttle::rand::thread_rng().gen_range(0..4) {
        0 => yield_now(cx),
        1 => {
            sleep(cx, Why::SLEEP, sim::now() + 1);
        }
        2 => {
            let me = current();
            let other = spawn(sim::here().index() ^ 1, "waker", move |_| {
                sim::crit(|crit| wake(crit, me));
            });
            sim::block(cx, WHY);
            other.join(cx);
        }
        _ => {}
    }
}

/// Threads of two CPUs, each in a web of tokens taken in its own order, with waits while they hold them.
#[test]
fn webs_over_cpus() {
    explore(2, |cx| {
        let tokens = tokens(3);
        let handles: Vec<_> = (0..4)
            .map(|me| {
                let priority = if me < 2 { Priority::SERVER } else { Priority::USER };
                spawn_with(me % 2, priority, "web", move |cx| {
                    let at = |step: usize| &tokens[(me + step * (1 + me / 2)) % 3];
                    let mut one = at(0).lock(cx);
                    let mut two = at(1).lock(&mut one);
                    rest(two.cx());
                    add(&two);
                    add(two.outer());
                    drop(two);
                    rest(one.cx());
                    add(&one);
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join(cx));
        let sum: u32 = tokens.iter().map(|token| token.lock(cx).get()).sum();
        assert_eq!(sum, 4 * 3);
    });
}

/// One who wants a token alone among those who share it, over and over: it comes to have it.
#[test]
fn an_exclusive_one_among_shared_ones() {
    type Flag = crate::Token<Sim, ::shuttle::sync::atomic::AtomicU32>;
    use ::shuttle::sync::atomic::Ordering::SeqCst;
    explore(3, |cx| {
        let flag: &'static Flag =
            Box::leak(Box::new(Flag::new(::shuttle::sync::atomic::AtomicU32::new(0))));
        let readers: Vec<_> = (0..2)
            .map(|cpu| {
                spawn(cpu, "reader", move |cx| {
                    let mut turns = 0;
                    while turns < 3 || flag.share(cx).load(SeqCst) == 0 {
                        let held = flag.share(cx);
                        let seen = held.load(SeqCst);
                        ::shuttle::thread::yield_now();
                        assert_eq!(held.load(SeqCst), seen, "written while shared");
                        turns += 1;
                    }
                })
            })
            .collect();
        let writer = spawn(2, "writer", move |cx| {
            let held = flag.lock(cx);
            held.store(1, SeqCst);
            ::shuttle::thread::yield_now();
            held.store(2, SeqCst);
        });
        writer.join(cx);
        readers.into_iter().for_each(|handle| handle.join(cx));
    });
}

/// A better thread comes to share a token that a lesser one of its CPU has asked for: it does not wait for that one's turn,
/// which comes after its own.
#[test]
fn who_asked_may_be_less() {
    explore(2, |cx| {
        let token: &'static crate::Token<Sim> = Box::leak(Box::new(crate::Token::new(())));
        let lesser = spawn_with(0, Priority::USER, "lesser", move |cx| drop(token.lock(cx)));
        let other = spawn_with(1, Priority::SERVER, "other", move |cx| {
            let held = token.share(cx);
            // So long that the lesser one does not only look.
            (0..4 * crate::wait::LOOKS).for_each(|_| ::shuttle::thread::yield_now());
            let share = move |cx: &mut MayBlock| drop(token.share(cx));
            let better = spawn_with(0, Priority::SERVER, "better", share);
            (0..crate::wait::LOOKS).for_each(|_| ::shuttle::thread::yield_now());
            drop(held);
            better.join(cx);
        });
        [lesser, other].into_iter().for_each(|handle| handle.join(cx));
    });
}

/// A thread that goes from CPU to CPU with tokens in hand has them there.
#[test]
fn tokens_go_along_with_their_thread() {
    explore(3, |cx| {
        let tokens = tokens(2);
        let nomad = spawn(0, "nomad", move |cx| {
            let mut one = tokens[0].lock(cx);
            let mut two = tokens[1].lock(&mut one);
            for cpu in [1, 2, 0] {
                migrate(two.cx(), cpu);
                assert_eq!((sim::here().index(), Sim::word()), (cpu, 2));
                add(&two);
                add(two.outer());
            }
        });
        let settlers: Vec<_> = (0..2)
            .map(|cpu| {
                spawn(cpu, "settler", move |cx| {
                    let mut one = tokens[1 - cpu].lock(cx);
                    let two = tokens[cpu].lock(&mut one);
                    add(&two);
                    add(two.outer());
                })
            })
            .collect();
        nomad.join(cx);
        settlers.into_iter().for_each(|handle| handle.join(cx));
        for token in tokens {
            assert_eq!(token.lock(cx).get(), 3 + 2);
        }
    });
}
