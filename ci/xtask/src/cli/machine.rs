//! What a kernel must be built with for the machine that was asked for.

use servers::options::Plant;

use super::Machine;
use crate::settings::{Axis, Variant};

/// CPUs that a kernel has room for that nobody asked anything of.
const USUAL_ROOM: u32 = 256;

impl Machine {
    /// The cargo features that the kernel must be built with.
    pub fn features(&self) -> Vec<&'static str> {
        let bug = matches!(self.plant.as_deref().and_then(Plant::of), Some(Plant::Bug(_)));
        let many = self.smp > USUAL_ROOM;
        [(bug, "plants"), (many, "cpus-1024")]
            .into_iter()
            .filter_map(|(wanted, feature)| wanted.then_some(feature))
            .collect()
    }

    /// What it must be built with that is not the usual: of each key the first name that was asked for.
    pub fn variants(&self) -> Vec<Variant> {
        self.set.iter().map(Axis::first).filter(|variant| !variant.is_usual()).collect()
    }
}
