//! Tokens for things that have none of their own, found by address.
//!
//! Two things may share a token by chance. That does no harm to who takes it alone, as a token may be taken once more by who
//! holds it; but shared for one thing and then alone for the other would be a mistake that nobody made. So a token of a pool
//! is never shared.

use crate::token::TokenGuard;
use crate::{Exec, Outer, Token};

/// `N` tokens, a power of two.
pub struct Pool<X: Exec, const N: usize> {
    tokens: [Token<X>; N],
}

impl<X: Exec, const N: usize> Pool<X, N> {
    /// Tokens that nobody holds.
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two()) }
        Self { tokens: [const { Token::new(()) }; N] }
    }

    /// Takes the token of `thing` for this thread alone; see [`Token::lock`].
    ///
    /// # Panics
    /// If the thread holds 32 tokens.
    #[inline]
    #[track_caller]
    pub fn lock<'a, C: Outer + ?Sized, T: ?Sized>(
        &'static self,
        thing: &T,
        outer: &'a mut C,
    ) -> TokenGuard<'a, X, (), C> {
        self.tokens[Self::index(core::ptr::from_ref(thing).cast::<()>().addr())].lock(outer)
    }

    /// Neighbours get different tokens: a thing is rarely smaller than 16 bytes.
    fn index(address: usize) -> usize {
        (address >> 4 ^ address >> 12) & (N - 1)
    }
}

impl<X: Exec, const N: usize> Default for Pool<X, N> {
    fn default() -> Self {
        Self::new()
    }
}
