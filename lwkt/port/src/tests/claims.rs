//! What may go to another CPU, and what stays with its thread: claims that hold when this compiles.

use static_assertions::{assert_impl_all, assert_not_impl_any};

use lwkt_events::Published;

use super::{Double, Sim};
use crate::{
    Message, Opened, Owned, PublishedPort, Received, Replied, Replies, ReplyPort, Sent, Server,
    ThreadPort,
};

assert_impl_all!(Owned<Double>: Send);
assert_impl_all!(Received<Double>: Send);
assert_impl_all!(Replied<Double>: Send);
assert_impl_all!(ThreadPort<Double>: Send, Sync);
assert_impl_all!(ReplyPort<Double>: Send, Sync);
assert_impl_all!(PublishedPort<Double>: Send, Sync);
assert_impl_all!(Published<Sim, usize>: Send, Sync);

assert_not_impl_any!(Message<Double>: Send, Sync);
assert_not_impl_any!(Owned<Double>: Sync, Clone);
assert_not_impl_any!(Received<Double>: Sync, Clone);
assert_not_impl_any!(Replied<Double>: Sync, Clone);
assert_not_impl_any!(Sent<Double>: Send, Sync, Clone);
assert_not_impl_any!(Server<Double>: Send, Sync, Clone);
assert_not_impl_any!(Opened<Double>: Send, Sync, Clone);
// What is published is looked at on all CPUs, and taken away on another than it came from.
assert_not_impl_any!(Published<Sim, Server<Double>>: Send, Sync);
assert_not_impl_any!(Published<Sim, core::cell::Cell<usize>>: Send, Sync);
assert_not_impl_any!(Replies<Double>: Send, Sync, Clone);
