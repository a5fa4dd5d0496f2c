//! The entries against a kernel that writes down what it is asked: forms, refusals, and whatever words come.

use abi::{
    ANSWERED, ASYNCHRONOUS, Answer, AtExit, Error, FLAG_NO_WAIT, FLAG_REGISTERS, Failure, Handle,
    Head, IGNORED, MESSAGES, MUST, Message, Number, Output, Receive, answer, list, request,
};
use dispatch::{Kernel, Later, Origin, Outcome, Pending, Reply, Slot, receive, send, wait};
use proptest::prelude::*;

/// Writes down each call; its memory is one list at address 0x1000.
struct Model {
    memory: Vec<u64>,
    snapshot: Vec<u64>,
    snapshots: usize,
    second: Option<u64>,
    calls: Vec<String>,
    pending: Pending<u32, Vec<Slot<u32>>>,
    block: bool,
    refuse: Option<Error>,
    denied: Option<Number>,
}

impl Model {
    fn new(memory: &[u64]) -> Self {
        Self {
            memory: memory.to_vec(),
            snapshot: Vec::new(),
            snapshots: 0,
            second: None,
            calls: Vec::new(),
            pending: Pending::new(vec![Slot::EMPTY; 4]),
            block: false,
            refuse: None,
            denied: None,
        }
    }

    fn now<A: Answer>(&mut self, call: String) -> Result<A, Failure> {
        self.calls.push(call);
        match self.refuse {
            Some(error) => Err(Failure::element(error, MUST | 1)),
            None => Ok(A::from_values([71, 72])),
        }
    }

    fn maybe<A: Answer>(&mut self, call: String, later: Later) -> Result<Outcome<A>, Failure> {
        let answer = self.now(call)?;
        if self.block {
            let opened = self.pending.open(later, 0, || 0)?;
            return Ok(Outcome::Later(opened));
        }
        Ok(Outcome::Now(answer))
    }
}

macro_rules! handler {
    (Inline, $Name:ident, $name:ident) => {
        fn $name(&mut self, request: request::$Name) -> Result<answer::$Name, Failure> {
            self.now(format!("{request:?}"))
        }
    };
    (Blocks, $Name:ident, $name:ident) => {
        fn $name(
            &mut self,
            request: request::$Name,
            later: Later,
        ) -> Result<Outcome<answer::$Name>, Failure> {
            self.maybe(format!("{request:?}"), later)
        }
    };
}

macro_rules! model {
    (
        messages { $(
            $number:literal $Name:ident $name:ident $request:tt -> $answer:tt, $Blocking:ident, $AtExit:ident, $doc:literal;
        )* }
        lists { $($lists:tt)* }
    ) => {
        impl Kernel for Model {
            fn snapshot(&mut self, address: u64, words: usize) -> Result<&[u64], Failure> {
                self.snapshots += 1;
                if address != 0x1000 || words > self.memory.len() {
                    return Err(Failure::new(Error::Fault));
                }
                self.snapshot = self.memory[..words].to_vec();
                Ok(&self.snapshot)
            }
            fn second(&mut self, value: u64) {
                self.second = Some(value);
            }
            fn admit(&mut self, number: Number) -> Result<(), Failure> {
                if self.denied == Some(number) { Err(Failure::new(Error::Denied)) } else { Ok(()) }
            }
            fn receive(&mut self, request: Receive, later: Later) -> Result<Outcome<[u64; 2]>, Failure> {
                self.calls.push(format!("{request:?}"));
                if self.block {
                    return Ok(Outcome::Later(self.pending.open(later, 0, || 0)?));
                }
                Ok(Outcome::Now([71, 72]))
            }
            fn wait(&mut self, seen: u64, deadline: u64) -> Result<u64, Failure> {
                Ok(seen + deadline)
            }
            $( handler!($Blocking, $Name, $name); )*
        }

        /// What the handler must have been called with, straight from the decoder.
        fn decoded(number: u16, words: &[u64]) -> Result<(String, u32), Failure> {
            match number {
                $(
                    $number => request::$Name::decode(words)
                        .map(|decoded| (format!("{:?}", decoded.value), decoded.ignored)),
                )*
                _ => Err(Failure::new(Error::BadNumber)),
            }
        }
    };
}

abi::table!(model);

/// A list that the message accepts: every payload counts up.
fn valid(message: &abi::MessageInfo) -> Vec<u64> {
    let elements: Vec<(u16, u16)> = message
        .request
        .iter()
        .map(|info| {
            (info.id, if info.kind.words() == 0 { 16 } else { 8 * info.kind.words() as u16 })
        })
        .collect();
    let mut words = list::directory::<16>(&elements).to_vec();
    words.truncate(list::directory_words(elements.len()));
    let payload: u64 = elements.iter().map(|(_, bytes)| u64::from(bytes / 8)).sum();
    words.extend(1..=payload);
    words
}

fn registers_of(message: &abi::MessageInfo) -> [u64; 4] {
    let words = valid(message);
    let mut registers = [0; 4];
    let payload = &words[list::directory_words(message.request.len())..];
    registers[..payload.len()].copy_from_slice(payload);
    registers
}

#[test]
fn every_message_reaches_its_handler_in_every_form() {
    for message in MESSAGES {
        let words = valid(message);
        let (expected, _) = decoded(message.number, &words).unwrap();
        let second = (message.answer.len() == 2).then_some(72);
        let value = if message.answer.is_empty() { 0 } else { 71 };

        let mut model = Model::new(&words);
        let head = Head::new(message.number, 0, 8 * words.len() as u32);
        let reply = send(&mut model, head, 5, [0x1000, 0, 0, 0]);
        assert_eq!((reply, model.second), (Reply { status: ANSWERED, value }, second));
        assert_eq!(model.calls, std::slice::from_ref(&expected));
        assert_eq!(model.snapshots, usize::from(!words.is_empty()), "the list is copied once");

        for flags in [FLAG_REGISTERS, FLAG_REGISTERS | FLAG_NO_WAIT] {
            let mut model = Model::new(&[]);
            let head = Head::new(message.number, flags, 0);
            if message.registers {
                let reply = send(&mut model, head, 5, registers_of(message));
                assert_eq!((reply, model.second), (Reply { status: ANSWERED, value }, second));
                assert_eq!(model.calls, std::slice::from_ref(&expected));
            } else {
                let reply = send(&mut model, head, 5, [1; 4]);
                assert_eq!(reply.status, -(Error::BadFlags as i64));
                assert!(model.calls.is_empty());
            }
            assert_eq!(model.snapshots, 0);
        }
    }
}

#[test]
fn only_messages_that_may_block_become_asynchronous() {
    for message in MESSAGES {
        let words = valid(message);
        let mut model = Model::new(&words);
        model.block = true;
        let head = Head::new(message.number, 0, 8 * words.len() as u32);
        let reply = send(&mut model, head, 9, [0x1000, 0, 0, 0]);
        let blocks = message.blocking == abi::Blocking::Blocks;
        assert_eq!(reply.status, if blocks { ASYNCHRONOUS } else { ANSWERED });
        assert_eq!(model.pending.len(), usize::from(blocks));
        if blocks {
            let left = model.pending.depart().unwrap();
            assert_eq!(left.origin, Origin::Message(Number::from_wire(message.number).unwrap()));
            assert_eq!(left.fate, message.at_exit);
        }

        let mut model = Model::new(&words);
        model.block = true;
        let head = Head::new(message.number, FLAG_NO_WAIT, 8 * words.len() as u32);
        let reply = send(&mut model, head, 9, [0x1000, 0, 0, 0]);
        let expected = if blocks { -(Error::WouldBlock as i64) } else { ANSWERED };
        assert_eq!((reply.status, model.pending.len()), (expected, 0));
    }
}

#[test]
fn refusals() {
    let status = |head: Head, registers: [u64; 4]| {
        let mut model = Model::new(&[0; 64]);
        let reply = send(&mut model, head, 0, registers);
        assert!(model.calls.is_empty());
        (reply.status, reply.value)
    };
    let error = |error: Error| (-(error as i64), 0);
    for number in [MESSAGES.len() as u16, 0x7fff, 0xffff] {
        assert_eq!(status(Head::new(number, FLAG_REGISTERS, 0), [0; 4]), error(Error::BadNumber));
    }
    for flags in [4, 0x8000, 0xffff, FLAG_REGISTERS | 4] {
        assert_eq!(status(Head::new(0, flags, 0), [0; 4]), error(Error::BadFlags));
    }
    assert_eq!(status(Head::new(0, FLAG_REGISTERS, 8), [0; 4]), error(Error::BadLength));
    for length in [1, 7, 12, 520, 0x8000_0000, u32::MAX, u32::MAX - 7] {
        assert_eq!(status(Head::new(0, 0, length), [0x1000, 0, 0, 0]), error(Error::BadLength));
    }
    for address in [0x1001, 0x1004, 0x2000, 0xffff_8000_0000_0000, u64::MAX, 0] {
        assert_eq!(status(Head::new(0, 0, 8), [address, 0, 0, 0]), error(Error::Fault));
    }
    let missing = (-(Error::MissingElement as i64), u64::from(MUST | 1));
    assert_eq!(status(Head::new(3, 0, 0), [0; 4]), missing);
    assert_eq!(status(Head::new(3, FLAG_NO_WAIT, 0), [0; 4]), missing);
}

#[test]
fn failure_and_policy_come_back() {
    let mut model = Model::new(&[]);
    model.refuse = Some(Error::BadHandle);
    let close = Head::new(Number::Close as u16, FLAG_REGISTERS, 0);
    let reply = send(&mut model, close, 0, [1, 0, 0, 0]);
    assert_eq!((reply.status, reply.value), (-(Error::BadHandle as i64), 0x8001));

    let mut model = Model::new(&[]);
    model.denied = Some(Number::Close);
    let reply = send(&mut model, close, 0, [1, 0, 0, 0]);
    assert_eq!(reply.status, -(Error::Denied as i64));
    assert!(model.calls.is_empty(), "policy comes before the handler");
}

#[test]
fn an_element_passed_over_is_reported() {
    let mut model = Model::new(&[0x10_0001 << 32 | 1]);
    model.memory = vec![1 | 0x0000_1234 << 32];
    let reply = send(&mut model, Head::new(0, 0, 8), 0, [0x1000, 0, 0, 0]);
    assert_eq!(reply, Reply { status: ANSWERED | IGNORED, value: 0 });
}

#[test]
fn receive_and_wait() {
    let mut model = Model::new(&[]);
    let reply = receive(&mut model, 3, 9, 0x4000, 64);
    assert_eq!((reply, model.second), (Reply { status: ANSWERED, value: 71 }, Some(72)));
    let into = Output { address: 0x4000, length: 64 };
    assert_eq!(model.calls, [format!("{:?}", Receive { port: Handle(3), into })]);
    model.block = true;
    assert_eq!(receive(&mut model, 3, 9, 0x4000, 64).status, ASYNCHRONOUS);
    let left = model.pending.depart().unwrap();
    assert_eq!((left.origin, left.fate), (Origin::Receive, AtExit::Cancel));
    assert_eq!(wait(&mut model, 5, 6), Reply { status: ANSWERED, value: 11 });
}

proptest! {
    /// Any head, any registers, any memory: an answer, a known error, and a handler called only for what decodes.
    #[test]
    fn any_words(
        number in prop_oneof![0u16..32, any::<u16>()],
        flags in prop_oneof![0u16..4, any::<u16>()],
        length in prop_oneof![(0u32..66).prop_map(|words| 8 * words), any::<u32>()],
        cookie in any::<u64>(),
        address in prop_oneof![Just(0x1000u64), any::<u64>()],
        rest in any::<[u64; 3]>(),
        memory in proptest::collection::vec(prop_oneof![any::<u64>(), 0u64..0x10_8003_0000_0004], 64),
        block in any::<bool>(),
    ) {
        let mut model = Model::new(&memory);
        model.block = block;
        let head = Head::new(number, flags, length);
        let reply = send(&mut model, head, cookie, [address, rest[0], rest[1], rest[2]]);
        prop_assert!(model.snapshots <= 1, "one snapshot, no double fetch");
        if reply.status < 0 {
            let code = u32::try_from(-reply.status).unwrap();
            let error = Error::from_code(code).expect("a known error");
            prop_assert!(model.calls.is_empty() || error == Error::WouldBlock);
        } else {
            prop_assert_eq!(model.calls.len(), 1);
            if flags & FLAG_REGISTERS == 0 {
                let (call, ignored) = decoded(number, &memory[..length as usize / 8]).unwrap();
                prop_assert_eq!(&model.calls[0], &call);
                prop_assert_eq!(reply.status & IGNORED != 0, ignored != 0);
            }
        }
    }

    /// A valid list with one bit changed: refused, or understood as it stands.
    #[test]
    fn one_bit(which in any::<prop::sample::Index>(), word in any::<prop::sample::Index>(), bit in 0..64u32) {
        let message = which.get(MESSAGES);
        let mut words = valid(message);
        prop_assume!(!words.is_empty());
        let at = word.index(words.len());
        words[at] ^= 1u64 << bit;
        let mut model = Model::new(&words);
        let head = Head::new(message.number, 0, 8 * words.len() as u32);
        let reply = send(&mut model, head, 0, [0x1000, 0, 0, 0]);
        match decoded(message.number, &words) {
            Ok((call, _)) => prop_assert_eq!(&model.calls, &[call]),
            Err(failure) => {
                prop_assert_eq!((reply.status, reply.value), (failure.status(), failure.detail));
                prop_assert!(model.calls.is_empty());
            }
        }
    }
}
