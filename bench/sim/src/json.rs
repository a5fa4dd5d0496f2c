//! A run as JSON, one flat object a line: one for the run, one for each group. `bench/sim/README.md` says what is in them.

use serde_json::{Map, Value, json};

use crate::costs::DECLARED;
use crate::{Group, Run, Setting, Workload};

/// The lines.
pub fn lines(workload: &Workload, setting: Setting, run: &Run<'_>) -> String {
    let report = &run.report;
    let mut line = head("sim", workload, setting, run);
    line.insert("costs_key".to_owned(), json!(run.costs.threads.key));
    line.insert("doorbell_costs_key".to_owned(), json!(run.costs.doorbell.key));
    let costs = run.costs.each().into_iter().chain(DECLARED);
    line.extend(
        costs.map(|(name, cost)| (format!("cost_{}", name.replace(' ', "_")), json!(cost))),
    );
    let figures = [
        ("duration", report.duration),
        ("switches", report.switches),
        ("waits", report.waits),
        ("rests", report.rests),
        ("ticks", report.ticks),
        ("migrations", report.migrations),
        ("ring_messages", report.messages),
        ("ipi_sent", report.ipis_sent),
        ("ipi_avoided", report.ipis_avoided),
        ("ring_full", report.ring_full),
        ("working", report.working),
        ("in_kernel", report.in_kernel),
        ("idle_while_waiting", report.idle_while_waiting),
    ];
    line.extend(figures.map(|(name, figure)| (name.to_owned(), json!(figure))));
    let groups =
        report.groups.iter().map(|one| group(head("sim_group", workload, setting, run), one));
    std::iter::once(line).chain(groups).map(|line| Value::Object(line).to_string() + "\n").collect()
}

/// What tells a run from others: in every line.
fn head(kind: &str, workload: &Workload, setting: Setting, run: &Run<'_>) -> Map<String, Value> {
    [
        ("kind", json!(kind)),
        ("workload", json!(workload.name)),
        ("runq", json!(run.policies.runq)),
        ("ipi", json!(run.policies.ipi)),
        ("cpus", json!(setting.cpus)),
        ("seed", json!(setting.seed)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

fn group(mut line: Map<String, Value>, group: &Group) -> Map<String, Value> {
    let figures = [
        ("group", json!(group.name)),
        ("threads", json!(group.threads)),
        ("came", json!(group.came)),
        ("done", json!(group.done)),
        ("in_flight", json!(group.in_flight)),
        ("wakes", json!(group.wakes.count)),
        ("wake_to_run_p50", json!(group.wakes.p50)),
        ("wake_to_run_p99", json!(group.wakes.p99)),
        ("wake_to_run_p999", json!(group.wakes.p999)),
        ("wake_to_run_max", json!(group.wakes.max)),
        ("service", json!(group.service)),
        ("jain", json!(group.jain)),
        ("cpu_time", json!(group.cpu_time)),
    ];
    line.extend(figures.map(|(name, value)| (name.to_owned(), value)));
    line
}
