//! What the modelled kernel of `lwkt-sched` keeps for this crate, for the models here and above.

use core::cell::RefCell;

use lwkt_sched::model::Model;
use percpu::Crit;

use crate::{Grace, Key, Sections};

loom::thread_local! {
    static SECTIONS: RefCell<Sections> = RefCell::new(Sections::new());
}

// SAFETY: each loom thread plays one CPU.
#[allow(unsafe_code)]
unsafe impl<const BUG: bool> Grace for Model<BUG> {
    fn sections<R>(_: &Crit, _: Key, f: impl FnOnce(&mut Sections) -> R) -> R {
        SECTIONS.with(|own| f(&mut own.borrow_mut()))
    }

    fn goes_early() -> bool {
        BUG
    }
}
