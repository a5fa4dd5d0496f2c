//! Which event answers which: the two ends of an arrow.

use std::collections::HashMap;

use probe::Kind;

/// Something that goes from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// A call in a ring between two CPUs, by its slot.
    Call,
    /// A message on its way to a port.
    Message,
    /// A message on its way back.
    Reply,
    /// A thread on its way to another CPU.
    Thread,
    /// A line of interrupts, from where it is raised to its thread on that CPU.
    Line,
}

impl Way {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
            Self::Reply => "reply",
            Self::Thread => "thread",
            Self::Line => "line",
        }
    }
}

/// One end of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It leaves.
    Tail(Way),
    /// It has come.
    Head(Way),
}

impl End {
    /// What an event is, for arrows: what goes has the same first word at both ends.
    pub const fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::sent => Self::Tail(Way::Call),
            Kind::ran => Self::Head(Way::Call),
            Kind::put => Self::Tail(Way::Message),
            Kind::received => Self::Head(Way::Message),
            Kind::replied | Kind::aborted => Self::Tail(Way::Reply),
            Kind::back => Self::Head(Way::Reply),
            Kind::leaves => Self::Tail(Way::Thread),
            Kind::came => Self::Head(Way::Thread),
            Kind::raised => Self::Tail(Way::Line),
            Kind::handles => Self::Head(Way::Line),
            _ => return None,
        })
    }
}

/// What is under way, with where it left.
#[derive(Debug, Default)]
pub struct Arrows<T>(HashMap<(Way, u64), T>);

impl<T> Arrows<T> {
    /// Something leaves. What left under the same name and has not come never will; but for a line, which is handled once for all
    /// raises since the last time, and waits since the first of them.
    pub fn leaves(&mut self, way: Way, name: u64, from: T) {
        match way {
            Way::Line => {
                self.0.entry((way, name)).or_insert(from);
            }
            _ => {
                self.0.insert((way, name), from);
            }
        }
    }

    /// It has come: where it left, if that was seen.
    pub fn comes(&mut self, way: Way, name: u64) -> Option<T> {
        self.0.remove(&(way, name))
    }
}
