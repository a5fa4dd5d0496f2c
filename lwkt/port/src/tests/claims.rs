//! What may go to another CPU, and what stays with its thread: claims that hold when this compiles.

use static_assertions::{assert_impl_all, assert_not_impl_any};

use super::Double;
use crate::{Message, Owned, Received, Replied, Replies, ReplyPort, Sent, Server, ThreadPort};

assert_impl_all!(Owned<Double>: Send);
assert_impl_all!(Received<Double>: Send);
assert_impl_all!(Replied<Double>: Send);
assert_impl_all!(ThreadPort<Double>: Send, Sync);
assert_impl_all!(ReplyPort<Double>: Send, Sync);

assert_not_impl_any!(Message<Double>: Send, Sync);
assert_not_impl_any!(Owned<Double>: Sync, Clone);
assert_not_impl_any!(Received<Double>: Sync, Clone);
assert_not_impl_any!(Replied<Double>: Sync, Clone);
assert_not_impl_any!(Sent<Double>: Send, Sync, Clone);
assert_not_impl_any!(Server<Double>: Send, Sync, Clone);
assert_not_impl_any!(Replies<Double>: Send, Sync, Clone);
