//! Producers and consumers over pipes, on all CPU processes, with sleeps: each byte comes once, in order.
#![cfg_attr(target_os = "none", no_std, no_main)]

use program::io;
use program::thread::{self, JoinHandle};
use program::{Handle, process};
use programs::{Dice, ensure, mix, order, seed, spawn, spread, steps};

program::main!(pipes);

/// Pipes at once, for each CPU process.
const PIPES: u64 = 3;
/// Bytes of the largest piece; more than a pipe takes at once.
const PIECE: usize = 6000;

fn pipes() -> i64 {
    let carriers = spread(process::argument(2));
    let all = PIPES * u64::from(carriers);
    let bytes = steps() / all;
    let pairs: [_; 192] = core::array::from_fn(|number| {
        let number = number as u64;
        (number < all).then(|| {
            let pipe = spawn((number % u64::from(carriers)) as u8, io::pipe).join();
            ensure!(pipe.is_ok(), "pipe {number}: {pipe:?}");
            let (reader, writer) = pipe.unwrap_or((Handle(0), Handle(0)));
            let (from, to) = (
                number % u64::from(carriers),
                (number / u64::from(carriers) + number) % u64::from(carriers),
            );
            (
                spawn(from as u8, move || produce(number, bytes, writer)),
                spawn(to as u8, move || consume(number, reader)),
            )
        })
    });
    let mut taken = 0;
    for (producer, consumer) in pairs.into_iter().flatten() {
        let () = producer.join();
        taken += JoinHandle::join(consumer);
    }
    ensure!(taken == bytes * all, "{taken} bytes of {}", bytes * all);
    order::tell();
    0
}

/// Byte `at` of pipe `number`.
fn byte(number: u64, at: u64) -> u8 {
    (mix(seed() ^ number << 40 ^ at >> 3) >> (8 * (at & 7))) as u8
}

fn produce(number: u64, bytes: u64, to: Handle) {
    let mut dice = Dice::new(number);
    let mut piece = [0; PIECE];
    let mut at = 0;
    while at < bytes {
        let longest = if dice.below(4) == 0 { PIECE as u64 } else { 64 };
        let length = (1 + dice.below(longest)).min(bytes - at) as usize;
        (at..).zip(&mut piece[..length]).for_each(|(at, place)| *place = byte(number, at));
        let written = io::write_all(to, &piece[..length]);
        ensure!(written.is_ok(), "pipe {number}, {to:?}, byte {at}: {written:?}");
        at += length as u64;
        order::note(number, at);
        rest(&mut dice);
    }
    let closed = io::close(to);
    ensure!(closed.is_ok(), "pipe {number}: {closed:?}");
}

fn consume(number: u64, from: Handle) -> u64 {
    let mut dice = Dice::new(1000 + number);
    let mut piece = [0; PIECE];
    let mut at = 0;
    loop {
        let length = 1 + dice.below(PIECE as u64) as usize;
        let count = match io::read(from, &mut piece[..length]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(why) => {
                ensure!(false, "pipe {number}, byte {at}: {why:?}");
                break;
            }
        };
        for (at, have) in (at..).zip(&piece[..count]) {
            let want = byte(number, at);
            ensure!(*have == want, "pipe {number}, byte {at}: {have:#x}, not {want:#x}");
        }
        at += count as u64;
        order::note(1000 + number, at);
        rest(&mut dice);
    }
    let closed = io::close(from);
    ensure!(closed.is_ok(), "pipe {number}: {closed:?}");
    at
}

/// Sleeps now and then, yields at other times.
fn rest(dice: &mut Dice) {
    match dice.below(16) {
        0 => thread::sleep(dice.below(100_000)),
        1..4 => thread::yield_now(),
        _ => {}
    }
}
