//! Who executes: all CPUs at the same time, or one after the other, as in QEMU's mode `insns`.
//!
//! There a CPU executes until its path is over, and the next in the order of their numbers that has a path to go on with follows it.

use std::collections::BTreeSet;

use crate::{Streams, costs};

/// The stream of instructions, where there is one for all.
pub(super) struct Stream {
    kind: Streams,
    owner: Option<usize>,
    waiting: BTreeSet<usize>,
}

impl Stream {
    pub fn new(kind: Streams) -> Self {
        Self { kind, owner: None, waiting: BTreeSet::new() }
    }

    /// A CPU wants to go on with a path: itself, if it may. Else it waits.
    pub fn take(&mut self, cpu: usize) -> Option<usize> {
        if self.kind == Streams::Each {
            return Some(cpu);
        }
        let owner = *self.owner.get_or_insert(cpu);
        if owner != cpu {
            self.waiting.insert(cpu);
        }
        (owner == cpu).then_some(cpu)
    }

    /// Its path is over: who goes on.
    pub fn leave(&mut self, cpu: usize) -> Option<usize> {
        let next = self.waiting.range(cpu..).next().or(self.waiting.first()).copied();
        self.owner = next;
        next.inspect(|next| {
            self.waiting.remove(next);
        })
    }

    /// How long an interrupt flies from CPU to CPU.
    pub fn flight(&self) -> u64 {
        match self.kind {
            Streams::Each => costs::FLIGHT,
            Streams::One => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_one_stream_the_next_in_order_follows() {
        let mut stream = Stream::new(Streams::One);
        assert_eq!((stream.take(2), stream.take(2)), (Some(2), Some(2)));
        assert_eq!((stream.take(0), stream.take(3), stream.take(1)), (None, None, None));
        assert_eq!(
            (stream.leave(2), stream.leave(3), stream.leave(0)),
            (Some(3), Some(0), Some(1))
        );
        assert_eq!((stream.take(2), stream.leave(1), stream.leave(2)), (None, Some(2), None));
        assert_eq!(stream.take(7), Some(7));
    }

    #[test]
    fn else_nobody_waits() {
        let mut stream = Stream::new(Streams::Each);
        assert_eq!((stream.take(2), stream.take(0)), (Some(2), Some(0)));
        assert_eq!(stream.leave(2), None);
    }
}
