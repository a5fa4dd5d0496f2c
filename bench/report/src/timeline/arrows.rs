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
}

impl Way {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
            Self::Reply => "reply",
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
            Kind::replied => Self::Tail(Way::Reply),
            Kind::back => Self::Head(Way::Reply),
            _ => return None,
        })
    }
}

/// What is under way, with where it left.
#[derive(Debug, Default)]
pub struct Arrows<T>(HashMap<(Way, u64), T>);

impl<T> Arrows<T> {
    /// Something leaves. What left under the same name and has not come never will.
    pub fn leaves(&mut self, way: Way, name: u64, from: T) {
        self.0.insert((way, name), from);
    }

    /// It has come: where it left, if that was seen.
    pub fn comes(&mut self, way: Way, name: u64) -> Option<T> {
        self.0.remove(&(way, name))
    }
}
