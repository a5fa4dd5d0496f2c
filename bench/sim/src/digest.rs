//! The look of all workloads at once: a row for each run queue, with what tells them apart.

use crate::table::{borrowed, time, wake};
use crate::{Group, Run, Setting, Workload};

/// Above the rows.
pub fn head(setting: Setting) -> String {
    let Setting { cpus, seed, .. } = setting;
    format!(
        "policies on {cpus} virtual CPUs, seed {seed}; wakes of the group that waits longest; an instruction is a nanosecond\n{}",
        line(
            ["workload", "group", "policy"],
            ["p50", "p99", "p99.9", "Jain", "moves", "IPIs", "idle*"].map(str::to_owned)
        )
    )
}

/// Below them: what stands there, and which of these policies has no costs of its own.
pub fn foot(runs: &[Run<'_>]) -> String {
    let first = "         * idle while work waits elsewhere. One of them with all its figures: ./x sim WORKLOAD\n";
    let mut lines = vec![first.to_owned()];
    for run in runs {
        let queue = borrowed("runq", run.policies.runq, &run.costs.threads);
        let doorbell = borrowed("ipi", run.policies.ipi, &run.costs.doorbell);
        for line in [queue, doorbell] {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines.concat()
}

/// The rows of one workload, which all policies met.
pub fn rows(workload: &Workload, runs: &[Run<'_>]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let longest = |(_, group): &(usize, &Group)| group.wakes.p99;
    let Some((at, group)) = first.report.groups.iter().enumerate().max_by_key(longest) else {
        return String::new();
    };
    let mut names = [workload.name.as_str(), &group.name];
    let mut text = String::new();
    for run in runs {
        let (report, group) = (&run.report, &run.report.groups[at]);
        let usual = run.policies == crate::Policies::of(run.policies.runq);
        let policy = match usual {
            true => run.policies.runq.to_owned(),
            false => format!("{} {}", run.policies.runq, run.policies.ipi),
        };
        let [p50, p99, p999] =
            [group.wakes.p50, group.wakes.p99, group.wakes.p999].map(|nanos| wake(group, nanos));
        text += &line(
            [names[0], names[1], &policy],
            [
                p50,
                p99,
                p999,
                format!("{:.3}", group.jain),
                report.migrations.to_string(),
                report.ipis_sent.to_string(),
                time(report.idle_while_waiting),
            ],
        );
        names = [""; 2];
    }
    text
}

fn line(names: [&str; 3], figures: [String; 7]) -> String {
    let [workload, group, policy] = names;
    let [p50, p99, p999, jain, moves, ipis, idle] = figures;
    format!(
        "{workload:<8} {group:<11} {policy:<12} {p50:>9} {p99:>9} {p999:>9} {jain:>5} {moves:>5} {ipis:>6} {idle:>9}\n"
    )
}
