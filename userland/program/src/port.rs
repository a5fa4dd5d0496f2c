//! Named ports: a program that answers requests, and those who ask.

use crate::call::{Layer, send};
use abi::{Bytes, Entry, Error, Failure, Handle, Input, Output, Receive, request};

/// A request that was received. It is answered once.
#[derive(Debug)]
#[must_use]
pub struct Request {
    handle: Handle,
    length: usize,
}

/// Makes a port of that name, to receive from.
pub fn create(name: &str) -> Result<Handle, Failure> {
    let name = Bytes::new(name.as_bytes()).ok_or(Error::BadLength)?;
    send(&request::PortCreate { name }).map(|made| made.port)
}

/// Opens the port of that name, to call.
pub fn open(name: &str) -> Result<Handle, Failure> {
    let name = Bytes::new(name.as_bytes()).ok_or(Error::BadLength)?;
    send(&request::PortOpen { name }).map(|opened| opened.port)
}

/// Sends a request and waits for its reply, whose length it returns. Blocks the calling thread only.
pub fn call(port: Handle, request: &[u8], reply: &mut [u8]) -> Result<usize, Failure> {
    send(&request::PortCall { port, request: Input::of(request), reply: Output::of(reply) })
        .map(|answer| answer.count as usize)
}

/// Takes the port's next request, whose bytes go to `into`. Blocks the calling thread only.
pub fn receive(port: Handle, into: &mut [u8]) -> Result<Request, Failure> {
    let raw = Layer.receive(0, Receive { port, into: Output::of(into) });
    if raw.status < 0 {
        return Err(Failure::from_status(raw.status, raw.value));
    }
    Ok(Request { handle: Handle(raw.value), length: raw.value2 as usize })
}

impl Request {
    /// Length of the request in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Answers.
    pub fn reply(self, reply: &[u8]) -> Result<(), Failure> {
        send(&request::Reply { request: self.handle, reply: Input::of(reply) }).map(drop)
    }
}
