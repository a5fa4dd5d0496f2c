//! What is sent.

use percpu::Crit;

/// A function that another CPU is to execute, with the three words that were sent along: in registers.
///
/// It runs inside that CPU's critical section, cannot wait, and may itself send to a few CPUs
/// ([back pressure](crate::Fabric#back-pressure)).
pub type CallFn = fn(&Crit, usize, usize, usize);

/// A message: a function and three words for it. Words that are addresses move what they point to.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What to execute.
    pub func: CallFn,
    /// What to hand it.
    pub args: [usize; 3],
}

static_assertions::assert_impl_all!(Call: Send);

impl Call {
    /// Makes a call.
    #[inline(always)]
    pub const fn new(func: CallFn, args: [usize; 3]) -> Call {
        Call { func, args }
    }

    /// Executes it here.
    #[inline(always)]
    pub fn run(self, crit: &Crit) {
        let [a, b, c] = self.args;
        (self.func)(crit, a, b, c);
    }
}

/// There was no room: the call comes back.
#[derive(Clone, Copy, Debug)]
pub struct Full(pub Call);
