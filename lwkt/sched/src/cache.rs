//! What a CPU keeps for the next thread: last in, first out, so that what is taken is warm.

/// Up to `N` things of one CPU: stacks, or threads with their stacks.
pub struct ThreadCache<T, const N: usize = 32> {
    places: [Option<T>; N],
    count: usize,
}

impl<T, const N: usize> ThreadCache<T, N> {
    /// An empty cache.
    pub const fn new() -> Self {
        Self { places: [const { None }; N], count: 0 }
    }

    /// The thing that was put last, if there is one.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        let last = self.count.checked_sub(1)?;
        self.count = last;
        self.places[last].take()
    }

    /// Keeps `thing`.
    ///
    /// # Errors
    /// The cache is full: `thing` comes back.
    #[inline]
    pub fn put(&mut self, thing: T) -> Result<(), T> {
        match self.places.get_mut(self.count) {
            Some(place) => {
                *place = Some(thing);
                self.count += 1;
                Ok(())
            }
            None => Err(thing),
        }
    }

    /// How many are kept.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether none is kept.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<T, const N: usize> Default for ThreadCache<T, N> {
    fn default() -> Self {
        Self::new()
    }
}
