//! The step that has a CPU start late, or never: boot says which one stays off, and the kernel runs on the others.

use runner::Request;

use super::heard::hear;
use super::side_by_side;
use super::steps::{Done, Step, step};
use crate::build;

/// What is planted, on how many CPUs, and how many of them run then.
const BOOTS: [(&str, u32, u64); 5] = [
    ("late-cpu", 2, 2),
    ("late-cpu", 4, 4),
    ("missing-cpu", 2, 1),
    ("missing-cpu", 4, 3),
    ("missing-cpu", 16, 15),
];
/// What works then: messages to all, threads on all, and programs on them.
const TESTS: &str = "kernel/storm,kernel/cpusync,kernel/wakes,user/rfork";

/// The step.
pub fn startup() -> Step {
    step("startup", "a CPU that starts late takes part; one that never does is left out", || {
        let (kernel, mut done) = (build::kernel(&[], &[])?, Done::default());
        let all = side_by_side::map(&BOOTS, |(plant, cpus, _)| {
            let mut request = Request::new(&kernel);
            request.cpus = *cpus;
            request.words = ["run=stress", "quick"].map(str::to_owned).into();
            request.words.extend([format!("filter={TESTS}"), format!("plant={plant}")]);
            hear(&request, &format!("{plant}, {cpus} CPUs"))
        });
        for ((plant, cpus, run), heard) in BOOTS.iter().zip(all) {
            let heard = heard?;
            heard.count(&mut done);
            let (started, whole) = (heard.collected.key.cpus, heard.collected.parts.len());
            done.count(started == *run && whole == TESTS.split(',').count());
            done.output.push_str(&format!("{plant}: {started} of {cpus} CPUs run\n"));
        }
        Ok(done)
    })
}
