//! Workloads: groups of equal threads, and what each of them does over and over, as a TOML file says.
//!
//! ```toml
//! about = "One sentence."      # for --list
//! duration = "1s"              # virtual time; times are "500ns", "10us", "2ms", "1.5s"
//! jobs = 100                   # it is over, before that, when each thread that gets no requests has done so many jobs
//!
//! [group.NAME]                 # a group of equal threads
//! count = 8                    # so many; or per_cpu = 2: so many for each CPU
//! priority = 10                # 1 to 31, the best; 10 if nothing is said
//! on = "spread"                # over all CPUs, one after the other; or [0, 1]: over these, for good
//! go = 0.1                     # before one of ten jobs the thread goes to a CPU that chance chooses
//! arrivals = { poisson = "2ms" }         # jobs come by themselves, so far apart; or { every = "2ms" }
//! service = { exponential = "100us" }    # CPU time of a job; or { fixed = ".." },
//!                                        # or { bimodal = { short = "..", long = "..", share = 0.1 } } (of long ones)
//! send = { to = "NAME", window = 4 }     # a request to the other group, when the service is over; then wait until fewer
//!                                        # than window (1) are unanswered. choose = "any": to any of its threads by chance,
//!                                        # else always to the same one
//! barrier = true               # then wait until all of the group are here
//! sleep = { fixed = "10ms" }   # then sleep; times as for service
//! pull = true                  # before that, ask another CPU, which chance chooses, for a thread that waits for its turn there: one
//!                              # of a group with neither "on", "pull" nor requests. Of a low priority it is what idle CPUs do
//! ```
//! A group that others send to does a job for each request and answers when it is done; it has no arrivals. A thread with
//! none of arrivals and requests begins its next job when one is over. Arrivals do not wait for who is late.

mod file;

use std::path::Path;

pub use workload::{
    Affinity, Barrier, Choose, Count, Group, Pull, Send, Share, Source, Time, Workload,
};

/// Reads a file.
///
/// # Errors
/// The file, the place in it, and what is wrong there, in a line.
pub fn read(path: &Path) -> Result<Workload, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&name, &text).map_err(|why| format!("{}{why}", path.display()))
}

/// Reads the text of a file.
///
/// # Errors
/// What stands behind the file's name in the line: `:LINE: what` or `: KEY: what`.
pub fn parse(name: &str, text: &str) -> Result<Workload, String> {
    file::parse(name, text)
}

#[cfg(test)]
mod tests;
