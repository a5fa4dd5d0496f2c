//! What a traced layer writes about its user threads: where the kernel looks at the next entry.

use abi::UserLog;

/// Binds `probe::user` in ring 3.
#[unsafe(export_name = "_damselfly_probe_user")]
fn user(thread: u32, _: u64, _: u64) {
    let area = core::ptr::from_ref(crate::carrier());
    // SAFETY: the carrier area goes on above the carrier, and nothing else is there (`abi::UserLog`).
    let log: *mut UserLog = unsafe { area.byte_add(UserLog::AT) }.cast_mut().cast();
    // SAFETY: it is this CPU process's own, which no upcall interrupts here.
    let log = unsafe { &mut *log };
    let at = log.written as usize % UserLog::SWITCHES;
    // SAFETY: ring 3 may read the counter.
    log.switches[at] = [unsafe { core::arch::x86_64::_rdtsc() }, thread.into()];
    log.written += 1;
}
