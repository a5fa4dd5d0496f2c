//! The binary interface between ring 3 and the kernel: one table of messages, and the shared pages.
//!
//! [`table!`] declares every message once. From it come the numbers, the typed requests and replies, the codec, the
//! stubs of the emulation layer, the handler trait of the crate `dispatch`, the names in traces, and `MESSAGES.md`.
//! What crosses the boundary is an element list ([`list`]) or, for small requests, registers; never a structure.
//!
//! Context law: pure data and pure functions. Nothing here blocks, allocates, or touches memory it was not given.
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;
#[macro_use]
mod table;
mod carrier;
mod completion;
mod document;
mod element;
mod entry;
mod error;
mod generated;

pub mod layer;
pub mod list;
pub mod map;
mod shape;

pub use carrier::{CARRIER_FRAME, Carrier, Frame, PENDING_LOOK, PENDING_TICK, Shared, UserLog};
pub use completion::{COMPLETION_SLOTS, Completion, Completions, Header, Slot};
pub use document::write_document;
pub use element::{Bytes, Element, Handle, Input, Kind, MAX_BYTES, MUST, Output};
pub use entry::{
    ANSWERED, ASYNCHRONOUS, Entry, EntryNumber, FLAG_NO_WAIT, FLAG_REGISTERS, FLAGS, Head, IGNORED,
    NO_DEADLINE, POLL, Raw, Receive, Sent, SysMsg,
};
pub use error::{Error, Failure};
pub use generated::{LISTS, MESSAGES, Number, answer, call, request};
pub use layer::{LayerCall, LayerHeader};

use core::fmt::Debug;

/// What becomes of a call that is still pending when its process exits or executes another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExit {
    /// The subsystem is told to forget the call; nothing of it happens afterwards.
    Cancel,
    /// The operation goes on without its caller; its result is dropped.
    Orphan,
    /// The exit waits until the call is complete.
    Complete,
}

/// Whether a message may be answered later than its send returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Always answered before the send returns; its handler gets no means to do otherwise.
    Inline,
    /// May become asynchronous: the answer then arrives as a completion.
    Blocks,
}

/// One element as the table declares it.
#[derive(Clone, Copy, Debug)]
pub struct ElementInfo {
    /// Id on the wire, with [`MUST`] when the reader has to understand it.
    pub id: u16,
    /// Name of the field.
    pub name: &'static str,
    /// Type of the payload.
    pub kind: Kind,
    /// What an absent element means; `None`: it may not be absent.
    pub default: Option<u64>,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct MessageInfo {
    /// Message number; never reused.
    pub number: u16,
    /// Name of the stub, of the handler, and in traces.
    pub name: &'static str,
    /// Elements of the request in canonical order.
    pub request: &'static [ElementInfo],
    /// Scalars of the answer, in the order of the answer registers.
    pub answer: &'static [ElementInfo],
    /// May it become asynchronous?
    pub blocking: Blocking,
    /// Fate of a pending call at exit.
    pub at_exit: AtExit,
    /// Whether the register form exists.
    pub registers: bool,
    /// What the message does.
    pub doc: &'static str,
}

/// One element list that a message writes into a buffer of its caller.
#[derive(Clone, Copy, Debug)]
pub struct ListInfo {
    /// Type name.
    pub name: &'static str,
    /// Its elements in canonical order.
    pub elements: &'static [ElementInfo],
    /// What it tells.
    pub doc: &'static str,
}

/// A request decoded, with what the reader passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<T> {
    /// The value.
    pub value: T,
    /// Number of unknown elements without the must-understand bit.
    pub ignored: u32,
}

/// A typed request of the table.
pub trait Message: Copy + Debug + PartialEq {
    /// Its typed answer.
    type Answer: Answer;
    /// Its number.
    const NUMBER: Number;
    /// Its line in the table.
    const INFO: MessageInfo;
    /// Words of the largest list of this request that the encoder makes.
    const MAX_WORDS: usize;
    /// Decodes the canonical form only: the fast part of [`Message::decode`].
    fn canonical(words: &[u64]) -> Option<Self>;
    /// Decodes an element list: the canonical form fast, any other order with the same result.
    fn decode(words: &[u64]) -> Result<Decoded<Self>, Failure>;
    /// Writes the canonical list and returns its length in words, or the length needed when `out` is too short.
    fn encode(&self, out: &mut [u64]) -> Result<usize, usize>;
    /// Builds the request from the four request registers, in the table's order.
    fn from_registers(registers: [u64; 4]) -> Result<Self, Failure>;
    /// The four request registers, when this message has a register form.
    fn to_registers(&self) -> Option<[u64; 4]>;
    /// Makes the real send: in registers when possible, else from a list on the caller's stack.
    /// Memory that the request describes belongs to the kernel until the answer or the completion.
    fn send<E: Entry>(
        &self,
        entry: &E,
        cookie: u64,
        flags: u16,
    ) -> Result<Sent<Self::Answer>, Failure>;
}

/// A typed answer: at most two scalars, in registers or in a completion.
pub trait Answer: Copy + Debug + PartialEq {
    /// How many scalars it has.
    const SCALARS: usize;
    /// Builds the answer from the two answer words.
    fn from_values(values: [u64; 2]) -> Self;
    /// The two answer words; zero where it has fewer.
    fn to_values(self) -> [u64; 2];
}
