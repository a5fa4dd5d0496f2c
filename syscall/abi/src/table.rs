//! The table: every message, one line each. A new message is a line here and a handler in the kernel.
//!
//! ```text
//! number Name stub(id must|may field: type [= default], ...) -> (id field: type, ...), blocking, at exit, "what it does";
//! ```
//! Types: u64 i64 handle input output bytes. `must`: a kernel that does not know the element refuses the message;
//! `may`: it goes on and says that it passed one over. An element with a default can be absent. Up to two answers.
//! Numbers and ids are for ever: never reused, never given another type (`tests/corpus/ids.txt` remembers them).
//! A list is what a message writes into a buffer: its readers skip what they do not know, absent means the default.

/// Hands the table to the macro `$then`: from this one text come the codec here, the handlers in `dispatch`, the rest.
#[macro_export]
macro_rules! table {
    ($then:ident) => {
        $then! {
            messages {
                0 Null null() -> (), Inline, Complete, "Does nothing: what the path itself costs.";
                1 ConsoleWrite console_write(1 must text: input) -> (1 count: u64), Inline, Complete, "Writes text to the console; says how many bytes.";
                2 Clock clock() -> (1 nanoseconds: u64), Inline, Complete, "Nanoseconds since boot, the same on all CPUs.";
                3 Exit exit(1 must status: i64) -> (), Inline, Complete, "Ends the process on all its CPUs; does not return.";
                4 Rfork rfork(1 must cpu: u64) -> (1 index: u64), Inline, Complete, "Gives the process a kernel context on another CPU, which starts in the layer; answers its index in the process.";
                5 Map map(1 must length: u64, 2 must flags: u64 = 0) -> (1 address: u64), Inline, Complete, "Maps zeroed memory, readable and writable; flags must be 0.";
                6 Unmap unmap(1 must address: u64, 2 must length: u64) -> (), Inline, Complete, "Unmaps whole pages; returns when no CPU can reach them.";
                7 Pipe pipe() -> (1 reader: handle, 2 writer: handle), Inline, Complete, "Makes a pipe.";
                8 Read read(1 must from: handle, 2 must into: output) -> (1 count: u64), Blocks, Cancel, "Reads what there is, at least a byte; 0 at the end.";
                9 Write write(1 must to: handle, 2 must from: input) -> (1 count: u64), Blocks, Cancel, "Writes at least a byte; says how many.";
                10 Close close(1 must handle: handle) -> (), Inline, Complete, "Gives a handle back.";
                11 PortCreate port_create(1 must name: bytes) -> (1 port: handle), Inline, Complete, "Makes a port of that name, to receive from.";
                12 PortOpen port_open(1 must name: bytes) -> (1 port: handle), Inline, Complete, "Opens the port of that name, to call.";
                13 PortCall port_call(1 must port: handle, 2 must request: input, 3 must reply: output) -> (1 count: u64), Blocks, Orphan, "Sends a request to a port; answered when its owner replies, with the reply's length.";
                14 Reply reply(1 must request: handle, 2 must reply: input) -> (), Inline, Complete, "Answers a received request; its handle ends here.";
                15 SetTick set_tick(1 must interval: u64) -> (), Inline, Complete, "Asks for an upcall every so many nanoseconds of this CPU process in ring 3; 0 for none.";
                16 Wake wake(1 must index: u64) -> (), Inline, Complete, "Sets the wake token of a CPU process of this process, and wakes it if it sleeps in wait.";
                17 Record record(1 must bytes: input) -> (), Inline, Complete, "Hands one benchmark record to the runner.";
                18 Info info() -> (1 cpus: u64, 2 index: u64), Inline, Complete, "CPUs of the machine; index of this CPU process in its process.";
                19 Abort abort(1 must cookie: u64) -> (), Inline, Complete, "Asks that a pending call of this CPU process be given up; it still completes, once, perhaps with Cancelled.";
                20 Stats stats(1 must into: output, 2 may wanted: u64 = u64::MAX) -> (1 needed: u64), Inline, Complete, "Writes the list StatsList, of its elements those whose bit (1 << id) is wanted; answers the bytes needed.";
            }
            lists {
                StatsList(1 kernel_bytes: u64 = 0, 2 kernel_stacks: u64 = 0, 3 free_frames: u64 = 0, 4 process_frames: u64 = 0, 5 pending_calls: u64 = 0, 6 kernel_entries: u64 = 0, 7 switches: u64 = 0, 8 ipis_sent: u64 = 0, 9 ipis_avoided: u64 = 0, 10 rings_full: u64 = 0, 11 unasked_interrupts: u64 = 0, 12 mappings: u64 = 0, 13 cpu_processes: u64 = 0, 14 waits: u64 = 0, 15 rests: u64 = 0, 16 ipis_passive: u64 = 0, 17 calls_run: u64 = 0, 18 syncs: u64 = 0, 19 timer_interrupts: u64 = 0, 20 page_faults: u64 = 0, 21 completions: u64 = 0), "Figures for tests. Of the kernel: bytes its heap has handed out, stacks, free page frames, entries from ring 3, switches and those among them from a thread that had to wait, rests of CPUs, IPIs sent and avoided, calls between CPUs sent passively, executed, and waited for, rings found full, timer interrupts, page faults, interrupts nobody asked for. Of the process: page frames, pending calls, completions, mappings, CPU processes. Pending calls, stacks, switches and waits cost a message to other CPUs: to whom that matters, they are not wanted.";
            }
        }
    };
}
