//! A bounded stack of free things: what a CPU keeps at hand so that its common path takes no lock.

/// A LIFO of up to `N` free items, exchanged with a shared store half a magazine at a time.
///
/// A closed one gives nothing and takes nothing, as if it were empty and full at once: each request then goes to the
/// shared store, where it can be counted and refused, and the common path pays nothing for that.
#[derive(Debug)]
pub struct Magazine<const N: usize> {
    len: usize,
    items: [u64; N],
}

impl<const N: usize> Magazine<N> {
    /// How many items an exchange with the shared store moves: half, so that a CPU that alternates
    /// between allocating and freeing at the edge does not exchange on every step.
    pub const BATCH: usize = N / 2;
    /// The length of a closed one: no item is below it, no place is at it.
    const CLOSED: usize = N + 1;

    /// An empty magazine.
    pub const fn new() -> Self {
        assert!(N >= 2, "a magazine exchanges half of itself");
        Self { len: 0, items: [0; N] }
    }

    /// Takes the item freed last; it is the most likely to be in the cache.
    #[inline]
    pub fn pop(&mut self) -> Option<u64> {
        let last = self.len.checked_sub(1)?;
        let item = *self.items.get(last)?;
        self.len = last;
        Some(item)
    }

    /// Puts an item back, or returns it when the magazine is full (spill a batch first) or closed.
    #[inline]
    pub fn push(&mut self, item: u64) -> Result<(), u64> {
        match self.items.get_mut(self.len) {
            Some(slot) => {
                *slot = item;
                self.len += 1;
                Ok(())
            }
            None => Err(item),
        }
    }

    /// Removes up to a batch of items, the oldest first, and gives each to `take`.
    pub fn spill(&mut self, take: impl FnMut(u64)) {
        self.remove_oldest(self.len().min(Self::BATCH), take);
    }

    /// Gives every item to `take`, and nothing any more from then on, nor takes anything.
    pub fn close(&mut self, take: impl FnMut(u64)) {
        self.remove_oldest(self.len(), take);
        self.len = Self::CLOSED;
    }

    /// Opens a closed one; it is empty.
    pub fn open(&mut self) {
        if self.len == Self::CLOSED {
            self.len = 0;
        }
    }

    /// How many items an exchange brings: none to a closed one.
    pub fn wants(&self) -> usize {
        if self.len == Self::CLOSED { 0 } else { Self::BATCH - self.len.min(Self::BATCH) }
    }

    /// Items at hand.
    pub fn len(&self) -> usize {
        if self.len == Self::CLOSED { 0 } else { self.len }
    }

    /// Whether nothing is at hand.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn remove_oldest(&mut self, count: usize, take: impl FnMut(u64)) {
        self.items.iter().take(count).copied().for_each(take);
        if count > 0 {
            self.items.copy_within(count..self.len, 0);
            self.len -= count;
        }
    }
}

impl<const N: usize> Default for Magazine<N> {
    fn default() -> Self {
        Self::new()
    }
}
