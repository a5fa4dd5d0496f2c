//! The table of events.

/// Gives the table to a macro: `doc, name(first, second, third);`, of which the last three may be missing.
#[macro_export]
macro_rules! each {
    ($with:ident) => {
        $with! {
            /// A part of the run begins: how many began before it, and the first letters of its name.
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
            /// A thread leaves for the CPU of that number.
            leaves(thread, cpu);
            /// A thread has come from another CPU.
            came(thread);
            /// The CPU is lent to an interrupt's thread, in the time of its victim.
            borrowed(thread, victim);
            /// It is its victim's again.
            returned(victim);
            /// An interrupt's thread does not preempt, and why.
            refused(reason, thread);
            /// The CPU has nobody to run.
            rests();
            /// It has.
            rested();
            /// The CPU of that number is taken away from scheduling.
            taken_away(cpu);
            /// The CPU of that number is given back to scheduling.
            given_back(cpu);
            /// A call goes into the ring to another CPU.
            sent(slot, function);
            /// A call comes out of the ring, to be executed.
            ran(slot, function);
            /// The ring to the CPU of that number is full: the sender waits, or keeps the call.
            full(cpu);
            /// A call to the CPU of that number is kept in the outbox: a handler cannot wait.
            kept(cpu);
            /// A call to the CPU of that number goes back to its sender, who does not wait for room.
            unsent(cpu);
            /// The CPU of that number is interrupted, to look at its rings.
            rung(cpu);
            /// The CPU of that number is not interrupted: it is going to look.
            avoided(cpu);
            /// The interrupt of the doorbell came.
            doorbell();
            /// The interrupt of the timer came.
            timer();
            /// The turn of what runs is over.
            tick();
            /// A seeded turn: other CPUs go on here.
            turn();
            /// A line is raised; its thread is asked only at the end of a section that the running thread is in, or is not.
            raised(line, deferred);
            /// The thread of a line has taken what was raised, so many times, and handles it.
            handles(line, count);
            /// The CPU begins to park others.
            masters();
            /// It has parked so many, which do what it says.
            commands(cpus);
            /// It lets them go.
            lets_go(cpus);
            /// The CPU is parked by the one of that number.
            parked(master);
            /// The CPU of that number, which had parked this one, has let it go.
            goes_on(master);
            /// A callout is armed for a moment, in nanoseconds since boot.
            armed(callout, moment);
            /// The handler of a callout is called.
            fired(callout);
            /// A callout that was armed or due will not fire.
            cancelled(callout);
            /// A message is put to a port.
            put(message, port);
            /// A message is received at a port.
            received(message, port);
            /// Who has received a message passes it on.
            forwarded(message);
            /// The sender of a message asks for it.
            asked(message);
            /// A message that its sender asked for is on its way back: nobody had received it.
            aborted(message);
            /// The reply to a message is on its way.
            replied(message);
            /// A message is back, with its reply, where its sender lives.
            back(message);
            /// The running thread waits for a token of others.
            wants(token);
            /// It has all its tokens again.
            holds(tokens);
            /// Ring 3 reads (0), writes (1) or executes (2) a page that has no frame, or may not.
            faulted(access, address);
            /// Objects of the slabs of that CPU, freed here, go home: the first of them.
            freed(cpu, object);
            /// Ring 3 calls the kernel.
            entered(call);
            /// A user thread of a process goes on, or none of them: the layer writes it down, the kernel reads it at the next entry.
            user(thread, process);
        }
    };
}
