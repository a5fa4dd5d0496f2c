//! Real switches on the host, with the same stubs as in ring 3.

mod host;
mod threads;
