//! The longest stretch of one CPU with interrupts off, found in what was executed: from the instruction that turned them off,
//! or the interrupt that did, to the one that turned them on.

use std::collections::HashMap;

use runner::Step;

/// What an instruction does to interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// They are off from here on: an instruction that says so, or the first of an interrupt's entry.
    Off,
    /// They are on from here on.
    On,
}

/// What an instruction that begins with these bytes does to interrupts. Intel SDM volume 2: CLI, SYSCALL with our mask; STI,
/// POPFQ of a frame that had them on, IRETQ and SYSRETQ to code that may be interrupted.
pub fn effect(code: &[u8]) -> Effect {
    match *code {
        [0xfa, ..] | [0x0f, 0x05, ..] => Effect::Off,
        [0xfb, ..] | [0x9d, ..] | [0x48, 0xcf, ..] | [0x48, 0x0f, 0x07, ..] => Effect::On,
        _ => Effect::None,
    }
}

/// A stretch with interrupts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Instructions of its CPU.
    pub length: u64,
    /// The first of them among all steps, by its number.
    pub from: usize,
    /// The last of them.
    pub to: usize,
}

/// The longest stretch in these steps, if there is a whole one. A CPU has interrupts on until it is seen to turn them off.
pub fn longest(steps: &[Step], effect: &dyn Fn(u64) -> Effect) -> Option<Stretch> {
    let mut open: HashMap<u32, Stretch> = HashMap::new();
    let mut longest: Option<Stretch> = None;
    for (at, step) in steps.iter().enumerate() {
        let effect = effect(step.address);
        if let Some(stretch) = open.get_mut(&step.cpu) {
            stretch.length += 1;
            stretch.to = at;
            if effect == Effect::On {
                let whole = open.remove(&step.cpu);
                let length = |one: Option<Stretch>| one.map_or(0, |one| one.length);
                longest = if length(whole) > length(longest) { whole } else { longest };
            }
        } else if effect == Effect::Off {
            open.insert(step.cpu, Stretch { length: 1, from: at, to: at });
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(addresses: &[(u32, u64)]) -> Vec<Step> {
        addresses.iter().map(|(cpu, address)| Step { cpu: *cpu, address: *address }).collect()
    }

    /// 1 turns interrupts off, 2 on.
    fn by_address(address: u64) -> Effect {
        match address {
            1 => Effect::Off,
            2 => Effect::On,
            _ => Effect::None,
        }
    }

    #[test]
    fn each_cpu_has_its_own_stretches() {
        let all = steps(&[
            (0, 1),
            (1, 5),
            (0, 6),
            (1, 1),
            (0, 2),
            (1, 7),
            (1, 1),
            (1, 8),
            (1, 2),
            (0, 9),
        ]);
        assert_eq!(longest(&all, &by_address), Some(Stretch { length: 5, from: 3, to: 8 }));
        assert_eq!(longest(&all[..5], &by_address), Some(Stretch { length: 3, from: 0, to: 4 }));
    }

    #[test]
    fn what_does_not_end_is_no_stretch() {
        assert_eq!(longest(&steps(&[(0, 2), (0, 1), (0, 5)]), &by_address), None);
    }

    #[test]
    fn instructions_by_their_bytes() {
        for code in [&[0xfa][..], &[0x0f, 0x05]] {
            assert_eq!(effect(code), Effect::Off);
        }
        for code in [&[0xfb, 0xf4][..], &[0x48, 0xcf], &[0x48, 0x0f, 0x07], &[0x9d]] {
            assert_eq!(effect(code), Effect::On);
        }
        for code in [&[0x48, 0x89, 0xfa][..], &[0x0f, 0xae, 0xf0], &[]] {
            assert_eq!(effect(code), Effect::None);
        }
    }
}
