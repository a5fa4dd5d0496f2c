//! The three entries. The short way is the register form of a message that is answered at once: number, one comparison
//! of everything else in the head, handler. All that is not usual is out of line.

use abi::{
    ANSWERED, ASYNCHRONOUS, Answer, AtExit, Decoded, Error, FLAG_REGISTERS, FLAGS, Failure, Handle,
    Head, IGNORED, Message, Number, Output, Receive, list, request,
};

use crate::{Kernel, Later, Origin, Outcome, Reply};

/// Packs the answer of an inline handler.
macro_rules! call {
    (Inline, $AtExit:ident, $kernel:ident, $head:ident, $cookie:ident, $request:expr, $Name:ident, $name:ident) => {
        $kernel.$name($request).map(Outcome::Now)
    };
    (Blocks, $AtExit:ident, $kernel:ident, $head:ident, $cookie:ident, $request:expr, $Name:ident, $name:ident) => {{
        let later = Later::new(
            Origin::Message(Number::$Name),
            $cookie,
            AtExit::$AtExit,
            $head.flags(),
        );
        $kernel.$name($request, later)
    }};
}

macro_rules! sends {
    (
        messages { $(
            $number:literal $Name:ident $name:ident $request:tt -> $answer:tt, $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $($lists:tt)* }
    ) => {
        /// The send entry: `registers` are rdx, r10, r8, r9.
        #[inline(always)]
        pub fn send<K: Kernel>(kernel: &mut K, head: Head, cookie: u64, registers: [u64; 4]) -> Reply {
            match head.number() {
                $(
                    $number => {
                        let Decoded { value, ignored } = match decode::<K, request::$Name>(kernel, head, registers) {
                            Ok(decoded) => decoded,
                            Err(failure) => return failure.into(),
                        };
                        if let Err(failure) = kernel.admit(Number::$Name) {
                            return failure.into();
                        }
                        let outcome = call!($Blocking, $AtExit, kernel, head, cookie, value, $Name, $name);
                        pack(kernel, outcome, ignored)
                    }
                )*
                _ => Failure::new(Error::BadNumber).into(),
            }
        }
    };
}

abi::table!(sends);

/// Decodes a request in whichever form it came.
#[inline(always)]
fn decode<K: Kernel, M: Message>(
    kernel: &mut K,
    head: Head,
    registers: [u64; 4],
) -> Result<Decoded<M>, Failure> {
    if head.form() == FLAG_REGISTERS as u64 {
        M::from_registers(registers).map(|value| Decoded { value, ignored: 0 })
    } else if head.form() == 0 {
        M::decode(&[])
    } else {
        decode_other(kernel, head, registers)
    }
}

/// The same for the other forms: lists with elements, flags.
#[inline(never)]
fn decode_other<K: Kernel, M: Message>(
    kernel: &mut K,
    head: Head,
    registers: [u64; 4],
) -> Result<Decoded<M>, Failure> {
    let length = head.length() as usize;
    if head.flags() & !FLAGS != 0 {
        return Err(Failure::new(Error::BadFlags));
    }
    if head.flags() & FLAG_REGISTERS != 0 {
        if length != 0 {
            return Err(Failure::new(Error::BadLength));
        }
        return M::from_registers(registers).map(|value| Decoded { value, ignored: 0 });
    }
    if length > list::MAX_LENGTH || !length.is_multiple_of(8) {
        return Err(Failure::new(Error::BadLength));
    }
    if length == 0 {
        return M::decode(&[]);
    }
    if !registers[0].is_multiple_of(8) {
        return Err(Failure::new(Error::Fault));
    }
    M::decode(kernel.snapshot(registers[0], length / 8)?)
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
            Reply {
                status: ANSWERED | note,
                value,
            }
        }
        Ok(Outcome::Later(_)) => Reply {
            status: ASYNCHRONOUS | note,
            value: 0,
        },
        Err(failure) => failure.into(),
    }
}

/// The receive entry: port, cookie, buffer, its length.
#[inline]
pub fn receive<K: Kernel>(
    kernel: &mut K,
    port: u64,
    cookie: u64,
    buffer: u64,
    length: u64,
) -> Reply {
    let request = Receive {
        port: Handle(port),
        into: Output {
            address: buffer,
            length,
        },
    };
    let later = Later::new(Origin::Receive, cookie, AtExit::Cancel, 0);
    match kernel.receive(request, later) {
        Ok(Outcome::Now([value, value2])) => {
            kernel.second(value2);
            Reply {
                status: ANSWERED,
                value,
            }
        }
        Ok(Outcome::Later(_)) => Reply {
            status: ASYNCHRONOUS,
            value: 0,
        },
        Err(failure) => failure.into(),
    }
}

/// The wait entry: completions seen, deadline.
#[inline]
pub fn wait<K: Kernel>(kernel: &mut K, seen: u64, deadline: u64) -> Reply {
    match kernel.wait(seen, deadline) {
        Ok(value) => Reply {
            status: ANSWERED,
            value,
        },
        Err(failure) => failure.into(),
    }
}
