//! CPUs that are taken away and given back while a crew or a program works, at moments that the seed chooses; in a kernel that was built for faults.
//!
//! Law: the thread that waits for the end does it, from look to look, and waits for no thread, only for the answers of CPUs: a thread
//! that does not leave its CPU is seen to be stuck, or comes to its end there. A CPU that is given back gets those threads back that began there.

use alloc::vec::Vec;
use kernel_core::faults::{self, Fault};
use kernel_core::{cpu, thread, timer};
use lwkt_sched::ThreadRef;
use percpu::CpuId;

/// Nanoseconds between two looks.
pub(crate) const LOOK: u64 = 50_000;

/// One CPU at a time that is taken away, or none.
pub(crate) struct Parking {
    /// The threads of the crew, and where they began.
    threads: Vec<(ThreadRef, CpuId)>,
    away: Option<Away>,
}

/// A CPU that is taken away.
struct Away {
    cpu: CpuId,
    /// When it is given back.
    until: u64,
    is_cleared: bool,
    /// Where its next threads go.
    to: CpuId,
}

impl Parking {
    /// None yet. The threads stay joinable while this lives.
    pub fn of(threads: Vec<(ThreadRef, CpuId)>) -> Self {
        Self { threads, away: None }
    }

    /// Whether CPUs are to be parked now: then [`look`](Self::look) once in [`LOOK`].
    pub fn is_wanted() -> bool {
        faults::may_strike(Fault::ParkedCpu)
    }

    /// Does what the moment asks for. On the first CPU.
    pub fn look(&mut self) {
        match &mut self.away {
            None => self.begin(),
            Some(away) if timer::now() < away.until => {
                if !away.is_cleared {
                    away.is_cleared = cpu::is_cleared(away.cpu, &mut away.to);
                }
            }
            Some(_) => self.end(),
        }
    }

    fn begin(&mut self) {
        let delay = if cpu::count() > 1 { faults::delay(Fault::ParkedCpu) } else { 0 };
        if delay == 0 {
            return;
        }
        let cpu = CpuId::at(faults::below(CpuId::BOOT, cpu::count() as u64) as usize);
        if let Ok(to) = cpu::begin_to_park(cpu) {
            let until = timer::now() + delay;
            self.away = Some(Away { cpu, until, is_cleared: false, to });
        }
    }

    /// Gives the CPU back, and its threads to it; one that cannot come now stays where it is.
    fn end(&mut self) {
        let Some(Away { cpu, .. }) = self.away.take() else { return };
        cpu::unpark(cpu);
        for (thread, _) in self.threads.iter().filter(|(_, home)| *home == cpu) {
            let _ = thread::pull(*thread, cpu);
        }
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        self.end();
    }
}
