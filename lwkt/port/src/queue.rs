//! A FIFO of messages, linked through them: nothing is allocated.

use crate::Body;
use crate::raw::Raw;

/// A FIFO of messages, the urgent ones first.
///
/// An urgent message pays for its place: it walks past those that are there already. The others pay nothing.
pub(crate) struct Queue<B: Body> {
    first: Option<Raw<B>>,
    /// The last one; means nothing while there is no first.
    last: Option<Raw<B>>,
}

impl<B: Body> Queue<B> {
    pub const fn new() -> Self {
        Self { first: None, last: None }
    }

    #[inline]
    pub fn push(&mut self, message: Raw<B>) {
        message.link(None);
        match (&self.first, &self.last) {
            (Some(_), Some(last)) => last.link(Some(message.watch())),
            _ => self.first = Some(message.watch()),
        }
        self.last = Some(message);
    }

    /// Puts an urgent message behind those that are there.
    pub fn push_urgent(&mut self, message: Raw<B>) {
        message.message().urgent.set(true);
        let before = self.last_urgent();
        let after = match &before {
            Some(before) => before.next(),
            None => self.first.take(),
        };
        let watch = message.watch();
        if after.is_none() {
            self.last = Some(watch.watch());
        }
        message.link(after);
        match before {
            Some(before) => before.link(Some(watch)),
            None => self.first = Some(watch),
        }
    }

    /// The last of the urgent messages at its head.
    fn last_urgent(&self) -> Option<Raw<B>> {
        let urgent = |message: &Raw<B>| message.message().urgent.get();
        let mut last = self.first.as_ref().map(Raw::watch).filter(urgent)?;
        while let Some(next) = last.next().filter(urgent) {
            last = next;
        }
        Some(last)
    }

    #[inline]
    pub fn pop(&mut self) -> Option<Raw<B>> {
        let first = self.first.as_ref()?.watch();
        self.first = first.next();
        Some(first)
    }

    /// Takes this message out, if it is in. It need not be: only messages that are in are looked at.
    pub fn unlink(&mut self, message: &Raw<B>) -> Option<Raw<B>> {
        let first = self.first.as_ref()?;
        if first.is(message) {
            return self.pop();
        }
        let mut before = first.watch();
        loop {
            let next = before.next()?;
            if next.is(message) {
                let after = next.next();
                if after.is_none() {
                    self.last = Some(before.watch());
                }
                before.link(after);
                return Some(next);
            }
            before = next;
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}
