//! Processes: an address space, handles, and one kernel context for each CPU that the process runs on.
//!
//! ```text
//!   Process (home CPU) ──┬── Carrier on CPU a: kernel thread, completion pages, pending calls
//!                        └── Carrier on CPU b: ...                      user threads: the layer's business
//! ```
//! Law: a [`Carrier`] (a CPU process) is touched by its own CPU, the [`space::Space`] by the home CPU; handles are
//! single atomic words. Everything else is asked by message.

pub(crate) mod answer;
mod attention;
mod calls;
mod carrier;
mod end;
mod entry;
mod layer;
pub(crate) mod object;
pub mod space;
mod start;
mod tick;
mod trap;

pub(crate) use attention::Attention;
pub use carrier::Carrier;
pub(crate) use carrier::{arrive, is_current};
pub use end::{Ended, How};
pub use layer::{LayerError, init as init_layer, programs};
pub use object::{Objects, table_bytes};
pub use start::{Launch, StartError, start};
pub(crate) use tick::tick;
pub(crate) use trap::wanted;

use crate::ipi;
use abi::map::MAX_CPU_PROCESSES;
use arch::layout::Phys;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use lwkt_sched::{Name, ThreadRef};
use percpu::{CpuId, Crit, Own};
use servers::handles::Handles;
use space::Space;

/// A process. Lives until its last CPU process and its starter let go of it.
pub struct Process {
    name: Name,
    home: CpuId,
    root: Phys,
    pub(crate) handles: Handles,
    space: Own<Option<Space>>,
    carriers: [AtomicPtr<Carrier>; MAX_CPU_PROCESSES as usize],
    /// CPU processes ever begun; and those that have ended. Counted on any CPU.
    made: AtomicU32,
    ended: AtomicU32,
    /// How it ends, once somebody has said so.
    ending: AtomicU64,
    /// All that it held has been given back.
    gone: AtomicBool,
    waiter: ThreadRef,
    /// The page that all its CPU processes share; kept for them.
    _shared: space::Pages,
}

/// In the table of CPU processes: one is being made.
const CLAIMED: *mut Carrier = core::ptr::dangling_mut();

impl Process {
    /// Its name, for reports.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The CPU that owns its address space.
    pub(crate) fn home(&self) -> CpuId {
        self.home
    }

    /// What a CPU loads to use its address space.
    pub(crate) fn root(&self) -> Phys {
        self.root
    }

    /// Does something with the address space, on its home; `None` when the process has let go of it.
    pub(crate) fn with_space<R: Send>(
        &self,
        f: impl FnOnce(&Crit, &mut Space) -> R + Send,
    ) -> Option<R> {
        ipi::call(self.home, |crit| {
            self.space.with(crit, |space| space.as_mut().map(|space| f(crit, space)))
        })
    }

    /// CPU processes that it has.
    pub(crate) fn carriers(&self) -> usize {
        let mut count = 0;
        self.each_carrier(|_| count += 1);
        count
    }

    /// The CPUs that a CPU process of it was ever made on, the caller's not excluded.
    pub(crate) fn cpus(&self) -> percpu::CpuSet {
        let mut cpus = percpu::CpuSet::EMPTY;
        self.each_carrier(|carrier| {
            cpus.insert(carrier.cpu());
        });
        cpus
    }

    /// Calls `f` with each CPU process that is in the table; they stay there until the process is taken apart.
    pub(crate) fn each_carrier(&self, f: impl FnMut(&Carrier)) {
        (0..MAX_CPU_PROCESSES).filter_map(|index| self.carrier(index)).for_each(f);
    }

    /// The CPU process with an index.
    pub(crate) fn carrier(&self, index: u64) -> Option<&Carrier> {
        let place = self.carriers.get(usize::try_from(index).ok()?)?;
        // Pairs with: `enter`, release.
        let carrier = place.load(Ordering::Acquire);
        if carrier == CLAIMED {
            return None;
        }
        // SAFETY: CPU processes are freed only with the process (`end::take_apart`), which the caller holds.
        unsafe { carrier.as_ref() }
    }

    /// Claims a free index, the lowest; `None`: there are as many CPU processes as there can be, or it is ending.
    fn claim(&self) -> Option<u64> {
        let free = |place: &AtomicPtr<Carrier>| {
            let null = core::ptr::null_mut();
            place.compare_exchange(null, CLAIMED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let index = self.ending().is_none().then(|| self.carriers.iter().position(free))??;
        Some(index as u64)
    }

    /// Enters a CPU process under the index that was claimed for it; null gives the index back.
    fn enter(&self, carrier: *mut Carrier, index: u64) {
        // Pairs with: `carrier` and `each_carrier`, acquire.
        self.carriers[index as usize].store(carrier, Ordering::Release);
    }

    /// Whether it is ending, and how.
    pub(crate) fn ending(&self) -> Option<How> {
        // Pairs with: `end::begin`, release.
        How::from_word(self.ending.load(Ordering::Acquire))
    }
}
