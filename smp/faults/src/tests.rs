//! What the seed promises: the same faults again, others under another seed and on another CPU, each as often as its line says.

use crate::{ARE_BUILT_IN, Dice, Fault, Set};
use percpu::CpuId;
use proptest::prelude::*;
use std::vec::Vec;

fn begun(seed: u64, cpu: usize) -> Dice {
    let dice = Dice::new();
    dice.begin(seed, cpu);
    dice
}

fn moments(dice: &Dice, fault: Fault) -> Vec<bool> {
    (0..500).map(|_| dice.strikes(fault)).collect()
}

#[test]
fn the_names_are_the_sorts_in_their_order() {
    for (place, (name, fault)) in Fault::ALL.iter().enumerate() {
        assert_eq!(*fault as usize, place, "{name} is where its count is");
        assert_eq!(Set::of(name), Some(Set::NONE.with(*fault)));
        assert!(Set::ALL.has(*fault) && !Set::ALL.without(*fault).has(*fault));
    }
    assert_eq!(Set::of("ring,park"), Some(Set::NONE.with(Fault::FullRing).with(Fault::ParkedCpu)));
    assert_eq!(Set::of("ring,rang"), None);
    assert_eq!(Set::of(""), None);
}

#[test]
fn an_usual_build_has_no_faults() {
    crate::begin(7, Set::ALL);
    let cpu = CpuId::BOOT;
    let any = (0..1000).any(|_| crate::strikes(cpu, Fault::LateTimer));
    assert_eq!(any, ARE_BUILT_IN);
    assert_eq!(crate::struck(Fault::LateTimer) > 0, ARE_BUILT_IN);
    crate::end();
    assert!(!crate::strikes(cpu, Fault::LateTimer) && crate::delay(cpu, Fault::LateTimer) == 0);
    crate::begin(0, Set::ALL);
    assert!(!(0..1000).any(|_| crate::strikes(cpu, Fault::LateTimer)), "seed 0 strikes nobody");
}

proptest! {
    #[test]
    fn the_same_seed_makes_the_same_faults(seed: u64, cpu in 0usize..255, sort in 0..Fault::ALL.len()) {
        let fault = Fault::ALL[sort].1;
        let first = moments(&begun(seed, cpu), fault);
        prop_assert_eq!(&first, &moments(&begun(seed, cpu), fault));
        prop_assert_ne!(&first, &moments(&begun(seed ^ 1, cpu), fault));
        prop_assert_ne!(&first, &moments(&begun(seed, cpu + 1), fault));
    }

    #[test]
    fn each_sort_strikes_about_as_often_as_its_line_says(seed: u64, sort in 0..Fault::ALL.len()) {
        let (dice, fault) = (begun(seed, 0), Fault::ALL[sort].1);
        let throws = 200 * fault.odds();
        let struck = (0..throws).filter(|_| dice.strikes(fault)).count() as u64;
        prop_assert_eq!(struck, dice.struck(fault));
        prop_assert!((100..300).contains(&struck), "{} of {}", struck, throws);
    }
}
