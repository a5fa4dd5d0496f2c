//! Messages between CPUs: a call that another CPU executes.
//!
//! One [`Ring`] for each ordered pair of CPUs; a [doorbell] for each CPU, rung only on the step from empty
//! to pending; a [`Fabric`] that joins them. What is sent is a [`Call`]: a function and three words.
//!
//! Context law: everything needs a [`Crit`](percpu::Crit). A ring's producing end is touched by its source CPU alone,
//! its consuming end by its target alone. Calls run on the target, inside its critical section, one after the other,
//! and never wait. Who waits here (`send` to a full ring, `sync`) serves the calls that are sent to its own CPU
//! meanwhile, so it must not hold a cell that such a call may want ([`Own::with`](percpu::Own::with)).
//!
//! Order: the calls of one CPU to another run in the order of their sends, whatever the variants; a broadcast along a
//! tree alone goes other ways.
//!
//! | variant | to | interrupts | waits for room | in a call | comes back |
//! |---|---|---|---|---|---|
//! | [`Fabric::send`] | one CPU | as the policy says | outside calls | yes | when it is in a ring or outbox |
//! | [`Fabric::send_burst`] | one CPU, many calls | once for a ring's depth | outside calls | yes | as `send` |
//! | [`Fabric::send_nowait`] | one CPU | as `send` | never: returns the call | yes | at once |
//! | [`Fabric::send_passive`] | one CPU | from a quarter of the ring on | outside calls | yes | as `send` |
//! | [`Fabric::send_passive_nowait`] | one CPU | as `send_passive` | never: returns the call | yes | at once |
//! | [`Fabric::send_mask`] | a set | as `send` | outside calls | up to [`CALL_TARGETS`] | when sent, or passed to the tree |
//! | [`Fabric::call_wait`] | one CPU | as `send` | yes | no | with the answer |
//! | [`Fabric::sync`] | a set | as `send` | yes | no | when all have executed it: cpusync's quick form |
//! | [`Fabric::park`] | a set | as `send` | yes | no | when all are parked: cpusync's interlock |
//! | [`Fabric::synchronize`] | a set | as `send` | yes | no | when all that this CPU sent there has run |
//! | [`Fabric::settle`] | a set | as `send` | yes | no | when all that anybody sent there has run |
//!
//! A passive call runs when its target next looks: at a doorbell, a poll, its tick, before it halts. A CPU that has halted already
//! may look much later: who needs an end to that synchronizes. Sets leave out CPUs that do not [listen](Fabric::listen); above
//! [`Bell::LOOP_MOST`] others they are reached along a tree, in a few hops, in no order with other sends. When a sender interrupts is a
//! policy ([`knocking`]), and how a ring hands over is a variant ([`handover`]): both are chosen when the kernel is built.
#![cfg_attr(not(test), no_std)]

mod call;
mod counters;
mod cpusync;
pub mod doorbell;
mod fabric;
pub mod handover;
pub mod knocking;
mod node;
mod outbox;
mod parked;
pub mod plant;
mod ring;
mod tree;
mod uncured;

pub use call::{Call, CallFn, Full};
pub use counters::Counters;
pub use fabric::{Bell, CALL_TARGETS, Fabric};
pub use parked::Parked;
pub use ring::{Consumer, Producer, RING_DEPTH, Ring, RingBy};
