//! The look: policies side by side, a row for each measure.
//!
//! ```text
//!                               bitmap        list
//! worker  wake to run p50         1.2 us      1.2 us
//! ```

use crate::costs::{DECLARED, Origin};
use crate::{Group, Policies, Report, Run, Setting, Workload};

const LABEL: usize = 38;
const FIGURE: usize = 13;

/// What was run, and what no benchmark measures of it.
pub fn head(workload: &Workload, setting: Setting) -> String {
    let Setting { cpus, seed, .. } = setting;
    let Workload { name, about, duration, .. } = workload;
    let declared: Vec<String> =
        DECLARED.iter().map(|(name, cost)| format!("{name} {}", time(*cost))).collect();
    format!(
        "sim      {name}: {about}\n         {cpus} CPUs, {} of virtual time, seed {seed}; an \
         instruction is a nanosecond\ndeclared {}\n",
        time(*duration),
        declared.join(", "),
    )
}

/// What was played twice.
pub fn against_head(
    workload: &Workload,
    Policies { runq, ipi }: Policies<'_>,
    setting: Setting,
    stretch: u64,
) -> String {
    let (name, jobs) = (&workload.name, workload.jobs.unwrap_or(0));
    let Setting { cpus, seed, .. } = setting;
    let longer =
        if stretch > 1 { format!(", all times {stretch} times as long") } else { String::new() };
    format!(
        "against  {name} on {cpus} CPUs under {runq} and {ipi}, {jobs} jobs a thread, seed {seed}{longer}\n"
    )
}

/// The figures of several policies, side by side, and the costs that they rest on.
pub fn table(runs: &[Run<'_>]) -> String {
    let mut text = row("", runs.iter().map(|run| run.policies.runq.to_owned()));
    if runs.iter().any(|run| run.policies != Policies::of(run.policies.runq)) {
        text += &row("", runs.iter().map(|run| run.policies.ipi.to_owned()));
    }
    if runs.iter().any(|run| run.costs.threads.policy != run.policies.runq) {
        text += &row("with the costs of", runs.iter().map(|run| run.costs.threads.policy.clone()));
    }
    let Some(first) = runs.first() else { return text };
    for (at, group) in first.report.groups.iter().enumerate() {
        for (label, figure) in OF_A_GROUP {
            let label = format!("{}  {label}", group.name);
            text +=
                &row(&label, runs.iter().map(|run| figure(&run.report.groups[at], &run.report)));
        }
    }
    for (label, figure) in OF_ALL {
        text += &row(label, runs.iter().map(|run| figure(&run.report)));
    }
    for (at, (cost, _)) in first.costs.each().into_iter().enumerate() {
        let label = format!("cost of '{cost}', instructions");
        text += &row(&label, runs.iter().map(|run| run.costs.each()[at].1.to_string()));
    }
    let threads = runs.iter().map(|run| ("runq", run.policies.runq, &run.costs.threads));
    let doorbells = runs.iter().map(|run| ("ipi", run.policies.ipi, &run.costs.doorbell));
    let mut said = Vec::new();
    for one in threads.chain(doorbells) {
        if !said.contains(&one) {
            let (key, name, origin) = one;
            text += &format!("costs    {name} by {}\n", origin.file);
            text += &borrowed(key, name, origin);
            said.push(one);
        }
    }
    text
}

/// A line where a policy has no costs of its own.
pub(crate) fn borrowed(key: &str, name: &str, origin: &Origin) -> String {
    match origin.policy == name {
        true => String::new(),
        false => format!(
            "         {name} has the costs of {}; its own: ./x bench --set {key}={name} --bless 'why'\n",
            origin.policy
        ),
    }
}

type OfGroup = fn(&Group, &Report) -> String;

const OF_A_GROUP: [(&str, OfGroup); 8] = [
    ("threads", |group, _| group.threads.to_string()),
    ("jobs a second", |group, report| whole(group.done as f64 * 1e9 / report.duration as f64)),
    ("jobs in flight at the end", |group, _| group.in_flight.to_string()),
    ("wake to run p50", |group, _| wake(group, group.wakes.p50)),
    ("wake to run p99", |group, _| wake(group, group.wakes.p99)),
    ("wake to run p99.9", |group, _| wake(group, group.wakes.p999)),
    ("wake to run longest", |group, _| wake(group, group.wakes.max)),
    ("Jain's index of CPU time", |group, _| format!("{:.4}", group.jain)),
];

type OfAll = fn(&Report) -> String;

const OF_ALL: [(&str, OfAll); 11] = [
    ("switches", |report| report.switches.to_string()),
    ("waits", |report| report.waits.to_string()),
    ("ticks that had one give way", |report| report.ticks.to_string()),
    ("migrations", |report| report.migrations.to_string()),
    ("messages between CPUs", |report| report.messages.to_string()),
    ("IPIs sent", |report| report.ipis_sent.to_string()),
    ("IPIs avoided", |report| report.ipis_avoided.to_string()),
    ("sends that found no room", |report| report.ring_full.to_string()),
    ("time in threads", |report| time(report.working)),
    ("time in kernel paths", |report| time(report.in_kernel)),
    ("idle while work waits", |report| time(report.idle_while_waiting)),
];

fn row(label: &str, figures: impl Iterator<Item = String>) -> String {
    let cells: String = figures.map(|figure| format!(" {figure:>FIGURE$}")).collect();
    format!("{label:<LABEL$}{cells}").trim_end().to_owned() + "\n"
}

pub(crate) fn wake(group: &Group, nanos: u64) -> String {
    if group.wakes.count == 0 { "-".to_owned() } else { time(nanos) }
}

fn whole(number: f64) -> String {
    format!("{number:.0}")
}

/// A time with three digits or so.
pub(crate) fn time(nanos: u64) -> String {
    let nanos = nanos as f64;
    match nanos {
        ..1e3 => format!("{nanos} ns"),
        ..1e6 => format!("{:.2} us", nanos / 1e3),
        ..1e9 => format!("{:.2} ms", nanos / 1e6),
        _ => format!("{:.3} s", nanos / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let times = [0, 999, 1000, 1_234_567, 2_500_000_000].map(time);
        assert_eq!(times, ["0 ns", "999 ns", "1.00 us", "1.23 ms", "2.500 s"]);
    }

    #[test]
    fn policies_stand_side_by_side_and_nobody_woken_has_no_time() {
        let group = Group {
            name: "worker".to_owned(),
            threads: 2,
            came: 3,
            done: 2,
            in_flight: 1,
            wakes: crate::Wakes::default(),
            service: 9,
            jain: 1.0,
            cpu_time: 7,
        };
        let report = Report { duration: 1_000_000_000, groups: vec![group], ..Report::default() };
        let origin = |file: &str| Origin {
            key: "key".to_owned(),
            file: file.to_owned(),
            policy: String::new(),
        };
        let costs = crate::Costs {
            threads: origin("queues"),
            doorbell: origin("doorbells"),
            switch: 36,
            wake: 1,
            message: 2,
            send: 3,
            enter: 4,
            leave: 5,
            idle: 6,
        };
        let run = |runq: &'static str, ipi: &'static str| {
            let mut costs = costs.clone();
            (costs.threads.policy, costs.doorbell.policy) = (runq.to_owned(), ipi.to_owned());
            Run { policies: Policies { runq, ipi }, costs, report: report.clone() }
        };
        let text = table(&[run("one", "soft"), run("two", "loud"), run("two", "soft")]);
        let line = |label: &str| text.lines().find(|line| line.starts_with(label)).expect(label);
        assert_eq!(
            line("worker  wake to run p50").split_whitespace().skip(5).collect::<Vec<_>>(),
            ["-", "-", "-"]
        );
        assert!(line("worker  jobs a second").ends_with("2             2             2"));
        let heads: Vec<Vec<&str>> =
            text.lines().take(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(heads, [["one", "two", "two"], ["soft", "loud", "soft"]]);
        assert!(line("cost of 'switch'").ends_with("36            36            36"));
        let costs = "costs    one by queues\ncosts    two by queues\ncosts    soft by doorbells\n\
                     costs    loud by doorbells\n";
        assert!(text.ends_with(costs), "{text}");
        assert!(text.lines().all(|line| line.len() <= 94));
        assert!(!text.contains("with the costs of"));
        let usual = Policies::usual();
        let mut new = run("new", usual.ipi);
        new.costs.threads.policy = "one".to_owned();
        let text = table(&[run("one", usual.ipi), new]);
        let line = |label: &str| text.lines().find(|line| line.starts_with(label)).expect(label);
        let whose: Vec<_> = line("with the costs of").split_whitespace().skip(4).collect();
        assert_eq!(whose, ["one", "one"]);
        assert!(
            text.contains("new has the costs of one; its own: ./x bench --set runq=new"),
            "{text}"
        );
    }
}
