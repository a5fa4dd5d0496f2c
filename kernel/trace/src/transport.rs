//! The logs of all CPUs, the drain lock, and the mode of the output.

use crate::cpu_log::OnFull;
use percpu::MAX_CPUS;

use crate::{CpuLog, FRAME_BYTES, Hooks};
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8};

/// Where the output goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Mode {
    /// The command line is not read yet: frames wait in the rings.
    Early = 0,
    /// No `frames` on the command line: the kernel prints text, frames are thrown away.
    Text = 1,
    /// Frames go to the port.
    Frames = 2,
}

/// The logs of all CPUs over the machine `H`.
pub struct Transport<H> {
    logs: [AtomicPtr<CpuLog>; MAX_CPUS],
    draining: AtomicBool,
    mode: AtomicU8,
    machine: PhantomData<fn() -> H>,
}

impl<H: Hooks> Transport<H> {
    /// Makes a transport with no CPU attached.
    pub const fn new() -> Self {
        Self {
            logs: [const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS],
            draining: AtomicBool::new(false),
            mode: AtomicU8::new(Mode::Early as u8),
            machine: PhantomData,
        }
    }

    /// Gives CPU `cpu` its log; frames of a CPU without one are thrown away.
    pub fn attach(&self, cpu: usize, log: &'static CpuLog) {
        // Pairs with: Transport::log, acquire.
        self.logs[cpu].store(ptr::from_ref(log).cast_mut(), Release);
    }

    /// Where the output goes.
    pub fn mode(&self) -> Mode {
        match self.mode.load(Relaxed) {
            1 => Mode::Text,
            2 => Mode::Frames,
            _ => Mode::Early,
        }
    }

    /// Sets where the output goes, once the command line is known.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Relaxed);
    }

    /// Begins a frame on this CPU; pairs with [`Transport::end`].
    pub fn begin(&self) {
        let irq = H::irq_save();
        match self.log(H::cpu()) {
            Some(log) => log.begin(irq),
            None => H::irq_restore(irq),
        }
    }

    /// Adds bytes to the frame of this CPU.
    pub fn write(&self, bytes: &[u8]) {
        if let Some(log) = self.log(H::cpu()) {
            log.write(bytes);
        }
    }

    /// Ends the frame of this CPU and publishes it.
    pub fn end(&self) {
        let Some(log) = self.log(H::cpu()) else {
            return;
        };
        if let Some(irq) = log.end(|frame, on_full| self.publish(log, frame, on_full)) {
            H::irq_restore(irq);
        }
    }

    /// Runs `send`, which logs one frame; that frame is not dropped, whatever the rings hold.
    pub fn urgently(&self, send: impl FnOnce()) {
        let irq = H::irq_save();
        match self.log(H::cpu()) {
            None => send(),
            Some(log) => {
                let before = log.set_urgent(true);
                send();
                log.set_urgent(before);
            }
        }
        H::irq_restore(irq);
    }

    /// Moves all complete frames to the port, if nobody else is doing so. Interrupts are off for one frame at a time.
    pub fn drain(&self) {
        if self.mode() == Mode::Early {
            return;
        }
        for cpu in 0..MAX_CPUS {
            let Some(log) = self.log(cpu) else { continue };
            while self.drain_one(log) == Some(true) {}
        }
    }

    /// For a panic, after the other CPUs were stopped: takes the lock from whoever held it and moves all there is.
    pub fn emergency_drain(&self) {
        if self.mode() != Mode::Frames {
            return;
        }
        // A frame that was cut off on its way to the port ends here; the decoder skips it.
        H::write(&[0]);
        self.draining.store(true, Relaxed);
        for log in (0..MAX_CPUS).filter_map(|cpu| self.log(cpu)) {
            while self.move_one(log) {}
            log.publish_ready(&mut |frame: &[u8], _| {
                H::write(frame);
                true
            });
        }
        // Pairs with: Transport::drain_one, acquire.
        self.draining.store(false, Release);
    }

    /// Frames dropped on all CPUs.
    pub fn lost(&self) -> u64 {
        (0..MAX_CPUS).filter_map(|cpu| self.log(cpu)).map(CpuLog::lost).sum()
    }

    fn publish(&self, log: &CpuLog, frame: &[u8], on_full: OnFull) -> bool {
        if self.mode() == Mode::Text {
            return true;
        }
        loop {
            // SAFETY: the outermost end on this CPU, interrupts off: the only producer (see CpuLog).
            if unsafe { log.ring.push(frame) }.is_ok() {
                return true;
            }
            if on_full == OnFull::Drop || self.mode() == Mode::Early {
                return false;
            }
            if self.drain_one(log) != Some(true) {
                // Another CPU drains, interrupts off: it ends after one frame, and needs nothing of us.
                H::relax();
            }
        }
    }

    /// Moves one frame of `log`; `None` if somebody else is draining.
    fn drain_one(&self, log: &CpuLog) -> Option<bool> {
        let irq = H::irq_save();
        // Pairs with: the release below.
        let mine = self.draining.compare_exchange(false, true, Acquire, Relaxed).is_ok();
        let moved = mine.then(|| self.move_one(log));
        if mine {
            // Pairs with: the acquire above, of the next drainer.
            self.draining.store(false, Release);
        }
        H::irq_restore(irq);
        moved
    }

    /// Moves one frame to the port. Only with `draining` held.
    fn move_one(&self, log: &CpuLog) -> bool {
        let mut frame = [0; FRAME_BYTES];
        // SAFETY: `draining` is held, so this is the only consumer.
        match unsafe { log.ring.pop(&mut frame) } {
            None => false,
            Some(len) => {
                if self.mode() == Mode::Frames {
                    H::write(&frame[..len]);
                }
                true
            }
        }
    }

    fn log(&self, cpu: usize) -> Option<&'static CpuLog> {
        // Pairs with: Transport::attach, release.
        let log = self.logs.get(cpu)?.load(Acquire);
        // SAFETY: null, or a `&'static CpuLog` from `attach`.
        unsafe { log.as_ref() }
    }
}

impl<H: Hooks> Default for Transport<H> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
