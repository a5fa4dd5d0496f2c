//! A named port: requests of clients to a server in ring 3, each answered exactly once.
//!
//! ```text
//!   call ──▶ waiting ──(1) receive──▶ in service ──(2) reply──▶ answered
//!               └──────(3) cancel / port closed ──────┴──▶ gone (answered Closed unless cancelled)
//! ```

use crate::slab::Slab;
use crate::{Outcome, Payload, Reply};
use alloc::collections::VecDeque;

/// Calls of one port at most, waiting and in service; more are refused as out of memory.
pub const MAX_CALLS: usize = 256;

#[derive(Debug)]
struct Call<W> {
    who: W,
    request: Payload,
}

/// A port, those who called it and those who receive from it; `W` names a caller.
#[derive(Debug)]
pub struct Port<W> {
    waiting: VecDeque<Call<W>>,
    receivers: VecDeque<W>,
    in_service: Slab<Option<W>>,
}

impl<W: Copy + PartialEq> Port<W> {
    /// A port that nobody has called.
    pub const fn new() -> Self {
        Self { waiting: VecDeque::new(), receivers: VecDeque::new(), in_service: Slab::new() }
    }

    /// A client's request. Edge 1 follows at once when a server waits: then that one is answered.
    pub fn call(&mut self, who: W, request: &[u8], answer: impl FnOnce(W, Reply)) -> Outcome {
        let Some(request) = Payload::copied(request) else {
            return Outcome::Now(Reply::NoMemory);
        };
        // A call that was cancelled in service stays until its server answers: it counts, or clients without patience
        // would have the table grow for as long as a server is slow.
        if self.waiting.len() + self.in_service.len() >= MAX_CALLS {
            return Outcome::Now(Reply::NoMemory);
        }
        if self.receivers.is_empty() {
            if self.waiting.try_reserve(1).is_err() {
                return Outcome::Now(Reply::NoMemory);
            }
            self.waiting.push_back(Call { who, request });
            return Outcome::Later;
        }
        let Some(number) = self.in_service.insert(Some(who)) else {
            return Outcome::Now(Reply::NoMemory);
        };
        if let Some(receiver) = self.receivers.pop_front() {
            answer(receiver, Reply::Request(number, request));
        }
        Outcome::Later
    }

    /// A server asks for the next request (edge 1).
    pub fn receive(&mut self, who: W) -> Outcome {
        let Some(first) = self.waiting.front() else {
            if self.receivers.try_reserve(1).is_err() {
                return Outcome::Now(Reply::NoMemory);
            }
            self.receivers.push_back(who);
            return Outcome::Later;
        };
        let Some(number) = self.in_service.insert(Some(first.who)) else {
            return Outcome::Now(Reply::NoMemory);
        };
        let request = self.waiting.pop_front().map(|call| Reply::Request(number, call.request));
        request.map_or(Outcome::Later, Outcome::Now)
    }

    /// A server answers request `number` (edge 2). `None`: there is no such request in service.
    pub fn reply(
        &mut self,
        number: u64,
        bytes: &[u8],
        answer: impl FnOnce(W, Reply),
    ) -> Option<()> {
        let client = self.in_service.remove(number)?;
        if let Some(client) = client {
            answer(client, Payload::copied(bytes).map_or(Reply::NoMemory, Reply::Data));
        }
        Some(())
    }

    /// Request `number` did not reach the server that asked for it: its client is told (edge 3).
    pub fn undelivered(&mut self, number: u64, answer: impl FnOnce(W, Reply)) {
        if let Some(client) = self.in_service.remove(number).flatten() {
            answer(client, Reply::NoMemory);
        }
    }

    /// Forgets a client or a receiver (edge 3); a request in service stays so, its reply goes nowhere.
    /// Returns whether it waited.
    pub fn cancel(&mut self, who: W) -> bool {
        let before = self.waiting.len() + self.receivers.len();
        self.waiting.retain(|c| c.who != who);
        self.receivers.retain(|&w| w != who);
        let mut found = before != self.waiting.len() + self.receivers.len();
        self.in_service.iter_mut().filter(|slot| **slot == Some(who)).for_each(|slot| {
            *slot = None;
            found = true;
        });
        found
    }

    /// The server is gone: everybody who waits is told (edge 3).
    pub fn close(mut self, mut answer: impl FnMut(W, Reply)) {
        self.waiting.drain(..).for_each(|c| answer(c.who, Reply::Closed));
        self.receivers.drain(..).for_each(|who| answer(who, Reply::Closed));
        self.in_service
            .iter_mut()
            .filter_map(Option::take)
            .for_each(|who| answer(who, Reply::Closed));
    }
}

impl<W: Copy + PartialEq> Default for Port<W> {
    fn default() -> Self {
        Self::new()
    }
}
