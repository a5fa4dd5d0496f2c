//! Tests: each rule by itself, webs of tokens on threads of the host, and the models.

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
mod host;
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
mod locks;
#[cfg(feature = "loom")]
mod loom;
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
mod rules;
#[cfg(feature = "shuttle")]
mod shuttle;
