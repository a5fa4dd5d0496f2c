//! QEMU as a child that never outlives us.
//!
//! It is the leader of a process group of its own. Dropping the handle kills the group; the
//! kernel of a Linux host kills QEMU when we die without a chance to (SIGKILL, a crash); and
//! while a run goes on, Ctrl-C and its like are noted here instead of ending us.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{self, Command, ExitStatus},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::Refusal;

/// A child process and its descendants.
pub struct Child {
    inner: process::Child,
    status: Option<ExitStatus>,
    group: Group,
}

/// Whose process group a child is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Its own: it dies with its descendants.
    Own,
    /// Ours: it may read the terminal that we are in the foreground of.
    Ours,
}

impl Child {
    /// Starts `command`; `program` is what to name when it is not there.
    pub fn spawn(mut command: Command, program: &Path) -> Result<Self, Refusal> {
        command.process_group(0);
        Self::start(command, program, Group::Own)
    }

    /// The same for a child that is to use our terminal.
    pub fn spawn_in_terminal(command: Command, program: &Path) -> Result<Self, Refusal> {
        Self::start(command, program, Group::Ours)
    }

    fn start(mut command: Command, program: &Path, group: Group) -> Result<Self, Refusal> {
        die_with_us(&mut command);
        match command.spawn() {
            Ok(inner) => Ok(Child { inner, status: None, group }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Refusal::NoQemu(program.to_path_buf()))
            }
            Err(error) => {
                Err(Refusal::Host(format!("cannot start '{}': {error}", program.display())))
            }
        }
    }

    /// Returns the process, for its pipes.
    pub fn inner(&mut self) -> &mut process::Child {
        &mut self.inner
    }

    /// Returns the status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.inner.try_wait().ok().flatten();
        }
        self.status
    }

    /// Waits for the end, at most this long, and then brings it about. Returns the status if the
    /// child ended by itself.
    pub fn wait_or_kill(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if start.elapsed() >= patience {
                self.kill();
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the child to end.
    pub fn ask_to_end(&mut self) {
        // Its number is ours until it has been waited for, so no stranger is hit.
        if self.status.is_none()
            && let Some(child) = Pid::from_raw(self.inner.id() as i32)
        {
            let _ = kill_process(child, Signal::TERM);
        }
    }

    /// Kills the child, with its whole group where that is its own, and reaps it.
    pub fn kill(&mut self) {
        if self.status.is_none() {
            // As above.
            if let Some(child) = Pid::from_raw(self.inner.id() as i32) {
                let _ = match self.group {
                    Group::Own => kill_process_group(child, Signal::KILL),
                    Group::Ours => kill_process(child, Signal::KILL),
                };
            }
            self.status = self.inner.wait().ok();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(target_os = "linux")]
fn die_with_us(command: &mut Command) {
    let parent = rustix::process::getpid();
    // SAFETY: 1. between fork and exec only async-signal-safe calls are made: prctl and getppid,
    // both plain system calls in rustix; 2. nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the line above took effect.
            if rustix::process::getppid() != Some(parent) {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_us(_command: &mut Command) {}

/// Ctrl-C, termination and hang-up, noted while at least one watch is alive; without one they
/// end this process with 128 + signal, as a shell expects.
pub struct SignalWatch(&'static Watched);

struct Watched {
    caught: Arc<AtomicUsize>,
    idle: Arc<AtomicBool>,
    watches: Mutex<usize>,
}

impl SignalWatch {
    /// Starts to watch.
    pub fn start() -> Result<Self, Refusal> {
        static WATCHED: OnceLock<Result<Watched, String>> = OnceLock::new();
        let watched = WATCHED
            .get_or_init(|| Watched::install().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|error| Refusal::Host(format!("cannot catch signals: {error}")))?;
        let mut watches = watched.watches.lock().expect("no holder of this lock panics");
        *watches += 1;
        watched.idle.store(false, SeqCst);
        drop(watches);
        Ok(SignalWatch(watched))
    }

    /// Returns the signal that was caught, if any. Every watch sees it.
    pub fn caught(&self) -> Option<i32> {
        match self.0.caught.load(SeqCst) {
            0 => None,
            signal => Some(signal as i32),
        }
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        let mut watches = self.0.watches.lock().expect("no holder of this lock panics");
        *watches -= 1;
        if *watches == 0 {
            self.0.idle.store(true, SeqCst);
        }
    }
}

impl Watched {
    fn install() -> io::Result<Self> {
        let caught = Arc::new(AtomicUsize::new(0));
        let idle = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let status = 128 + signal;
            signal_hook::flag::register_conditional_shutdown(signal, status, idle.clone())?;
            signal_hook::flag::register_usize(signal, caught.clone(), signal as usize)?;
        }
        Ok(Watched { caught, idle, watches: Mutex::new(0) })
    }
}
