//! The table of `remote::cas`, under loom.

use crate::remote::{Cas, Chain, RemoteFree, Road};
use crate::slab::Words;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use percpu::{CpuId, Crit, Here};
use std::vec::Vec;

/// Objects of CPU 0, by number from 1, and their first words: loom sees two accesses at once.
struct Machine {
    ends: [Cas; 3],
    words: [UnsafeCell<u64>; 5],
}

// SAFETY: that is what is modelled; loom sees two accesses at once.
#[allow(unsafe_code)]
unsafe impl Sync for Machine {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Send for Machine {}

// SAFETY: nobody asks.
#[allow(unsafe_code)]
unsafe impl Here for Machine {
    fn here(_: &Crit) -> CpuId {
        unreachable!("the ends are named")
    }
}

impl Words for Machine {
    fn read(&self, object: u64) -> u64 {
        // SAFETY: loom sees to it.
        #[allow(unsafe_code)]
        self.words[object as usize].with(|word| unsafe { *word })
    }

    fn write(&self, object: u64, next: u64) {
        // SAFETY: loom sees to it.
        #[allow(unsafe_code)]
        self.words[object as usize].with_mut(|word| unsafe { *word = next });
    }
}

impl Road for Machine {
    type Way = Cas;

    fn end(&self, cpu: CpuId) -> &Cas {
        &self.ends[cpu.index()]
    }

    fn post(&self, _: &Crit, _: CpuId, _: u64) -> bool {
        unreachable!("this way sends no message")
    }
}

fn crit() -> Crit {
    // SAFETY: each thread of the model is a CPU of its own.
    #[allow(unsafe_code)]
    unsafe {
        Crit::assume()
    }
}

impl Machine {
    /// CPU `me` frees objects of CPU 0, one chain of them.
    fn free(&self, me: usize, objects: &[u64]) {
        let chain = objects[1..]
            .iter()
            .fold(Chain::one(self, objects[0]), |chain, object| chain.and(self, *object));
        self.ends[me].send(self, &crit(), CpuId::BOOT, chain);
    }

    /// CPU 0 fetches what there is.
    fn fetch(&self) -> Vec<u64> {
        let mut fetched = Vec::new();
        let settle = |object| {
            // It is ours: the next owner writes over all of it.
            self.write(object, u64::MAX);
            fetched.push(object);
        };
        self.ends[0].fetch(self, &crit(), 3, settle);
        fetched
    }
}

/// Two CPUs free while the owner fetches: each object comes home once, and is nobody else's by then.
#[test]
fn cas() {
    ::loom::model(|| {
        let machine = Arc::new(Machine {
            ends: [Cas::new(), Cas::new(), Cas::new()],
            words: core::array::from_fn(|_| UnsafeCell::new(0)),
        });
        let others = [(1, &[1, 2][..]), (2, &[3][..])].map(|(me, objects)| {
            let machine = machine.clone();
            thread::spawn(move || machine.free(me, objects))
        });
        let mut fetched = machine.fetch();
        // Without this loom has the others begin when this one waits for their end.
        thread::yield_now();
        fetched.extend(machine.fetch());
        // What has come home is freed by the one again who frees, while others still are on their way.
        let again = fetched.contains(&3).then(|| {
            let machine = machine.clone();
            thread::spawn(move || machine.free(2, &[4]))
        });
        fetched.extend(machine.fetch());
        let expected = if again.is_some() { 4 } else { 3 };
        others.into_iter().chain(again).for_each(|other| other.join().expect("it ends"));
        fetched.extend(machine.fetch());
        fetched.sort_unstable();
        assert_eq!(fetched, (1..=expected).collect::<Vec<u64>>());
    });
}
