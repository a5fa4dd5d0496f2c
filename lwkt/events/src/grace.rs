//! When memory that other CPUs may look at is nobody's again: after a time of grace, in which each of them is seen outside of its sections.
//!
//! What `exis_hold` and `exis_drop` are in DragonFly BSD, with no clock and no count that all CPUs watch: who takes something back asks
//! the CPUs that have looked at it, one after the other. Readers pay two counts of their own CPU, and a locked instruction and a fence
//! each time they look for the first time since something was taken away.

use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::NonNull;

use lwkt_sched::{Exec, MayBlock, Reason, Why};
use percpu::sync::{AtomicPtr, Ordering, fence};
use percpu::{AtomicCpuSet, CpuId, Crit, maybe_const};

use crate::Key;
use crate::answer::Answer;

/// The kernel under published values. One type without values implements it; others do in tests.
///
/// # Safety
/// Implementations keep what the function says.
#[allow(unsafe_code)]
pub unsafe trait Grace: Exec {
    /// Lends the sections of this CPU: always the same ones, and no other CPU's. `f` lends nothing again.
    fn sections<R>(crit: &Crit, key: Key, f: impl FnOnce(&mut Sections) -> R) -> R;

    /// Whether this errand, which would wait for the end of a section, is to go on: a bug on purpose, for tests that must see it.
    #[inline(always)]
    fn goes_early() -> bool {
        false
    }
}

/// The sections of a CPU in which something published is looked at, and who waits for their end.
#[derive(Debug, Default)]
pub struct Sections {
    /// How many it is in: those of messages that it serves, while it waits for room in one, count too.
    depth: usize,
    first: Option<ErrandRef>,
}

impl Sections {
    /// None.
    pub const fn new() -> Self {
        Self { depth: 0, first: None }
    }

    /// One ends: who waited for that, if it was the outermost.
    #[inline(always)]
    fn leave(&mut self) -> Option<ErrandRef> {
        self.depth -= 1;
        if self.depth == 0 { self.first.take() } else { None }
    }

    /// Has `errand` wait for the end of the outermost section. False if there is none.
    fn wait<X: Grace>(&mut self, errand: ErrandRef) -> bool {
        let waits = self.depth > 0 && !X::goes_early();
        if waits {
            errand.next.set(self.first.replace(errand));
        }
        waits
    }
}

/// A value that any CPU finds, and that may be taken away: then it comes back to who takes it, when no CPU can be at it any more.
///
/// | step | who reads, in one section of CPU C | who takes it, on CPU W | C, when the errand comes |
/// |---|---|---|---|
/// | 1 | not in the set: adds C, full fence | takes the pointer away; full fence | in a section, whose wait serves this: keeps the errand until that ends |
/// | 2 | counts the section; reads the pointer | sends an errand to the first CPU of the set | takes C out of the set |
/// | 3 | uses the value; the section ends | | sends the errand to the next CPU of the set; after the last: an answer |
/// | 4 | | has the value to itself | |
///
/// Forbidden: that W is at step 4 while C is at step 3. Either W's fence comes before C's: then C reads that there is nothing, or the next. Or W
/// reads C in the set, and the errand comes to C between two sections. A section does not block, but may wait, for room in a ring
/// say, and serve messages meanwhile: hence the count. Taking C out is as it is in [`WaitQueue`](crate::WaitQueue): its next reader adds
/// it anew, so a value that is read seldom is taken back at the cost of as many messages as CPUs have read it. Checked by the models
/// `reading_against_reclaiming` and `reading_while_it_serves`.
pub struct Published<X: Grace, T: 'static> {
    value: AtomicPtr<T>,
    readers: AtomicCpuSet,
    kernel: PhantomData<fn() -> X>,
}

// SAFETY: many CPUs look at the value at once, and another one than has published it takes it back.
#[allow(unsafe_code)]
unsafe impl<X: Grace, T: Send + Sync> Sync for Published<X, T> {}
// SAFETY: as above: whoever has this has the value.
#[allow(unsafe_code)]
unsafe impl<X: Grace, T: Send + Sync> Send for Published<X, T> {}

impl<X: Grace, T> Published<X, T> {
    maybe_const! {
        /// Nothing is there.
        pub fn new() -> Self {
            Self {
                value: AtomicPtr::new(core::ptr::null_mut()),
                readers: AtomicCpuSet::new(),
                kernel: PhantomData,
            }
        }
    }

    /// From now on `value` is found here.
    ///
    /// # Errors
    /// Something is: it comes back.
    pub fn publish(&self, value: &'static mut T) -> Result<(), &'static mut T> {
        let value = core::ptr::from_mut(value);
        let null = core::ptr::null_mut();
        // Pairs with: `read_in`, acquire: the value as it was made.
        match self.value.compare_exchange(null, value, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            // SAFETY: it was a `&'static mut`, and went nowhere.
            #[allow(unsafe_code)]
            Err(_) => Err(unsafe { &mut *value }),
        }
    }

    /// Takes away what is there: nobody finds it from now on.
    pub fn take(&self) -> Option<Taken<'_, X, T>> {
        // Acquire: the value as who published it made it.
        let value = self.value.swap(core::ptr::null_mut(), Ordering::AcqRel);
        NonNull::new(value).map(|value| Taken { from: self, value })
    }

    /// Looks at what is there. Neither blocks nor is interrupted by other threads: the thread's proof that it may is lent to this.
    #[inline]
    pub fn read<R>(&self, _: &mut MayBlock, f: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: what would block wants the proof.
        #[allow(unsafe_code)]
        X::crit(|crit| unsafe { self.read_in(crit, f) })
    }

    /// As [`read`](Self::read), in a critical section.
    ///
    /// # Safety
    /// `f` does not block.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub unsafe fn read_in<R>(&self, crit: &Crit, f: impl FnOnce(Option<&T>) -> R) -> R {
        let here = X::here(crit);
        if !self.readers.contains(here) {
            self.add(here);
        }
        X::sections(crit, Key(()), |own| own.depth += 1);
        // Pairs with: `publish`, release.
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: null, or published; who takes it back waits for the end of this section.
        let result = f(unsafe { value.as_ref() });
        if let Some(errand) = X::sections(crit, Key(()), Sections::leave) {
            go_on_all::<X>(crit, errand);
        }
        result
    }

    /// Step 1 of who reads.
    #[cold]
    fn add(&self, here: CpuId) {
        self.readers.insert(here);
        // Pairs with: `Taken::reclaim`, the fence.
        fence(Ordering::SeqCst);
    }
}

/// Something that was taken away, at which other CPUs may still look.
#[must_use = "what nobody reclaims is never used again"]
pub struct Taken<'a, X: Grace, T: 'static> {
    from: &'a Published<X, T>,
    value: NonNull<T>,
}

impl<X: Grace, T> Taken<'_, X, T> {
    /// Waits until nobody can be at it: it is the caller's again.
    pub fn reclaim(mut self, cx: &mut MayBlock) -> &'static mut T {
        X::crit(|crit| {
            // Pairs with: `Published::add`, the fence.
            fence(Ordering::SeqCst);
            let errand = Errand {
                next: Cell::new(None),
                readers: NonNull::from(&self.from.readers),
                origin: X::here(crit),
                answer: Answer::new(X::current(crit)),
            };
            // This thread may block, so its CPU is in no section.
            go_on::<X>(crit, ErrandRef(NonNull::from(&errand)));
            let _ = errand.answer.wait::<X>(crit, cx, Why::on(Reason::Readers, self.from));
        });
        // SAFETY: it was a `&'static mut` when it was published; nobody finds it, and who had found it is done with it.
        #[allow(unsafe_code)]
        unsafe {
            self.value.as_mut()
        }
    }
}

/// On its way from CPU to CPU, in the order of their numbers, beginning after the origin's; on the stack of who waits for its end.
#[derive(Debug)]
struct Errand {
    /// The next that waits on the same CPU.
    next: Cell<Option<ErrandRef>>,
    readers: NonNull<AtomicCpuSet>,
    origin: CpuId,
    answer: Answer,
}

impl Errand {
    fn readers(&self) -> &AtomicCpuSet {
        // SAFETY: what is published outlives who takes it away (`Taken`), who waits.
        #[allow(unsafe_code)]
        unsafe {
            self.readers.as_ref()
        }
    }
}

/// An errand that is not over. On one CPU at a time.
#[derive(Clone, Copy, Debug)]
struct ErrandRef(NonNull<Errand>);

// SAFETY: it is touched where it is, and goes on by message.
#[allow(unsafe_code)]
unsafe impl Send for ErrandRef {}

impl core::ops::Deref for ErrandRef {
    type Target = Errand;

    #[inline]
    fn deref(&self) -> &Errand {
        // SAFETY: `reclaim` waits for its answer, which `go_on` gives last of all.
        #[allow(unsafe_code)]
        unsafe {
            self.0.as_ref()
        }
    }
}

/// The errand has come to this CPU.
#[allow(unsafe_code)]
fn visit<X: Grace>(crit: &Crit, word: usize, _: usize, _: usize) {
    // SAFETY: `go_on` made the word, of an errand.
    let errand =
        ErrandRef(unsafe { NonNull::new_unchecked(core::ptr::with_exposed_provenance_mut(word)) });
    if !X::sections(crit, Key(()), |own| own.wait::<X>(errand)) {
        leave::<X>(crit, errand);
    }
}

/// The outermost section of this CPU is over.
#[cold]
fn go_on_all<X: Grace>(crit: &Crit, first: ErrandRef) {
    let mut next = Some(first);
    while let Some(errand) = next {
        // Before it goes on: from then on it may be no more.
        next = errand.next.take();
        leave::<X>(crit, errand);
    }
}

/// This CPU is in no section.
fn leave<X: Grace>(crit: &Crit, errand: ErrandRef) {
    errand.readers().remove(X::here(crit));
    go_on::<X>(crit, errand);
}

/// On to the next.
fn go_on<X: Grace>(crit: &Crit, errand: ErrandRef) {
    match errand.readers().next_on_round(errand.origin, X::here(crit)) {
        Some(next) => {
            X::call(crit, next, visit::<X>, [errand.0.as_ptr().expose_provenance(), 0, 0])
        }
        None => errand.answer.give::<X>(crit, 1),
    }
}
