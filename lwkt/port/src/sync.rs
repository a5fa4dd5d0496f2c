//! Sync ports: the handler runs in the caller.

use crate::{Body, Offered, Outcome, Port};

/// What runs in the caller of a [`SyncPort`], on any CPU.
///
/// It has no `MayBlock` and cannot make one (that is unsafe), so it cannot wait:
///
/// ```compile_fail,E0133
/// # use lwkt_port::*;
/// struct Waits<B: Body> { other: &'static ThreadPort<B> }
/// impl<B: Body<Reply = u64>> Handler<B> for Waits<B> {
///     fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B> {
///         let mut cx = lwkt_sched::MayBlock::assume();
///         let mut server = self.other.claim(&mut cx).unwrap();
///         server.receive(&mut cx).reply(1);
///         message.done(1)
///     }
/// }
/// ```
///
/// nor keep one from elsewhere:
///
/// ```compile_fail
/// # use lwkt_port::*;
/// struct Keeps { cx: lwkt_sched::MayBlock }
/// impl<B: Body<Reply = u64>> Handler<B> for Keeps {
///     fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B> { message.done(1) }
/// }
/// ```
///
/// What would have to wait is kept, and replied to later:
///
/// ```
/// # use lwkt_port::*;
/// struct Defers<B: Body> { worker: &'static ThreadPort<B> }
/// impl<B: Body<Reply = u64>> Handler<B> for Defers<B> {
///     fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B> {
///         let Taken { message, outcome } = message.keep();
///         message.forward(self.worker);
///         outcome
///     }
/// }
/// ```
pub trait Handler<B: Body>: Sync + 'static {
    /// Handles a message: answers it with [`Offered::done`], or keeps it with [`Offered::keep`].
    fn handle<'m>(&self, message: Offered<'m, B>) -> Outcome<'m, B>;
}

/// A port whose handler runs in the caller and usually answers at once: the fast path.
#[derive(Debug)]
pub struct SyncPort<H> {
    handler: H,
}

impl<H> SyncPort<H> {
    /// A port with this handler.
    pub const fn new(handler: H) -> Self {
        Self { handler }
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }
}

impl<B: Body, H: Handler<B>> Port<B> for SyncPort<H> {
    #[inline]
    fn put<'m>(&'static self, message: Offered<'m, B>) -> Outcome<'m, B> {
        self.handler.handle(message)
    }
}
