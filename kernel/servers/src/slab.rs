//! Numbered things whose numbers are never taken for those of their successors.

use alloc::vec::Vec;

/// Bits of a generation; a place's numbers repeat after so many uses.
pub const GENERATION_BITS: u32 = 20;

/// A place: free ones remember the generation that comes next.
#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// Values under numbers = generation << 32 | index + 1; a number is never zero and is not given twice
/// within 2²⁰ uses of a place.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// Nothing.
    pub const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Keeps a value; `None` without memory.
    pub fn insert(&mut self, value: T) -> Option<u64> {
        if let Some(index) = self.free.pop() {
            let place = self.places.get_mut(index as usize)?;
            place.value = Some(value);
            return Some(number(index, place.generation));
        }
        let index = u32::try_from(self.places.len()).ok()?;
        self.places.try_reserve(1).ok()?;
        self.free.try_reserve(self.places.len() + 1).ok()?;
        self.places.push(Place { generation: 0, value: Some(value) });
        Some(number(index, 0))
    }

    /// The value under a number.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (index, generation) = parts(number)?;
        self.places.get_mut(index).filter(|p| p.generation == generation)?.value.as_mut()
    }

    /// Takes a value out; its number is dead from now on.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let (index, generation) = parts(number)?;
        let place = self.places.get_mut(index).filter(|p| p.generation == generation)?;
        let value = place.value.take()?;
        place.generation = (place.generation + 1) & ((1 << GENERATION_BITS) - 1);
        self.free.push(index as u32);
        Some(value)
    }

    /// Every value.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|p| p.value.as_mut())
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Bytes that each of its tables asked for; they grow and stay.
    pub fn tables(&self) -> [usize; 2] {
        [self.places.capacity() * size_of::<Place<T>>(), self.free.capacity() * size_of::<u32>()]
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn number(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | (u64::from(index) + 1)
}

fn parts(number: u64) -> Option<(usize, u32)> {
    let index = (number as u32).checked_sub(1)?;
    Some((index as usize, (number >> 32) as u32))
}
