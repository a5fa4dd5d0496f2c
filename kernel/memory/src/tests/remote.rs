//! Objects that are freed on other CPUs, each way, over an array of words.

use super::slab::{Memory, is_scribbled, scribble};
use crate::classes::CLASSES;
use crate::objects::{Leaving, Objects};
use crate::remote::{Cas, Message, RemoteFree, Road};
use crate::slab::Words;
use percpu::{CpuId, Crit, Here};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::vec::Vec;

const CPUS: usize = 3;
/// What a mailbox has room for.
const ROOM: usize = 2;

std::thread_local! {
    static ME: Cell<usize> = const { Cell::new(0) };
}

/// CPUs that take turns.
struct Machine<W> {
    memory: RefCell<Memory>,
    ends: [W; CPUS],
    posted: [RefCell<Vec<u64>>; CPUS],
    objects: [RefCell<Objects>; CPUS],
}

// SAFETY: `on` says which one it is, and nothing else changes it.
#[allow(unsafe_code)]
unsafe impl<W> Here for Machine<W> {
    fn here(_: &Crit) -> CpuId {
        CpuId::at(ME.get())
    }
}

impl<W> Words for Machine<W> {
    fn read(&self, address: u64) -> u64 {
        self.memory.borrow().read(address)
    }

    fn write(&self, address: u64, word: u64) {
        self.memory.borrow().write(address, word);
    }
}

impl<W: RemoteFree + 'static> Road for Machine<W> {
    type Way = W;

    fn end(&self, cpu: CpuId) -> &W {
        &self.ends[cpu.index()]
    }

    fn post(&self, _: &Crit, owner: CpuId, first: u64) -> bool {
        let mut posted = self.posted[owner.index()].borrow_mut();
        let has_room = posted.len() < ROOM;
        if has_room {
            posted.push(first);
        }
        has_room
    }
}

fn crit() -> Crit {
    // SAFETY: one thread, which is all CPUs in turn.
    #[allow(unsafe_code)]
    unsafe {
        Crit::assume()
    }
}

impl<W: RemoteFree + 'static> Machine<W> {
    fn new(pages: usize, end: fn() -> W) -> Self {
        Self {
            memory: RefCell::new(Memory::new(pages)),
            ends: core::array::from_fn(|_| end()),
            posted: Default::default(),
            objects: Default::default(),
        }
    }

    fn allocate(&self, cpu: usize, class: usize) -> Option<u64> {
        ME.set(cpu);
        self.fetch(cpu);
        let objects = &mut *self.objects[cpu].borrow_mut();
        let object = objects.pop(class).or_else(|| objects.refill(self, class));
        object.or_else(|| {
            let page = self.memory.borrow_mut().take()?;
            objects.adopt(self, page, CpuId::at(cpu), class);
            objects.refill(self, class)
        })
    }

    fn free(&self, cpu: usize, class: usize, object: u64) {
        ME.set(cpu);
        let objects = &mut *self.objects[cpu].borrow_mut();
        if let Err(object) = objects.push(class, object) {
            objects.spill(self, CpuId::at(cpu), class, object, |leaving| self.leave(cpu, leaving));
        }
    }

    fn leave(&self, cpu: usize, leaving: Leaving) {
        match leaving {
            Leaving::Page(page) => self.memory.borrow_mut().give(page),
            Leaving::Chain(owner, chain) => self.ends[cpu].send(self, &crit(), owner, chain),
        }
    }

    /// A CPU looks for messages.
    fn look(&self, cpu: usize) {
        ME.set(cpu);
        for first in self.posted[cpu].take() {
            let mut object = first;
            while object != 0 {
                let next = self.read(object);
                self.settle(cpu, object);
                object = next;
            }
        }
    }

    fn fetch(&self, cpu: usize) {
        while self.ends[cpu].fetch(self, &crit(), 5, |object| self.settle(cpu, object)) {}
    }

    fn settle(&self, cpu: usize, object: u64) {
        let page = self.objects[cpu].borrow_mut().settle(self, object);
        if let Some(page) = page {
            self.memory.borrow_mut().give(page);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Allocate(usize),
    Free(u16),
    Look,
}

fn deeds() -> impl Strategy<Value = Vec<(usize, Deed)>> {
    let deed = prop_oneof![
        6 => (0..CLASSES).prop_map(Deed::Allocate),
        5 => any::<u16>().prop_map(Deed::Free),
        1 => Just(Deed::Look),
    ];
    prop::collection::vec((0..CPUS, deed), 1..1500)
}

fn conserves<W: RemoteFree + 'static>(
    deeds: Vec<(usize, Deed)>,
    end: fn() -> W,
) -> Result<(), TestCaseError> {
    const PAGES: usize = 60;
    let machine = Machine::new(PAGES, end);
    let mut held = Vec::new();
    for (cpu, deed) in deeds {
        match deed {
            Deed::Allocate(class) => {
                if let Some(object) = machine.allocate(cpu, class) {
                    scribble(&machine.memory.borrow(), object, class);
                    held.push((object, class));
                }
            }
            Deed::Free(which) if !held.is_empty() => {
                let (object, class) = held.swap_remove(which as usize % held.len());
                prop_assert!(is_scribbled(&machine.memory.borrow(), object, class));
                machine.free(cpu, class, object);
            }
            Deed::Free(_) => {}
            Deed::Look => machine.look(cpu),
        }
    }
    for (object, class) in held {
        prop_assert!(is_scribbled(&machine.memory.borrow(), object, class));
        machine.free(0, class, object);
    }
    for cpu in 0..CPUS {
        ME.set(cpu);
        let me = CpuId::at(cpu);
        machine.objects[cpu]
            .borrow_mut()
            .close(&machine, me, |leaving| machine.leave(cpu, leaving));
        (0..CPUS).for_each(|cpu| machine.look(cpu));
    }
    for cpu in 0..CPUS {
        ME.set(cpu);
        machine.ends[cpu].retry(&machine, &crit());
        (0..CPUS).for_each(|cpu| machine.look(cpu));
    }
    (0..CPUS).for_each(|cpu| machine.fetch(cpu));
    let out: usize = machine.objects.iter().map(|objects| objects.borrow().out()).sum();
    prop_assert_eq!(out, 0);
    let kept = PAGES - machine.memory.borrow().free();
    prop_assert!(kept <= CPUS * CLASSES, "{kept} pages are kept where nothing is in use");
    Ok(())
}

proptest! {
    #[test]
    fn by_message_each_object_comes_home(deeds in deeds()) {
        conserves(deeds, Message::new)?;
    }

    #[test]
    fn by_cas_each_object_comes_home(deeds in deeds()) {
        conserves(deeds, Cas::new)?;
    }
}
