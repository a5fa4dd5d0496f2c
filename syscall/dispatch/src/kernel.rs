//! The trait that the kernel fills in: one method per line of the table, and the few things that dispatch needs.

use abi::{Failure, Number, Receive, answer, request};

use crate::{Later, Outcome};

macro_rules! handler {
    (Inline, $doc:literal, $Name:ident, $name:ident) => {
        #[doc = $doc]
        ///
        /// Answers at once.
        fn $name(&mut self, request: request::$Name) -> Result<answer::$Name, Failure>;
    };
    (Blocks, $doc:literal, $Name:ident, $name:ident) => {
        #[doc = $doc]
        ///
        /// May become asynchronous by `later`.
        fn $name(
            &mut self,
            request: request::$Name,
            later: Later,
        ) -> Result<Outcome<answer::$Name>, Failure>;
    };
}

/// The same handler through a reference.
macro_rules! forward {
    (Inline, $Name:ident, $name:ident) => {
        #[inline(always)]
        fn $name(&mut self, request: request::$Name) -> Result<answer::$Name, Failure> {
            (**self).$name(request)
        }
    };
    (Blocks, $Name:ident, $name:ident) => {
        #[inline(always)]
        fn $name(
            &mut self,
            request: request::$Name,
            later: Later,
        ) -> Result<Outcome<answer::$Name>, Failure> {
            (**self).$name(request, later)
        }
    };
}

macro_rules! handlers {
    (
        messages { $(
            $number:literal $Name:ident $name:ident $request:tt -> $answer:tt, $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $($lists:tt)* }
    ) => {
        /// What the entry of a CPU process can reach: a handler per message, and the few things that follow. It is passed by
        /// value, so a type without fields, which finds its CPU by itself, takes no register.
        pub trait Kernel {
            /// Takes one copy of `words` words of ring 3 at `address`, a multiple of 8, into memory of the kernel.
            /// Everything else about the list is decided on this copy. Fails with `Fault`.
            fn snapshot(&mut self, address: u64, words: usize) -> Result<&[u64], Failure>;

            /// Keeps the second scalar of an answer for its register. It is 0 when this is not called.
            fn second(&mut self, value: u64);

            /// Where interposition and policy come in: asked before each handler, with the number as a constant. It is for
            /// processes whose word of rare conditions says so; as it stands here it costs nothing.
            #[inline(always)]
            fn admit(&mut self, _number: Number) -> Result<(), Failure> {
                Ok(())
            }

            /// Takes the next request of a port. Answers a handle to reply to, and the request's length.
            fn receive(&mut self, request: Receive, later: Later) -> Result<Outcome<[u64; 2]>, Failure>;

            /// Returns at once if the count of completions is not `seen` or the wake token is set (and takes it), else
            /// sleeps until one of them, or the deadline in nanoseconds since boot. Answers the count.
            fn wait(&mut self, seen: u64, deadline: u64) -> Result<u64, Failure>;

            $( handler!($Blocking, $doc, $Name, $name); )*
        }

        impl<K: Kernel + ?Sized> Kernel for &mut K {
            #[inline(always)]
            fn snapshot(&mut self, address: u64, words: usize) -> Result<&[u64], Failure> {
                (**self).snapshot(address, words)
            }
            #[inline(always)]
            fn second(&mut self, value: u64) {
                (**self).second(value);
            }
            #[inline(always)]
            fn admit(&mut self, number: Number) -> Result<(), Failure> {
                (**self).admit(number)
            }
            #[inline(always)]
            fn receive(&mut self, request: Receive, later: Later) -> Result<Outcome<[u64; 2]>, Failure> {
                (**self).receive(request, later)
            }
            #[inline(always)]
            fn wait(&mut self, seen: u64, deadline: u64) -> Result<u64, Failure> {
                (**self).wait(seen, deadline)
            }
            $( forward!($Blocking, $Name, $name); )*
        }
    };
}

abi::table!(handlers);
