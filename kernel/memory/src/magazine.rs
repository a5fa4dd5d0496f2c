//! A bounded stack of free things: what a CPU keeps at hand so that its common path takes no lock.

/// A LIFO of up to `N` free items, exchanged with a shared store half a magazine at a time.
#[derive(Debug)]
pub struct Magazine<const N: usize> {
    len: usize,
    items: [u64; N],
}

impl<const N: usize> Magazine<N> {
    /// How many items an exchange with the shared store moves: half, so that a CPU that alternates
    /// between allocating and freeing at the edge does not exchange on every step.
    pub const BATCH: usize = N / 2;

    /// An empty magazine.
    pub const fn new() -> Self {
        assert!(N >= 2, "a magazine exchanges half of itself");
        Self { len: 0, items: [0; N] }
    }

    /// Takes the item freed last; it is the most likely to be in the cache.
    #[inline]
    pub fn pop(&mut self) -> Option<u64> {
        let last = self.len.checked_sub(1)?;
        self.len = last;
        self.items.get(last).copied()
    }

    /// Puts an item back, or returns it when the magazine is full: spill a batch first.
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
    pub fn spill(&mut self, mut take: impl FnMut(u64)) {
        let count = self.len.min(Self::BATCH);
        for &item in self.items.iter().take(count) {
            take(item);
        }
        self.items.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Items at hand.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is at hand.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Magazine<N> {
    fn default() -> Self {
        Self::new()
    }
}
