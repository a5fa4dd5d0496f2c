//! The workloads that ship, short, under each policy: they run, lose nothing, and repeat.

use std::path::{Path, PathBuf};

use lwkt_sched::queue::NAMES;
use sim::{Costs, Policies, Report, Run, Setting, Streams, Workload, json};

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn read(file: &Path, duration: u64) -> Workload {
    Workload { duration, ..sim::workload::read(file).expect("it ships") }
}

fn costs(policy: &str) -> Costs {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../baselines");
    Costs::read(&folder, Policies::of(policy)).expect("a baseline")
}

fn line(policy: &str, workload: &Workload, setting: Setting) -> (String, Report) {
    let (policies, costs) = (Policies::of(policy), costs(policy));
    let report = sim::run(policies, workload, &costs, setting).expect("it runs");
    let run = Run { policies, costs, report };
    (json::lines(workload, setting, &run), run.report)
}

/// The README's tables have the keys that lines have, and no others.
#[test]
fn the_readme_lists_the_keys() {
    let (lines, _) = line(
        NAMES[0],
        &read(&shipped()[0], 1_000_000),
        Setting { cpus: 2, seed: 1, streams: Streams::Each },
    );
    let lines: Vec<serde_json::Map<String, serde_json::Value>> =
        lines.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let values = lines.iter().flat_map(|line| line.values());
    assert!(values.into_iter().all(|value| !value.is_object() && !value.is_array()), "flat");
    let has: std::collections::BTreeSet<String> =
        lines.iter().flat_map(|line| line.keys().cloned()).collect();
    let readme = include_str!("../README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let told = rows.map(str::to_owned).collect();
    assert_eq!(has, told);
}

#[test]
fn four_ship() {
    let names: Vec<_> = shipped().iter().map(|file| read(file, 1).name).collect();
    assert_eq!(names, ["barrier", "mixed", "pipeline", "web"]);
}

/// What moves nothing says little about policies.
#[test]
fn threads_move_in_most_of_them() {
    let moved = |file: &PathBuf| {
        let workload = read(file, 500_000_000);
        let setting = Setting { cpus: 4, seed: 1, streams: Streams::Each };
        NAMES.iter().all(|policy| line(policy, &workload, setting).1.migrations > 5)
    };
    let names: Vec<String> =
        shipped().iter().filter(|file| moved(file)).map(|file| read(file, 1).name).collect();
    assert_eq!(names, ["barrier", "mixed", "web"]);
}

/// Threads that compete for a CPU by turns of unequal length get equal shares by what each has had, and by nothing else.
#[test]
fn fair_shares_are_fairer_where_threads_compete() {
    let workload = read(&shipped()[1], 2_000_000_000);
    let setting = Setting { cpus: 4, seed: 1, streams: Streams::Each };
    let jain = |policy| line(policy, &workload, setting).1.groups[0].jain;
    let (bitmap, fair) = (jain("bitmap"), jain("fair"));
    assert!(bitmap < 0.98 && fair > 0.999, "{bitmap} and {fair}");
}

#[test]
fn each_runs_under_each_policy_and_loses_nothing() {
    for file in shipped() {
        let workload = read(&file, 120_000_000);
        for policy in NAMES {
            for cpus in [1, 4, 16] {
                let (_, report) =
                    line(policy, &workload, Setting { cpus, seed: 1, streams: Streams::Each });
                let what = format!("{} under {policy} on {cpus}", workload.name);
                for group in &report.groups {
                    let accounted = group.done + group.in_flight;
                    assert_eq!(group.came, accounted, "{what}, {}", group.name);
                    // On one CPU there is no idle one to look for work.
                    let looks = group.name == "puller" && cpus == 1;
                    assert!(group.done > 0 || looks, "{what}: {} did nothing", group.name);
                    assert!(group.jain > 0.0 && group.jain <= 1.0 + 1e-12, "{what}");
                }
                let of_groups: u64 = report.groups.iter().map(|group| group.cpu_time).sum();
                assert_eq!(report.working, of_groups, "{what}");
                assert!(report.working <= cpus as u64 * workload.duration, "{what}");
                assert!(report.idle_while_waiting <= cpus as u64 * workload.duration, "{what}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_lines_and_another_another_report() {
    for file in shipped() {
        let workload = read(&file, 30_000_000);
        for policy in NAMES {
            let setting = Setting { cpus: 4, seed: 7, streams: Streams::Each };
            let (first, again) =
                (line(policy, &workload, setting), line(policy, &workload, setting));
            assert_eq!(first, again, "{policy}");
            let (_, other) = line(policy, &workload, Setting { seed: 8, ..setting });
            assert_ne!(first.1, other, "{policy}");
        }
    }
}

/// What comes and how long it takes is the workload's, not the policy's.
#[test]
fn all_policies_meet_the_same_arrivals() {
    let workload = read(&shipped()[3], 30_000_000);
    let came = |policy: &&str| {
        line(policy, &workload, Setting { cpus: 4, seed: 3, streams: Streams::Each }).1.groups[1]
            .came
    };
    let all: Vec<u64> = NAMES.iter().map(came).collect();
    assert!(all[0] > 100 && all.iter().all(|one| *one == all[0]), "{all:?}");
}

#[test]
fn as_many_cpus_as_there_can_be() {
    let cpus = percpu::MAX_CPUS;
    let (_, report) = line(
        NAMES[0],
        &read(&shipped()[3], 5_000_000),
        Setting { cpus, seed: 1, streams: Streams::Each },
    );
    assert_eq!(report.groups[0].threads, cpus);
    assert!(report.ipis_sent > cpus as u64);
}

#[test]
fn an_unknown_policy_is_named() {
    let workload = read(&shipped()[0], 1);
    let said = |runq, ipi| {
        let setting = Setting { cpus: 1, seed: 1, streams: Streams::Each };
        sim::run(Policies { runq, ipi }, &workload, &costs(NAMES[0]), setting).unwrap_err()
    };
    let there_are = |names: &[&str]| format!("is called unheard; there are {}", names.join(", "));
    assert_eq!(said("unheard", "elide"), format!("no run queue {}", there_are(NAMES)));
    let doorbells = ipiq::knocking::NAMES;
    assert_eq!(said(NAMES[0], "unheard"), format!("no doorbell {}", there_are(doorbells)));
}
