//! Locks used as they must not be. A kernel that was built with checks says what is wrong, and where each of the two took the lock.

use crate::thread;
use crate::token::{SpinLock, Token};
use lwkt_sched::{MayBlock, Reason, Why};
use servers::options::Misuse;

static TOKEN: Token = Token::new(());
static LOCK: SpinLock<()> = SpinLock::new(0, ());

/// Does it, and does not come back.
pub(super) fn misuse(cx: &mut MayBlock, how: Misuse) {
    match how {
        Misuse::TokenAfterShare => {
            let mut shared = TOKEN.share(cx);
            let _exclusive = TOKEN.lock(&mut shared);
        }
        Misuse::SpinTwice => {
            let _first = LOCK.lock();
            let _second = LOCK.lock();
        }
        Misuse::SpinOverWait => {
            let held = LOCK.lock();
            thread::block(held.crit(), cx, Why::on(Reason::Event, &LOCK));
        }
    }
}
