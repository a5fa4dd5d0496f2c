//! Reply-only ports: where the replies to what a thread has sent queue up.

use core::fmt;
use core::marker::PhantomData;

use lwkt_sched::MayBlock;

use crate::handles::Replied;
use crate::mailbox::Mailbox;
use crate::raw::NotSend;
use crate::{Body, Exec};

/// A port for replies only: nothing can be sent to it, and its messages are the owner's.
///
/// ```compile_fail
/// # use lwkt_port::*;
/// fn request<B: Body>(port: &'static ReplyPort<B>, message: Owned<B>) {
///     let sent = port.send(message);
/// }
/// ```
pub struct ReplyPort<B: Body> {
    mailbox: Mailbox<B>,
}

impl<B: Body> ReplyPort<B> {
    percpu::maybe_const! {
        /// A port that belongs to nobody yet.
        pub fn new() -> Self {
            Self { mailbox: Mailbox::new() }
        }
    }

    /// The running thread has its replies here from now on. `None` if a thread does so already.
    pub fn claim(&'static self, _: &mut MayBlock) -> Option<Replies<B>> {
        let claimed = B::Exec::crit(|crit| self.mailbox.claim(crit));
        claimed.then(|| Replies { port: self, outstanding: 0, thread: PhantomData })
    }
}

impl<B: Body> Default for ReplyPort<B> {
    fn default() -> Self {
        Self::new()
    }
}

/// The replies to what a thread has sent with [`Port::send_to`](crate::Port::send_to). It stays with its thread.
///
/// # Panics
/// When it is dropped while replies are outstanding: they would be lost.
pub struct Replies<B: Body> {
    port: &'static ReplyPort<B>,
    pub(crate) outstanding: usize,
    thread: NotSend,
}

impl<B: Body> Replies<B> {
    pub(crate) fn mailbox(&self) -> &'static Mailbox<B> {
        &self.port.mailbox
    }

    /// How many messages are on their way.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The next message that came back, if one did (edge 9).
    pub fn get(&mut self) -> Option<Replied<B>> {
        let message = B::Exec::crit(|crit| self.mailbox().pop(crit))?;
        self.outstanding -= 1;
        Some(Replied::of(message))
    }

    /// The next message that comes back; waits for it (edge 9). `None`: none is on its way.
    pub fn wait_any(&mut self, cx: &mut MayBlock) -> Option<Replied<B>> {
        self.outstanding = self.outstanding.checked_sub(1)?;
        Some(Replied::of(self.mailbox().next(cx)))
    }

    /// The next message that comes back (edge 9); waits for it until `deadline`, in nanoseconds as [`Exec::now`] counts.
    /// `None`: none came in time, or none is on its way.
    pub fn wait_any_until(&mut self, cx: &mut MayBlock, deadline: u64) -> Option<Replied<B>> {
        let left = self.outstanding.checked_sub(1)?;
        let message = self.mailbox().next_until(cx, deadline)?;
        self.outstanding = left;
        Some(Replied::of(message))
    }
}

impl<B: Body> Drop for Replies<B> {
    fn drop(&mut self) {
        assert!(
            self.outstanding == 0,
            "{} replies outstanding at a reply port that is dropped",
            self.outstanding
        );
        B::Exec::crit(|crit| self.mailbox().close(crit));
    }
}

impl<B: Body> fmt::Debug for ReplyPort<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyPort").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for Replies<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}
