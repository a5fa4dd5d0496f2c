//! Three bugs of DragonFly BSD's message queues, put back by features: the tests that carry their years must then fail.
//!
//! 2005: an index in a local over the calls of a drain, and calls that drain. 2011: a queue filled passively, and nobody told.
//! 2016: the mark that stands for "it will look" cleared inside the loop that looks, and calls that drain without bound. Not
//! for any kernel: `./x test cures` is all that they are for.

/// A drain copies what is in a ring and trusts the copy until its end, whatever its calls did to the ring.
pub(crate) const KEEPS_INDEX: bool = cfg!(feature = "uncured-2005");

/// Passive sends never ring, however full the ring.
pub(crate) const STAYS_SILENT: bool = cfg!(feature = "uncured-2011");

/// The end of a look forgets marks that came in meanwhile.
pub(crate) const CLEARS_MARKS: bool = cfg!(feature = "uncured-2016");

/// A call that meets a full ring waits, and drains meanwhile.
pub(crate) const WAITS_IN_CALLS: bool = cfg!(feature = "uncured-2016");

/// A drain inside a call is not refused.
pub(crate) const NESTS: bool = KEEPS_INDEX || WAITS_IN_CALLS;
