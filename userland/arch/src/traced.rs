//! What a traced layer writes about its user threads: where the kernel looks at the next entry.

use core::sync::atomic::Ordering;

use abi::UserLog;

/// Binds `probe::user` in ring 3.
#[unsafe(export_name = "_damselfly_probe_user")]
fn user(thread: u32, _: u64, _: u64) {
    let area = core::ptr::from_ref(crate::carrier());
    // SAFETY: the carrier area goes on above the carrier, and nothing else is there (`abi::UserLog`).
    let log: *const UserLog = unsafe { area.byte_add(UserLog::AT) }.cast();
    // SAFETY: the area stays as long as the process, and holds atomics there.
    let log = unsafe { &*log };
    let written = log.written.load(Ordering::Relaxed);
    let [at, who] = &log.switches[written as usize % UserLog::SWITCHES];
    // SAFETY: ring 3 may read the counter.
    at.store(unsafe { core::arch::x86_64::_rdtsc() }, Ordering::Relaxed);
    who.store(thread.into(), Ordering::Relaxed);
    // Relaxed: no upcall interrupts the layer, and the kernel looks on this CPU.
    log.written.store(written.wrapping_add(1), Ordering::Relaxed);
}
