//! What a message in memory costs.

use abi::{FLAG_REGISTERS, Head, Number, Raw, SysMsg};
use core::ptr;
use program::call;

bench_api::bench! {
    name: "user/null_domsg",
    doc: "A message that does nothing, taken from memory, sent, dispatched and answered, its result written back.",
    goal: "G6",
    curve: bench_api::Curve::Cpus,
    lies: "Instructions: SYSCALL and SYSRET count as one each, whatever they cost on silicon.",
    shape: "flat in CPUs, threads and pending calls",
    run: |b| {
        let none = Raw { status: -1, value: 0, value2: 0 };
        let head = Head::new(Number::Null as u16, FLAG_REGISTERS, 0);
        let mut message = SysMsg { head, result: none, ..SysMsg::EMPTY };
        let at = &raw mut message;
        b.batch(8).iter(|| {
            // SAFETY: the message lives in this function.
            unsafe { call::do_message(at as u64) };
        });
        // SAFETY: as above.
        let message = unsafe { ptr::read_volatile(at) };
        let result = message.result;
        b.check(result.status == abi::ANSWERED, "the result was written back");
    },
}
