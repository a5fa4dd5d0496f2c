//! The limiter under steady rates, bursts and storms.

use crate::{Limiter, Pace, Rates};

/// Has `rate` interrupts a second come, for a time; the limiter's thread looks when it may. Returns how often it did.
fn run(limiter: &mut Limiter, now: &mut u64, rate: u64, nanoseconds: u64) -> u64 {
    let (start, mut looks, mut came, mut wait) = (*now, 0, 0, 0);
    while *now - start < nanoseconds {
        *now += 1_000_000_000 / rate;
        came += 1;
        if *now >= wait {
            looks += 1;
            wait = match limiter.came(came, || *now) {
                Pace::Free => 0,
                Pace::Until(deadline) => deadline,
            };
            came = 0;
        }
    }
    looks
}

#[test]
fn a_device_below_its_limit_is_free() {
    let (mut limiter, mut now) = (Limiter::new(Rates::DEVICE, 5), 5);
    let looks = run(&mut limiter, &mut now, 100_000, 100_000_000);
    assert_eq!((looks, limiter.times()), (10_000, 0));
}

#[test]
fn a_storm_is_paced_and_ends() {
    let (mut limiter, mut now) = (Limiter::new(Rates::DEVICE, 0), 0);
    // Ten times too many: a look for each at first, then one for each 25 microseconds.
    let looks = run(&mut limiter, &mut now, 1_000_000, 100_000_000);
    assert_eq!(limiter.times(), 1);
    assert!((4_000..4_300).contains(&looks), "{looks}");
    // Between the limits it stays paced; below the lower one it is free.
    let looks = run(&mut limiter, &mut now, 50_000, 100_000_000);
    assert!((2_400..4_100).contains(&looks), "{looks}");
    let looks = run(&mut limiter, &mut now, 10_000, 100_000_000);
    assert!((990..=1_000).contains(&looks), "{looks}");
    assert_eq!(limiter.times(), 1);
    run(&mut limiter, &mut now, 1_000_000, 10_000_000);
    assert_eq!(limiter.times(), 2);
}

#[test]
fn a_burst_after_silence_is_no_storm() {
    let mut limiter = Limiter::new(Rates::DEVICE, 0);
    assert_eq!(limiter.came(121, || 1_000_000_000), Pace::Free);
    // The second in the same window is.
    assert_eq!(limiter.came(121, || 1_000_100_000), Pace::Until(1_000_125_000));
}

#[test]
fn without_a_limit_the_clock_is_not_read() {
    let mut limiter = Limiter::new(Rates::ANY, 0);
    for _ in 0..1_000 {
        assert_eq!(limiter.came(1_000_000, || unreachable!()), Pace::Free);
    }
}
