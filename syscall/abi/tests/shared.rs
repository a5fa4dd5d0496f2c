//! The shared pages and the register words.

use abi::*;

#[test]
fn head_words() {
    let head = Head::new(8, FLAG_NO_WAIT, 0x1234);
    assert_eq!(head.0, 0x1234_0002_0008);
    assert_eq!((head.number(), head.flags(), head.length()), (8, FLAG_NO_WAIT, 0x1234));
    assert_eq!(head.form(), 0x1234_0002);
}

#[test]
fn errors_by_code() {
    for (index, error) in Error::ALL.iter().enumerate() {
        assert_eq!(*error as usize, index + 1, "codes have no holes");
        assert_eq!(Error::from_code(*error as u32), Some(*error));
        let failure = Failure { error: *error, detail: 77 };
        assert_eq!(Failure::from_status(failure.status(), 77), failure);
    }
    assert_eq!(Failure::from_status(i64::MIN, 0).error, Error::Denied);
}

#[test]
fn numbers() {
    for number in 0..=u16::MAX {
        let line = MESSAGES.iter().find(|message| message.number == number);
        let known = Number::from_wire(number);
        assert_eq!(known.map(|known| known as u16), line.map(|line| line.number));
        if let (Some(known), Some(line)) = (known, line) {
            assert_eq!(known.name(), line.name);
            assert_eq!(known.info().number, number);
        }
    }
}

/// One side publishes, the other reads without a lock: nothing torn, nothing missed, more than once round the ring.
#[test]
fn completions_across_threads() {
    let pages = Box::new(Completions::new());
    let taken = core::sync::atomic::AtomicU64::new(0);
    let total = 8 * COMPLETION_SLOTS as u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..total {
                let full = || number - taken.load(core::sync::atomic::Ordering::Acquire);
                while full() >= COMPLETION_SLOTS as u64 {
                    std::thread::yield_now();
                }
                let (cookie, status) = (number * 3, -(number as i64));
                pages.publish(
                    number,
                    &Completion { cookie, status, value: !number, value2: number ^ 5 },
                );
            }
        });
        for number in 0..total {
            while pages.count() == number {
                std::thread::yield_now();
            }
            let found = pages.get(number);
            assert_eq!((found.cookie, found.status), (number * 3, -(number as i64)));
            assert_eq!((found.value, found.value2), (!number, number ^ 5));
            taken.store(number + 1, core::sync::atomic::Ordering::Release);
        }
    });
}

#[test]
fn clock_without_an_entry() {
    use core::sync::atomic::Ordering::Relaxed;
    let header = Header::default();
    header.clock_tsc.store(1_000, Relaxed);
    header.clock_base.store(500, Relaxed);
    header.clock_scale.store(1 << 31, Relaxed);
    assert_eq!(header.nanoseconds(3_000), 1_500);
    assert_eq!(header.nanoseconds(1_000 + (1 << 60)), 500 + (1 << 59));
}

#[test]
fn fixed_places() {
    assert_eq!(map::carrier(3), 0x7130_0000);
    assert_eq!(map::completions(2), 0x7820_0000);
    assert_eq!(LayerHeader::slot(LayerCall::Start), map::LAYER + 16);
    assert_eq!(Completions::PAGES, 3);
    for (index, call) in LayerCall::ALL.iter().enumerate() {
        assert_eq!(*call as usize, index);
    }
}

/// A stub in registers, one with a list, and what comes back.
#[test]
fn stubs() {
    struct Echo(core::cell::Cell<(Head, u64, [u64; 4])>);
    impl Entry for Echo {
        fn send(&self, head: Head, cookie: u64, registers: [u64; 4]) -> Raw {
            self.0.set((head, cookie, registers));
            match head.number() {
                8 => Raw { status: ASYNCHRONOUS | IGNORED, value: 0, value2: 0 },
                10 => Raw { status: -(Error::BadHandle as i64), value: 0x8001, value2: 0 },
                _ => Raw { status: ANSWERED, value: 5, value2: 6 },
            }
        }
        fn receive(&self, _: u64, _: Receive) -> Raw {
            unreachable!()
        }
        fn wait(&self, _: u64, _: u64) -> Raw {
            unreachable!()
        }
    }
    let echo = Echo(core::cell::Cell::new((Head(0), 0, [0; 4])));
    let pipe = call::pipe(&echo, 1).unwrap();
    assert_eq!(pipe, Sent::Now(answer::Pipe { reader: Handle(5), writer: Handle(6) }));
    assert_eq!(echo.0.get(), (Head(0x1_0007), 1, [0; 4]));
    let into = Output { address: 0x1000, length: 9 };
    assert_eq!(call::read(&echo, 2, Handle(4), into), Ok(Sent::Later));
    assert_eq!(echo.0.get(), (Head(0x1_0008), 2, [4, 0x1000, 9, 0]));
    let refused = Failure::element(Error::BadHandle, 0x8001);
    assert_eq!(call::close(&echo, 3, Handle(9)), Err(refused));
    let name = Bytes::new(b"echo").unwrap();
    let port = call::port_create(&echo, 4, name).unwrap();
    assert_eq!(port, Sent::Now(answer::PortCreate { port: Handle(5) }));
    let (head, _, [address, ..]) = echo.0.get();
    assert_eq!((head.number(), head.flags(), head.length()), (11, 0, 16));
    assert!(address.is_multiple_of(8) && address != 0);

    let mut message = SysMsg::EMPTY;
    assert_eq!(message.send(&echo), ANSWERED);
    assert_eq!(message.result.value, 5);
    message.complete(&Completion { cookie: 0, status: -3, value: 1, value2: 2 });
    assert_eq!(message.result, Raw { status: -3, value: 1, value2: 2 });
}

#[test]
fn bytes() {
    assert_eq!(Bytes::new(&[0; MAX_BYTES + 1]), None);
    let name = Bytes::new(b"port name").unwrap();
    let mut raw = [0; MAX_BYTES];
    let length = name.copy_to(&mut raw);
    assert_eq!(&raw[..length], b"port name");
    assert_eq!((name.get(8), name.get(9), name.len()), (Some(b'e'), None, 9));
    assert_eq!(format!("{name:?}"), "b\"port name\"");
    assert!(Bytes::new(b"").unwrap().is_empty());
}
