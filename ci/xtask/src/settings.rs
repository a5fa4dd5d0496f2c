//! `--set KEY=NAME,..`: which policies a kernel is built with, and every combination of several.
//!
//! The names are those that the crates register, so a policy that is new there is known here.

use std::fmt;

use percpu::checks;

use crate::cli::Machine;

/// Something that there are several of.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// What to write before the `=`.
    pub name: &'static str,
    /// What to write behind it; the first is the usual one.
    names: &'static [&'static str],
    /// The variable that the crate's build reads.
    pub variable: &'static str,
    /// Whether it makes a difference to what runs in ring 3, too.
    in_ring_3: bool,
}

/// The key of assertions for debugging, for which the compiler is told something, too.
const CHECKS: &str = "checks";

/// All of them.
static KEYS: [Key; 7] = [
    Key {
        name: "runq",
        names: lwkt_sched::queue::NAMES,
        variable: "DAMSELFLY_RUNQ",
        in_ring_3: false,
    },
    Key { name: "ipi", names: ipiq::knocking::NAMES, variable: "DAMSELFLY_IPI", in_ring_3: false },
    Key {
        name: "ring",
        names: ipiq::handover::NAMES,
        variable: "DAMSELFLY_RING",
        in_ring_3: false,
    },
    Key {
        name: "free",
        names: memory::remote::NAMES,
        variable: "DAMSELFLY_FREE",
        in_ring_3: false,
    },
    Key { name: "trace", names: probe::NAMES, variable: "DAMSELFLY_TRACE", in_ring_3: true },
    Key { name: CHECKS, names: checks::NAMES, variable: "DAMSELFLY_CHECKS", in_ring_3: false },
    Key { name: "faults", names: faults::NAMES, variable: "DAMSELFLY_FAULTS", in_ring_3: false },
];

/// What makes a difference to a simulator.
pub const SIMULATED: [&str; 2] = ["runq", "ipi"];

/// One of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Of what.
    pub key: &'static Key,
    /// Which.
    pub name: &'static str,
}

impl Variant {
    /// Whether ring 3 is built with it, too.
    pub fn reaches_ring_3(&self) -> bool {
        self.key.in_ring_3
    }

    /// What the compiler of the kernel is told besides.
    pub fn flag(&self) -> Option<&'static str> {
        (self.key.name == CHECKS && !self.is_usual()).then_some("-Cdebug-assertions")
    }

    /// Whether it is what a kernel has that nobody asked anything of.
    pub fn is_usual(&self) -> bool {
        self.key.names.first() == Some(&self.name)
    }
}

/// Every one that no kernel has without being asked.
pub fn unusual() -> impl Iterator<Item = Variant> {
    let each = |key: &'static Key| key.names.iter().skip(1).map(move |name| Variant { key, name });
    KEYS.iter().flat_map(each)
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key.name, self.name)
    }
}

/// The values of one `--set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    key: &'static Key,
    names: Vec<&'static str>,
}

impl Axis {
    /// Reads what stands behind `--set`.
    pub fn parse(text: &str) -> Result<Axis, String> {
        Self::parse_of(text, |_| true)
    }

    /// The same where a simulator is driven, which has no memory to free and no log.
    pub fn parse_simulated(text: &str) -> Result<Axis, String> {
        Self::parse_of(text, |key| SIMULATED.contains(&key.name))
            .map_err(|why| format!("{why}; to what is simulated nothing else makes a difference"))
    }

    fn parse_of(text: &str, is_known: impl Fn(&Key) -> bool) -> Result<Axis, String> {
        let known: Vec<_> = KEYS.iter().filter(|key| is_known(key)).collect();
        let there_are = || {
            let keys = known.iter().map(|key| format!("{}={}", key.name, key.names.join("|")));
            format!("there are {}", keys.collect::<Vec<_>>().join(" "))
        };
        let (key, names) = text.split_once('=').unwrap_or((text, ""));
        let key = known.iter().find(|one| one.name == key).ok_or_else(there_are)?;
        let mut axis = Axis { key, names: Vec::new() };
        for name in names.split(',') {
            let name = key.names.iter().find(|one| **one == name).ok_or_else(there_are)?;
            if axis.names.contains(name) {
                return Err(format!("{name} stands there twice"));
            }
            axis.names.push(name);
        }
        Ok(axis)
    }

    /// Of a name that is in this source.
    pub fn known(text: &str) -> anyhow::Result<Axis> {
        Self::parse(text).map_err(anyhow::Error::msg)
    }

    /// The first of the values.
    pub fn first(&self) -> Variant {
        Variant { key: self.key, name: self.names[0] }
    }
}

/// What makes no sense to ask for together.
pub fn refusal(machine: &Machine, most: Most) -> Option<String> {
    if let Some(twice) = twice(&machine.set) {
        return Some(twice);
    }
    if machine.image.is_some() && !machine.set.is_empty() {
        return Some("--set says how to build a kernel, and --image brings one".to_owned());
    }
    let knows_faults = |axis: &Axis| axis.key.name == "faults" && axis.names == ["on"];
    if machine.faults.is_some() && machine.image.is_none() && !machine.set.iter().any(knows_faults)
    {
        let why = "--faults says which may strike in a kernel that is built for them: add --set faults=on";
        return Some(why.to_owned());
    }
    if most == Most::One && machine.set.iter().any(|axis| axis.names.len() > 1) {
        return Some("this takes one value for each key of --set".to_owned());
    }
    None
}

/// A key that stands there more than once.
pub fn twice(set: &[Axis]) -> Option<String> {
    let before = |at: usize, axis: &Axis| set[..at].iter().any(|one| one.key == axis.key);
    let (_, axis) = set.iter().enumerate().find(|(at, axis)| before(*at, axis))?;
    let name = axis.key.name;
    Some(format!("{name} is set twice; several values go behind one --set {name}="))
}

/// The values of a key that were asked for; without any, none.
pub fn names_of(set: &[Axis], key: &str) -> Option<Vec<&'static str>> {
    set.iter().find(|axis| axis.key.name == key).map(|axis| axis.names.clone())
}

/// How many combinations a verb can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// One.
    One,
    /// Any number, one after the other.
    Any,
}

/// One value of each key; the values of the last key change fastest.
pub fn each(set: &[Axis]) -> Vec<Vec<Axis>> {
    let mut all = vec![Vec::new()];
    for axis in set {
        let longer = |some: &Vec<Axis>| -> Vec<Vec<Axis>> {
            let one = |name: &&'static str| Axis { key: axis.key, names: vec![*name] };
            axis.names
                .iter()
                .map(|name| some.iter().cloned().chain([one(name)]).collect())
                .collect()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// The machine of each combination, and how to call it.
pub fn combinations(machine: &Machine) -> Vec<(String, Machine)> {
    let named = |set: Vec<Axis>| {
        let words: Vec<_> = set.iter().map(|axis| axis.first().to_string()).collect();
        (words.join(" "), Machine { set, ..machine.clone() })
    };
    each(&machine.set).into_iter().map(named).collect()
}

#[cfg(test)]
mod tests;
