//! Starting the other CPUs.

use crate::tables::Prepared;

/// Why a CPU does not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// It gave no sign of life within the limit.
    Silent,
    /// It came to life but stopped before `core_cpu_main`.
    Stuck,
    /// It lacks something that the first CPU has.
    Unfit,
}

/// Starts one CPU and waits, bounded, until it is about to enter `core_cpu_main`.
///
/// # Safety
/// Called on the first CPU after its [`crate::tables::adopt`], once for each prepared CPU, interrupts off.
pub unsafe fn start(prepared: &'static Prepared) -> Result<(), StartError> { todo!() }
