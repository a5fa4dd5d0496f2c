//! Machines so simple that it is known what comes out.

use lwkt_sched::queue::NAMES;
use sim::costs::{Accepted, FLIGHT, Origin, RING, TICK};
use sim::{Costs, Group, Policies, Report, Setting, Streams, Workload};

/// Costs that no two sums of are the same.
fn costs() -> Costs {
    Costs {
        threads: Origin::default(),
        doorbell: Origin::default(),
        switch: 1,
        wake: 20,
        message: 300,
        send: 4000,
        enter: 50_000,
        leave: 600_000,
        idle: 7_000_000,
    }
}

fn free() -> Costs {
    Costs {
        threads: Origin::default(),
        doorbell: Origin::default(),
        switch: 0,
        wake: 0,
        message: 0,
        send: 0,
        enter: 0,
        leave: 0,
        idle: 0,
    }
}

fn workload(text: &str) -> Workload {
    sim::workload::parse("test", &format!("about = \"A test.\"\n{text}")).expect("a good workload")
}

/// What each policy makes of it.
fn each(text: &str, costs: &Costs, cpus: usize) -> Vec<Report> {
    let (workload, setting) = (workload(text), Setting { cpus, seed: 1, streams: Streams::Each });
    let run = |name: &&'static str| {
        sim::run(Policies::of(name), &workload, costs, setting).expect("a policy")
    };
    let reports: Vec<Report> = NAMES.iter().map(run).collect();
    for report in &reports {
        conserved(report);
    }
    reports
}

fn conserved(report: &Report) {
    for Group { name, came, done, in_flight, .. } in &report.groups {
        assert_eq!(*came, done + in_flight, "{name}: {report:?}");
    }
}

#[test]
fn a_sleeper_on_an_idle_cpu_runs_after_the_timers_path() {
    let text = "duration = \"1s\"
        [group.one]
        count = 1
        arrivals = { every = \"50ms\" }
        service = { fixed = \"1ms\" }";
    let c = costs();
    let path = c.idle + c.enter + c.wake + c.leave + c.switch;
    for report in each(text, &c, 1) {
        let one = &report.groups[0];
        // The first job is there when the thread begins.
        assert_eq!((one.wakes.count, one.wakes.p50, one.wakes.max), (19, path, path));
        assert_eq!((one.came, one.done, one.cpu_time), (20, 20, 20_000_000));
        // The first turn, each wait, and the way back from all but the last.
        assert_eq!((report.waits, report.switches), (20, 1 + 20 + 19));
        assert_eq!((report.messages, report.migrations, report.ticks), (0, 0, 0));
    }
}

#[test]
fn a_request_takes_a_doorbell_each_way() {
    let text = "duration = \"1s\"
        [group.client]
        count = 1
        on = [0]
        service = { fixed = \"100ms\" }
        send = { to = \"server\" }
        [group.server]
        count = 1
        on = [1]
        service = { fixed = \"10ms\" }";
    let c = costs();
    let there = c.send + RING + FLIGHT + c.idle + c.enter + c.message + c.wake + c.leave + c.switch;
    for report in each(text, &c, 2) {
        let [client, server] = &report.groups[..] else { panic!("two groups") };
        assert_eq!((client.wakes.p50, server.wakes.p50), (there, there));
        assert_eq!((client.wakes.max, server.wakes.max), (there, there));
        assert_eq!(report.ipis_sent, report.messages);
        assert_eq!((report.ipis_avoided, report.ring_full), (0, 0));
        assert_eq!(report.messages, server.came + server.done);
    }
}

#[test]
fn equals_that_never_wait_have_equal_time() {
    let text = "duration = \"3s\"
        [group.batch]
        count = 3
        service = { fixed = \"7ms\" }";
    for report in each(text, &free(), 1) {
        let batch = &report.groups[0];
        assert_eq!((batch.cpu_time, report.working), (3_000_000_000, 3_000_000_000));
        assert_eq!((batch.jain, batch.wakes.count), (1.0, 0));
        // Fair shares let who has had no more than the others go on.
        let most = report.duration / TICK;
        assert!((most / 2..=most).contains(&report.ticks), "{}", report.ticks);
    }
}

/// What the tick is for: who is woken waits for it, and no longer.
#[test]
fn who_is_woken_waits_for_the_tick_of_who_never_stops() {
    let text = "duration = \"2s\"
        [group.batch]
        count = 1
        service = { fixed = \"1s\" }
        [group.sleeper]
        count = 1
        arrivals = { every = \"100ms\" }
        service = { fixed = \"1ms\" }";
    for report in each(text, &free(), 1) {
        let sleeper = &report.groups[1];
        assert_eq!((sleeper.wakes.p50, sleeper.wakes.max), (TICK, TICK));
    }
}

/// As in the kernel: a switch arms no timer.
#[test]
fn a_tick_is_of_the_cpu_and_goes_on_over_a_switch() {
    let text = "duration = \"13ms\"
        [group.a]
        count = 1
        service = { fixed = \"4ms\" }
        sleep = { fixed = \"1s\" }
        [group.b]
        count = 2
        service = { fixed = \"1s\" }";
    for report in each(text, &free(), 1) {
        assert_eq!((report.ticks, report.groups[1].cpu_time), (1, 9_000_000));
    }
}

#[test]
fn a_cpu_that_idles_beside_a_thread_that_waits_is_counted() {
    let text = "duration = \"1s\"
        [group.two]
        count = 2
        on = [0]
        service = { fixed = \"1ms\" }";
    for report in each(text, &free(), 2) {
        assert_eq!(report.idle_while_waiting, 1_000_000_000);
    }
    for report in each(text, &free(), 1) {
        assert_eq!(report.idle_while_waiting, 0);
    }
}

#[test]
fn idle_cpus_pull_what_may_move() {
    let text = |pull: bool, on: &str| {
        format!(
            "duration = \"1s\"
            [group.puller]
            per_cpu = 1
            priority = 1
            service = {{ fixed = \"1us\" }}
            sleep = {{ fixed = \"500us\" }}
            pull = {pull}
            [group.solver]
            count = 6
            on = {on}
            service = {{ exponential = \"5ms\" }}
            barrier = true"
        )
    };
    let total = |text: &str| -> (u64, u64) {
        let reports = each(text, &Costs { idle: 12, ..free() }, 4);
        let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum();
        (sum(|report| report.migrations), sum(|report| report.idle_while_waiting))
    };
    let (never, waste) = total(&text(false, "\"spread\""));
    assert_eq!(never, 0);
    let (pulled, less) = total(&text(true, "\"spread\""));
    assert!(pulled > 100 && less < waste / 2, "{pulled} moved, {less} of {waste} are left");
    assert_eq!(total(&text(true, "[0, 1, 2, 3]")).0, 0);
}

/// Who goes comes as a message, and begins its job there.
#[test]
fn who_goes_comes_to_another_cpu() {
    let text = |share: &str| {
        format!(
            "duration = \"10s\"
            jobs = 40
            [group.nomad]
            count = 2
            go = {share}
            service = {{ fixed = \"1ms\" }}
            sleep = {{ fixed = \"1ms\" }}"
        )
    };
    for report in each(&text("1.0"), &costs_of_a_kernel(), 4) {
        // Three in four of the CPUs are other ones.
        assert!((45..=75).contains(&report.migrations), "{report:?}");
        assert_eq!(report.messages, report.migrations);
        assert!(report.is_over && report.groups[0].done == 80);
    }
    for report in each(&text("1.0"), &costs_of_a_kernel(), 1) {
        assert_eq!((report.migrations, report.groups[0].done), (0, 80));
    }
    for report in each(&text("0.25"), &costs_of_a_kernel(), 4) {
        assert!((5..=30).contains(&report.migrations), "{report:?}");
    }
}

#[test]
fn a_full_ring_loses_nothing_and_a_busy_target_needs_few_doorbells() {
    let text = "duration = \"20ms\"
        [group.client]
        count = 1
        on = [0]
        service = { fixed = \"1ns\" }
        send = { to = \"server\", window = 1000 }
        [group.server]
        count = 1
        on = [1]
        service = { fixed = \"100ns\" }";
    for report in each(text, &Costs { message: 100, send: 20, enter: 100, ..free() }, 2) {
        assert!(report.ring_full > 100 && report.groups[1].done > 1000, "{report:?}");
        assert!(report.ipis_avoided > 10 * report.ipis_sent, "{report:?}");
    }
}

#[test]
fn a_barrier_lets_nobody_ahead() {
    let text = "duration = \"200ms\"
        [group.solver]
        per_cpu = 3
        service = { exponential = \"1ms\" }
        barrier = true";
    for report in each(text, &costs_of_a_kernel(), 4) {
        let solver = &report.groups[0];
        assert!(solver.done > 12 * 10 && solver.came - solver.done <= 12, "{solver:?}");
    }
}

/// What has an end of its own is over when all jobs are done, and then nothing is left.
#[test]
fn jobs_that_are_counted_come_to_an_end() {
    let text = "duration = \"10s\"
        jobs = 7
        [group.client]
        count = 3
        on = [0]
        arrivals = { poisson = \"2ms\" }
        service = { exponential = \"100us\" }
        send = { to = \"server\", window = 2, choose = \"any\" }
        [group.server]
        count = 2
        on = [1]
        service = { fixed = \"10us\" }
        [group.solver]
        per_cpu = 1
        service = { exponential = \"1ms\" }
        barrier = true
        sleep = { fixed = \"5us\" }";
    for report in each(text, &costs_of_a_kernel(), 2) {
        assert!(report.is_over && report.duration < 1_000_000_000, "{report:?}");
        let done: Vec<_> = report.groups.iter().map(|group| (group.came, group.done)).collect();
        assert_eq!(done, [(21, 21), (21, 21), (14, 14)]);
        assert!(report.groups.iter().all(|group| group.service == group.cpu_time));
        // A request and its answer; the solver that is not where the first one is says that it is there, and is released.
        assert_eq!(report.messages, 2 * 21 + 2 * 7);
    }
    let text = text.replace("10s", "1ms");
    for report in each(&text, &costs_of_a_kernel(), 2) {
        assert!(!report.is_over && report.duration == 1_000_000, "{report:?}");
    }
}

/// Where there is one stream of instructions, two that are due at once take turns; their own work is done at the same time.
#[test]
fn paths_take_turns_on_one_stream() {
    let text = "duration = \"10ms\"
        jobs = 1
        [group.pair]
        per_cpu = 1
        service = { fixed = \"1ms\" }
        sleep = { fixed = \"1ms\" }";
    let (workload, costs) = (workload(text), Costs { switch: 1000, ..free() });
    let duration = |streams| {
        let setting = Setting { cpus: 4, seed: 1, streams };
        sim::run(Policies::of(NAMES[0]), &workload, &costs, setting).expect("a policy").duration
    };
    // Each switches to its thread twice: the second time they are apart already.
    assert_eq!(duration(Streams::Each), 2_000_000 + 2 * 1000);
    assert_eq!(duration(Streams::One), 2_000_000 + 4 * 1000 + 1000);
}

fn costs_of_a_kernel() -> Costs {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../baselines");
    Costs::read(std::path::Path::new(folder), Policies::of(NAMES[0]))
        .expect("the baseline of the tree")
}

/// The parts, put together, come near to what the benchmark of the whole counts.
#[test]
fn the_costs_of_a_wake_across_cpus_add_up_to_what_was_counted() {
    let c = costs_of_a_kernel();
    let sum = c.send + RING + c.enter + c.wake + c.leave + c.idle + c.switch;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../baselines/");
    let counted = usual(folder).baseline.figures["kernel/wake_cross"].value / 2;
    assert!(sum.abs_diff(counted) * 10 <= counted, "{sum} by the parts, {counted} counted");
}

/// The last of the usual baselines.
fn usual(folder: &str) -> Accepted {
    let file = std::fs::read_dir(folder).expect("baselines").filter_map(|entry| {
        let path = entry.ok()?.path();
        path.to_string_lossy().ends_with("_smp4.json").then_some(path)
    });
    Accepted::read(&file.max().expect("one"), "runq", NAMES[0]).expect("a baseline")
}

#[test]
fn a_baseline_without_a_figure_says_which() {
    let whole = usual(concat!(env!("CARGO_MANIFEST_DIR"), "/../baselines/"));
    let mut less = whole.clone();
    "less.json".clone_into(&mut less.file);
    less.baseline.figures.remove("ipi/one_way");
    assert!(Costs::of(&less, &whole).is_ok());
    let said = Costs::of(&whole, &less).expect_err("a cost comes of it");
    let why = "the baseline has no figure of ipi/one_way, which a cost comes of";
    assert_eq!(said, format!("less.json: {why}"));
}

/// Every policy that ships has figures of its own.
#[test]
fn costs_are_of_the_policy_that_has_them() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../baselines"));
    let read = |runq, ipi| Costs::read(folder, Policies { runq, ipi }).expect("baselines");
    let default = read(NAMES[0], "elide");
    assert_eq!(default.threads.file, default.doorbell.file);
    for runq in ["list", "fair"] {
        let costs = read(runq, "eager");
        assert_eq!((&*costs.threads.policy, &*costs.doorbell.policy), (runq, "eager"));
        assert!(costs.threads.key.ends_with(&format!("/runq={runq}")), "{}", costs.threads.key);
        assert!(costs.doorbell.key.ends_with("/ipi=eager"), "{}", costs.doorbell.key);
        assert!(costs.switch > default.switch, "{runq} is dearer: {} insns", costs.switch);
    }
    let unknown = read("unheard", "of");
    assert_eq!((&unknown.threads, &unknown.doorbell), (&default.threads, &default.doorbell));
    assert_eq!((&*unknown.threads.policy, &*unknown.doorbell.policy), (NAMES[0], "elide"));
}

/// A doorbell that never elides interrupts for every send; what is done is the same.
#[test]
fn an_eager_doorbell_interrupts_for_every_send() {
    let text = "duration = \"10s\"
        jobs = 500
        [group.client]
        count = 2
        on = [0, 1]
        service = { exponential = \"1us\" }
        send = { to = \"server\", window = 20 }
        [group.server]
        count = 1
        on = [2]
        service = { exponential = \"1us\" }";
    let (workload, setting) =
        (workload(text), Setting { cpus: 3, seed: 1, streams: Streams::Each });
    let run = |ipi| {
        let policies = Policies { runq: NAMES[0], ipi };
        sim::run(policies, &workload, &costs_of_a_kernel(), setting).expect("a doorbell")
    };
    let [elide, eager] = ["elide", "eager"].map(run);
    assert_eq!((eager.messages, eager.groups[1].done), (elide.messages, 1000));
    assert_eq!((eager.ipis_sent, eager.ipis_avoided), (eager.messages, 0));
    assert!(elide.ipis_sent < eager.ipis_sent && elide.ipis_avoided > 0, "{elide:?}");
}
