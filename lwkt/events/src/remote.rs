//! The decisions about callouts carried out: on this CPU, on their home by message, by its timer and its callout thread.
//!
//! Law: a callout is touched on its home only; a message that finds that the home has changed follows it. What goes to another CPU,
//! or is answered, is not touched afterwards.

use lwkt_sched::{MayBlock, Reason, Why};
use percpu::{CpuId, Crit};

use crate::callouts::Finished;
use crate::node::{CalloutRef, Entry, Errand, ErrandRef, Plan, What};
use crate::{Callouts, Events, Key, OwnHandler, Reset};

/// Answers to cancels and drains; those to resets are `Reset`s.
pub(crate) const WAS_PENDING: usize = 1;
pub(crate) const WAS_NOT: usize = 2;
pub(crate) const OWN_HANDLER: usize = 3;

fn pending(was: bool) -> usize {
    if was { WAS_PENDING } else { WAS_NOT }
}

/// Arms a callout of this CPU.
#[inline]
pub(crate) fn reset<X: Events>(crit: &Crit, here: CpuId, callout: CalloutRef, plan: Plan) -> Reset {
    let (reset, moved) = change::<X, _>(crit, |callouts| callouts.reset(here, callout, plan));
    depart::<X>(crit, callout, moved);
    reset
}

/// Has a callout of this CPU not fire.
#[inline]
pub(crate) fn cancel<X: Events>(crit: &Crit, callout: CalloutRef) -> bool {
    change::<X, _>(crit, |callouts| callouts.cancel(callout))
}

/// Asks a callout's home, and waits for the answer.
pub(crate) fn ask<X: Events>(
    crit: &Crit,
    cx: &mut MayBlock,
    callout: CalloutRef,
    what: What,
    why: Why,
) -> usize {
    let errand = Errand::new(what, X::current(crit));
    errand_here::<X>(crit, callout.into_word(), errand.word(), 0);
    errand.answer.wait::<X>(crit, cx, why)
}

/// An errand has come to where the callout's home was, or starts here.
#[allow(unsafe_code)]
fn errand_here<X: Events>(crit: &Crit, callout: usize, errand: usize, _: usize) {
    let words = [callout, errand, 0];
    // SAFETY: `ask` made the word, and waits.
    let callout = unsafe { CalloutRef::from_word(callout) };
    // SAFETY: as above; it is answered below, or when the callout is finished with.
    let errand = unsafe { ErrandRef::from_word(errand) };
    let here = X::here(crit);
    let home = callout.claim(here);
    if home != here {
        return X::call(crit, home, errand_here::<X>, words);
    }
    let answer = match errand.what {
        What::Reset(plan) => reset::<X>(crit, here, callout, plan) as usize,
        What::Cancel => pending(cancel::<X>(crit, callout)),
        What::Drain => {
            match change::<X, _>(crit, |own| own.drain(callout, errand, X::drains_early)) {
                None => return,
                Some(Ok(was)) => pending(was),
                Some(Err(OwnHandler)) => OWN_HANDLER,
            }
        }
    };
    errand.answer.give::<X>(crit, answer);
}

/// Sends a callout after its home (edges 12, 13).
#[inline]
fn depart<X: Events>(crit: &Crit, callout: CalloutRef, to: Option<CpuId>) {
    if let Some(to) = to {
        X::call(crit, to, arrive::<X>, [callout.into_word(), 0, 0]);
    }
}

/// A callout has come (edge 16).
#[allow(unsafe_code)]
fn arrive<X: Events>(crit: &Crit, callout: usize, _: usize, _: usize) {
    // SAFETY: `depart` made the word; the callout is `Moving`, so no drain has ended since.
    finish::<X>(crit, unsafe { CalloutRef::from_word(callout) });
}

/// A handler has returned, or a callout has come.
fn finish<X: Events>(crit: &Crit, callout: CalloutRef) {
    let here = X::here(crit);
    assert!(callout.home() == Some(here), "a handler stays on its CPU");
    let Finished { moved, drains } =
        change::<X, _>(crit, |callouts| callouts.finish(here, callout));
    depart::<X>(crit, callout, moved);
    // From the first answer on the callout may be no more.
    let mut drains = drains;
    while let Some(errand) = drains {
        drains = errand.next.get();
        errand.answer.give::<X>(crit, pending(errand.was_pending.get()));
    }
}

/// Changes what this CPU has armed, and tells its timer what is new for it.
#[inline]
fn change<X: Events, R>(crit: &Crit, f: impl FnOnce(&mut Callouts) -> R) -> R {
    let (result, news) = X::callouts(crit, Key(()), |callouts| {
        let result = f(callouts);
        (result, callouts.news())
    });
    if let Some(deadline) = news {
        X::set_deadline(crit, deadline);
    }
    result
}

/// Runs what is due on this CPU: short handlers at once, in order; threaded ones by the callout thread. To be called by its timer.
///
/// What a handler arms for at once is due at the next interrupt: this ends.
pub fn fire<X: Events>(crit: &Crit) {
    let now = X::now();
    let turn = X::callouts(crit, Key(()), Callouts::begin_to_fire);
    while let Some(callout) = X::callouts(crit, Key(()), |callouts| callouts.expire(now, turn)) {
        if let Entry::Short(run) = callout.entry {
            probe::fired(callout.name());
            run(crit, callout);
            finish::<X>(crit, callout);
        }
    }
    match change::<X, _>(crit, |callouts| callouts.idle_thread()) {
        None => {}
        Some(Some(thread)) => X::wake(crit, thread),
        Some(None) => X::start_thread(crit),
    }
}

/// Waits for the next threaded callout of this CPU that is due, and runs it: the whole life of a CPU's callout thread, of which there
/// is one.
pub fn serve_one<X: Events>(cx: &mut MayBlock) {
    let callout = X::crit(|crit| {
        let me = X::current(crit);
        loop {
            if let Some(callout) = X::callouts(crit, Key(()), |callouts| callouts.take_due(me)) {
                break callout;
            }
            let address =
                X::callouts(crit, Key(()), |callouts| core::ptr::from_ref(callouts).addr());
            X::block(crit, cx, Why { reason: Reason::Callouts, address });
        }
    });
    if let Entry::Threaded(run) = callout.entry {
        probe::fired(callout.name());
        run(cx, callout);
    }
    X::crit(|crit| finish::<X>(crit, callout));
}
