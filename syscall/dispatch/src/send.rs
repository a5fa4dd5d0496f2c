//! The three entries. The short way is the register form: a bounds check of the number, a jump through the table, one
//! comparison of everything else in the head, the handler. All that is not usual is out of line, so that the short
//! way keeps its arguments where the entry put them and needs no stack.

use abi::{
    ANSWERED, ASYNCHRONOUS, Answer, AtExit, Decoded, Error, FLAG_REGISTERS, FLAGS, Failure, Handle,
    Head, IGNORED, Message, Number, Output, Receive, list, request,
};

use crate::{Kernel, Later, Origin, Outcome, Reply};

/// What stands in the table for each number: takes the kernel, head, cookie, and the four request registers.
type Way<K> = fn(K, Head, u64, u64, u64, u64, u64) -> Reply;

/// Calls the handler, after policy, and packs what it answers.
macro_rules! call {
    (Inline, $AtExit:ident, $kernel:ident, $head:ident, $cookie:ident, $decoded:ident, $Name:ident, $name:ident) => {{
        let _ = $cookie;
        $kernel.$name($decoded.value).map(Outcome::Now)
    }};
    (Blocks, $AtExit:ident, $kernel:ident, $head:ident, $cookie:ident, $decoded:ident, $Name:ident, $name:ident) => {{
        let origin = Origin::Message(Number::$Name);
        let later = Later::new(origin, $cookie, AtExit::$AtExit, $head.flags());
        $kernel.$name($decoded.value, later)
    }};
}

macro_rules! sends {
    (
        messages { $(
            $number:literal $Name:ident $name:ident $request:tt -> $answer:tt, $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $($lists:tt)* }
    ) => {
        /// The short way of each message.
        mod short {
            use super::*;
            $(
                pub(super) fn $name<K: Kernel>(mut kernel: K, head: Head, cookie: u64, a: u64, b: u64, c: u64, d: u64) -> Reply {
                    let empty = const { <request::$Name as Message>::INFO.request.is_empty() };
                    if head.form() != FLAG_REGISTERS as u64 && !(empty && head.form() == 0) {
                        return long::$name(kernel, head, cookie, a, b, c, d);
                    }
                    match <request::$Name as Message>::from_registers([a, b, c, d]) {
                        Ok(value) => handle::$name(&mut kernel, head, cookie, Decoded { value, ignored: 0 }),
                        Err(failure) => failure.into(),
                    }
                }
            )*
        }

        /// The same for the other forms: lists with elements, more flags.
        mod long {
            use super::*;
            $(
                #[inline(never)]
                pub(super) fn $name<K: Kernel>(mut kernel: K, head: Head, cookie: u64, a: u64, b: u64, c: u64, d: u64) -> Reply {
                    match decode::<K, request::$Name>(&mut kernel, head, [a, b, c, d]) {
                        Ok(decoded) => handle::$name(&mut kernel, head, cookie, decoded),
                        Err(failure) => failure.into(),
                    }
                }
            )*
        }

        /// From the decoded request to the answer.
        mod handle {
            use super::*;
            $(
                #[inline(always)]
                pub(super) fn $name<K: Kernel>(kernel: &mut K, head: Head, cookie: u64, decoded: Decoded<request::$Name>) -> Reply {
                    let _ = head;
                    if let Err(failure) = kernel.admit(Number::$Name) {
                        return failure.into();
                    }
                    let outcome = call!($Blocking, $AtExit, kernel, head, cookie, decoded, $Name, $name);
                    pack(kernel, outcome, decoded.ignored)
                }
            )*
        }

        /// One more than the greatest number.
        const NUMBERS: usize = {
            let mut most = 0;
            $( if $number >= most { most = $number + 1; } )*
            most
        };

        /// The ways by number; a number that was given up leads to a refusal.
        struct Table<K>(core::marker::PhantomData<K>);

        impl<K: Kernel> Table<K> {
            const WAYS: [Way<K>; NUMBERS] = {
                let mut ways: [Way<K>; NUMBERS] = [refuse; NUMBERS];
                $( ways[$number] = short::$name; )*
                ways
            };
        }
    };
}

abi::table!(sends);

/// The way of a number that stands for nothing.
#[cold]
fn refuse<K>(_: K, _: Head, _: u64, _: u64, _: u64, _: u64, _: u64) -> Reply {
    Failure::new(Error::BadNumber).into()
}

/// The send entry: `registers` are rdx, r10, r8, r9.
#[inline(always)]
pub fn send<K: Kernel>(kernel: K, head: Head, cookie: u64, registers: [u64; 4]) -> Reply {
    let [a, b, c, d] = registers;
    match Table::<K>::WAYS.get(usize::from(head.number())) {
        Some(way) => way(kernel, head, cookie, a, b, c, d),
        None => refuse(kernel, head, cookie, a, b, c, d),
    }
}

/// Decodes a request in whichever form it came.
#[inline]
fn decode<K: Kernel, M: Message>(
    kernel: &mut K,
    head: Head,
    registers: [u64; 4],
) -> Result<Decoded<M>, Failure> {
    let words = list_words(head)?;
    if head.flags() & FLAG_REGISTERS != 0 {
        return M::from_registers(registers).map(|value| Decoded { value, ignored: 0 });
    }
    if words == 0 {
        return M::decode(&[]);
    }
    if !registers[0].is_multiple_of(8) {
        return Err(Failure::new(Error::Fault));
    }
    M::decode(kernel.snapshot(registers[0], words)?)
}

/// Checks flags and length of a head and returns the length of its list in words.
#[inline]
fn list_words(head: Head) -> Result<usize, Failure> {
    let length = head.length() as usize;
    if head.flags() & !FLAGS != 0 {
        return Err(Failure::new(Error::BadFlags));
    }
    let longest = if head.flags() & FLAG_REGISTERS != 0 { 0 } else { list::MAX_LENGTH };
    if length > longest || !length.is_multiple_of(8) {
        return Err(Failure::new(Error::BadLength));
    }
    Ok(length / 8)
}

/// Turns a handler's outcome into the answer registers.
#[inline(always)]
fn pack<K: Kernel, A: Answer>(
    kernel: &mut K,
    outcome: Result<Outcome<A>, Failure>,
    ignored: u32,
) -> Reply {
    let note = if ignored == 0 { 0 } else { IGNORED };
    match outcome {
        Ok(Outcome::Now(answer)) => {
            let [value, value2] = answer.to_values();
            if A::SCALARS == 2 {
                kernel.second(value2);
            }
            Reply { status: ANSWERED | note, value }
        }
        Ok(Outcome::Later(_)) => Reply { status: ASYNCHRONOUS | note, value: 0 },
        Err(failure) => failure.into(),
    }
}

/// The receive entry: port, cookie, buffer, its length.
#[inline]
pub fn receive<K: Kernel>(
    mut kernel: K,
    port: u64,
    cookie: u64,
    buffer: u64,
    length: u64,
) -> Reply {
    let into = Output { address: buffer, length };
    let request = Receive { port: Handle(port), into };
    let later = Later::new(Origin::Receive, cookie, AtExit::Cancel, 0);
    match kernel.receive(request, later) {
        Ok(Outcome::Now([value, value2])) => {
            kernel.second(value2);
            Reply { status: ANSWERED, value }
        }
        Ok(Outcome::Later(_)) => Reply { status: ASYNCHRONOUS, value: 0 },
        Err(failure) => failure.into(),
    }
}

/// The wait entry: completions seen, deadline.
#[inline]
pub fn wait<K: Kernel>(mut kernel: K, seen: u64, deadline: u64) -> Reply {
    match kernel.wait(seen, deadline) {
        Ok(value) => Reply { status: ANSWERED, value },
        Err(failure) => failure.into(),
    }
}
