//! The table of events.

/// Gives the table to a macro: `doc, name(first, second, third);`, of which the last three may be missing.
#[macro_export]
macro_rules! each {
    ($with:ident) => {
        $with! {
            /// A part of the run begins: its number, and the first letters of its name.
            begun(part, letters, more);
            /// A thread starts, by the first letters of its name.
            started(thread, letters, more);
            /// The CPU goes on with a thread.
            switched(thread);
            /// The running thread waits, and for what.
            waits(reason, address);
            /// A thread is ready to run again.
            woke(thread);
            /// The running thread is over.
            ended(thread);
            /// The CPU has nobody to run.
            rests();
            /// It has.
            rested();
            /// A call goes into the ring to another CPU.
            sent(slot, function);
            /// A call comes out of the ring, to be executed.
            ran(slot, function);
            /// The CPU of that number is interrupted, to look at its rings.
            rung(cpu);
            /// The CPU of that number is not interrupted: it is going to look.
            avoided(cpu);
            /// The interrupt of the doorbell came.
            doorbell();
            /// The interrupt of the timer came.
            timer();
            /// A message is put to a port.
            put(message, port);
            /// A message is received at a port.
            received(message, port);
            /// The reply to a message is on its way.
            replied(message);
            /// A message is back, with its reply, where its sender lives.
            back(message);
            /// The running thread waits for a token of others.
            wants(token);
            /// It has all its tokens again.
            holds(tokens);
            /// Ring 3 calls the kernel.
            entered(call);
            /// A user thread of a process goes on, or none of them: the layer writes it down, the kernel reads it at the next entry.
            user(thread, process);
        }
    };
}
