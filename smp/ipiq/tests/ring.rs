//! A ring of each variant against the queue that it stands for.
#![cfg(not(feature = "loom"))]

use std::collections::VecDeque;

use ipiq::handover::{Deep, Handover, Indexed, Usual};
use ipiq::{Call, Full, RingBy};
use percpu::Crit;
use proptest::prelude::*;

fn nothing(_crit: &Crit, _: usize, _: usize, _: usize) {}

fn crit() -> Crit {
    // SAFETY: one thread, no interrupts.
    unsafe { Crit::assume() }
}

macro_rules! for_each_variant {
    ($($name:ident: $variant:ty;)+) => {
        $(mod $name {
            use super::*;

            proptest! {
                #[test]
                fn is_a_bounded_queue(steps in proptest::collection::vec(any::<bool>(), 0..400)) {
                    super::is_a_bounded_queue::<$variant>(&steps)?;
                }
            }

            #[test]
            fn a_burst_of_the_depth_fits() {
                a_burst_fits::<$variant, { <$variant>::DEPTH }>();
            }

            #[test]
            fn two_threads_stream_in_order() {
                stream_in_order::<$variant, { <$variant>::DEPTH }>();
            }
        })+
    };
}

for_each_variant! {
    marked: Usual;
    indexed: Indexed;
    deep: Deep;
}

fn is_a_bounded_queue<H: Handover>(steps: &[bool]) -> Result<(), TestCaseError> {
    let mut ring = RingBy::<H, 8>::new();
    let (mut producer, mut consumer) = ring.split();
    let mut model = VecDeque::new();
    for (number, push) in steps.iter().enumerate() {
        if *push {
            let args = [number, !number, number << 9];
            match producer.push(&crit(), Call::new(nothing, args)) {
                Ok(()) => model.push_back(args),
                Err(Full(call)) => {
                    prop_assert_eq!(call.args, args);
                    prop_assert_eq!(model.len(), 8);
                }
            }
        } else {
            prop_assert_eq!(consumer.pop(&crit()).map(|call| call.args), model.pop_front());
        }
        prop_assert_eq!(producer.has_room(&crit()), model.len() < 8);
        prop_assert_eq!(producer.is_quarter_full(&crit()), model.len() >= 2);
    }
    Ok(())
}

fn a_burst_fits<H: Handover, const DEPTH: usize>() {
    let mut ring = RingBy::<H, DEPTH>::new();
    let (mut producer, _) = ring.split();
    for number in 0..DEPTH {
        producer.push(&crit(), Call::new(nothing, [number; 3])).expect("there is room");
    }
    assert!(producer.push(&crit(), Call::new(nothing, [0; 3])).is_err());
}

fn stream_in_order<H: Handover, const DEPTH: usize>() {
    const COUNT: usize = 200_000;
    let mut ring = RingBy::<H, DEPTH>::new();
    let (mut producer, mut consumer) = ring.split();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..COUNT {
                let mut call = Call::new(nothing, [number, number.wrapping_mul(31), !number]);
                while let Err(Full(back)) = producer.push(&crit(), call) {
                    call = back;
                    std::thread::yield_now();
                }
            }
        });
        for number in 0..COUNT {
            let call = loop {
                match consumer.pop(&crit()) {
                    Some(call) => break call,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(call.args, [number, number.wrapping_mul(31), !number]);
        }
    });
}
