//! What to tell a person whose run did not succeed: what happened, the last that was heard, where
//! every CPU was, and what to do next.

use bench_api::wire::Record;

use crate::{
    CpuStack, Frame, Limit, Mode, Outcome, Report, Request, StackFrame, Trust, command::quote,
    screen::duration, symbols::shorten,
};

/// How much of what was heard last is shown.
const LAST: usize = 12;
/// How many frames of a stack are shown.
const DEEP: usize = 24;

/// Returns the lines about a run that failed; `at` is what was going on, as `bench ipi/storm`.
pub fn lines(report: &Report, request: &Request, at: Option<&str>) -> Vec<String> {
    let mut lines = vec![headline(report, at)];
    lines.extend(report.notes.iter().map(|note| format!("  note: {note}")));
    section(&mut lines, "QEMU said", tail(&report.stderr));
    section(&mut lines, "last on the serial port", tail(before_panic(report)));
    section(&mut lines, "last log lines", last_frames(&report.frames));
    lines.extend(stacks(&report.stacks));
    let next = next(report, request);
    lines.extend(next.iter().map(|step| format!("next: {step}")));
    lines
}

/// Returns what happened, in a line.
fn headline(report: &Report, at: Option<&str>) -> String {
    let during = at.map(|at| format!(" in {at}")).unwrap_or_default();
    let scaled = |limit: &str| {
        if report.scale > 1.05 {
            format!(
                "{limit}, {:.1} times as long as usual: this host is slow or busy",
                report.scale
            )
        } else {
            limit.to_owned()
        }
    };
    match &report.outcome {
        Outcome::Success => "SUCCESS".into(),
        Outcome::TestFailed => format!("FAILED{during}: the kernel reports a failed test"),
        Outcome::Panic => {
            let message = report.panic.as_deref().unwrap_or("the kernel gave up");
            format!("PANIC{during}: {message}")
        }
        Outcome::Deadlock => {
            format!("DEADLOCK{during}: every CPU halts, and nothing is left that could wake one")
        }
        Outcome::Refused => "REFUSED: the kernel cannot run like this, and says why".into(),
        Outcome::TripleFault => format!(
            "TRIPLE FAULT{during}: a CPU could not deliver an exception, and the machine reset"
        ),
        Outcome::Hang { after, limit: Limit::Quiet } => {
            format!("HANG{during}: nothing heard for {}", scaled(&duration(*after)))
        }
        Outcome::Hang { after, limit: Limit::Total } => {
            format!("TIME-OUT{during}: still running after {}", scaled(&duration(*after)))
        }
        Outcome::Silent { after } => {
            format!("SILENT: not a word from the kernel in {}", scaled(&duration(*after)))
        }
        Outcome::PoweredOff => format!("POWERED OFF{during}: the machine ended without a verdict"),
        Outcome::NotStarted { status } => match status {
            Some(status) => format!("QEMU DID NOT START: it ended with status {status}"),
            None => "QEMU DID NOT START: it did not answer, or was killed".into(),
        },
        Outcome::KvmBroken { why } => format!("KVM DOES NOT WORK HERE: {why}"),
        Outcome::Died { status } if *status < 0 => {
            format!("QEMU DIED{during}: killed by signal {}", -status)
        }
        Outcome::Died { status } => {
            format!("QEMU DIED{during}: status {status}, which is no verdict of the kernel's")
        }
        Outcome::Interrupted { .. } => format!("INTERRUPTED{during}: QEMU was ended"),
    }
}

fn section(lines: &mut Vec<String>, title: &str, body: Vec<String>) {
    if !body.is_empty() {
        lines.push(format!("  {title}:"));
        lines.extend(body.into_iter().map(|line| format!("    {line}")));
    }
}

/// What was heard before the panic, when its message is in the headline and the stacks are below: the kernel's own
/// account of its CPUs says no more.
fn before_panic(report: &Report) -> &[String] {
    let text = &report.text;
    if report.panic.is_none() || report.stacks.is_empty() {
        return text;
    }
    // Where the message is no longer among what is kept, all of that came after it.
    let panic = text.iter().position(|line| line.starts_with("panic: ")).unwrap_or(0);
    let end = text[..panic].iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    &text[..end]
}

fn tail(lines: &[String]) -> Vec<String> {
    lines[lines.len().saturating_sub(LAST)..].to_vec()
}

fn last_frames(frames: &[Frame]) -> Vec<String> {
    let logs: Vec<String> =
        frames.iter().filter(|frame| frame.record().is_none()).map(log).collect();
    tail(&logs)
}

/// Returns what a frame tells a person: lines of a program or of the kernel, a thread, or a line of the log. Results of
/// tests are not among it.
pub fn said(frame: &Frame) -> Vec<String> {
    match frame.record() {
        Some(bytes) => Record::decode(&bytes).map(|record| said_by(&record)).unwrap_or_default(),
        None => vec![log(frame)],
    }
}

/// The same of a record.
pub(crate) fn said_by(record: &Record<'_>) -> Vec<String> {
    match *record {
        Record::Log { source, text } => {
            text.lines().map(|line| format!("{source}: {line}")).collect()
        }
        Record::Thread { name, cpu, state } => vec![format!("     [{cpu}] {name:<17} {state}")],
        _ => Vec::new(),
    }
}

fn log(frame: &Frame) -> String {
    let level = frame.level.map(|level| format!("{} ", level.name())).unwrap_or_default();
    let place = frame
        .location
        .as_ref()
        .map(|at| format!(" ({}:{})", shorten(&at.file.to_string_lossy()), at.line))
        .unwrap_or_default();
    format!("[{}] {level}{}{place}", frame.cpu, frame.message)
}

/// Returns the stacks; CPUs whose stacks are the same share one.
pub fn stacks(stacks: &[CpuStack]) -> Vec<String> {
    let mut groups: Vec<(Vec<u32>, &CpuStack)> = Vec::new();
    for stack in stacks {
        let same = |other: &CpuStack| {
            let path = |stack: &CpuStack| -> Vec<u64> {
                stack.frames.iter().map(|frame| frame.address).collect()
            };
            path(other) == path(stack) && state(other) == state(stack)
        };
        match groups.iter_mut().find(|(_, first)| same(first)) {
            Some((cpus, _)) => cpus.push(stack.cpu),
            None => groups.push((vec![stack.cpu], stack)),
        }
    }
    groups.iter().flat_map(|(cpus, stack)| group(cpus, stack)).collect()
}

fn group(cpus: &[u32], stack: &CpuStack) -> Vec<String> {
    let plural = if cpus.len() == 1 { "CPU" } else { "CPUs" };
    let mut lines = vec![format!("  {plural} {}, {}:", ranges(cpus), state(stack))];
    for frame in stack.frames.iter().take(DEEP) {
        lines.extend(frame_lines(frame).into_iter().map(|line| format!("    {line}")));
    }
    if stack.frames.len() > DEEP {
        lines.push(format!("    ... {} more", stack.frames.len() - DEEP));
    }
    lines
}

/// Returns ascending numbers as `0 2-5 9`.
fn ranges(numbers: &[u32]) -> String {
    numbers
        .chunk_by(|before, after| before + 1 == *after)
        .map(|run| match run {
            [only] => only.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn state(stack: &CpuStack) -> &'static str {
    match (&stack.registers.ring, stack.registers.halted, stack.registers.interrupts) {
        (3, ..) => "in ring 3",
        (_, true, true) => "halted, interrupts on",
        (_, true, false) => "halted, interrupts off",
        (_, false, true) => "running, interrupts on",
        (_, false, false) => "running, interrupts off",
    }
}

fn frame_lines(frame: &StackFrame) -> Vec<String> {
    let doubt = if frame.trust == Trust::Guessed { "? " } else { "" };
    if frame.places.is_empty() {
        let ring = if frame.ring3 { "ring 3 at " } else { "" };
        return vec![format!("{doubt}{ring}{:#x}", frame.address)];
    }
    frame
        .places
        .iter()
        .map(|place| format!("{doubt}{place}{}", if place.inlined { " inlined" } else { "" }))
        .collect()
}

/// Returns what to do next, one step a line.
fn next(report: &Report, request: &Request) -> Vec<String> {
    let interrupts = "./x boot -- -d int,cpu_reset    logs every exception before it".to_owned();
    let debugger =
        "./x boot --gdb    stops before the first instruction and waits for gdb".to_owned();
    let longer = |what: &str| {
        format!("{what}, or run again on a quieter host: limits follow its speed at the start")
    };
    match &report.outcome {
        Outcome::Success | Outcome::Interrupted { .. } => Vec::new(),
        Outcome::TestFailed => {
            vec!["what failed stands in the source behind an `ensure!` or `check`; ./x trace with its name and this seed shows what each CPU did".into()]
        }
        Outcome::Panic => {
            vec!["the first frame of ours above is where to look".into(), debugger]
        }
        Outcome::Deadlock => {
            vec!["each thread above names what it waits for: who was to wake it?".into(), debugger]
        }
        Outcome::Refused => {
            vec!["./x run --help    says what a machine and a command line can be".into()]
        }
        Outcome::TripleFault => vec![interrupts, debugger],
        Outcome::Hang { .. } => {
            vec![
                longer(
                    "look at the CPUs that run: interrupts off? waiting for one that was not told",
                ),
                debugger,
            ]
        }
        Outcome::Silent { .. } => vec![
            "./x boot    shows whether the kernel speaks text without frames".into(),
            interrupts,
        ],
        Outcome::PoweredOff => vec![debugger],
        Outcome::NotStarted { .. } => not_started(report, request),
        Outcome::KvmBroken { .. } => {
            vec!["--mode insns (exact) or --mode tcg work without KVM".into()]
        }
        Outcome::Died { .. }
            if report.stderr.iter().any(|line| line.contains("Bad icount read")) =>
        {
            vec![
                "--xapic: QEMU cannot count instructions while a kernel sets the x2APIC timer the plain way"
                    .into(),
            ]
        }
        Outcome::Died { .. } => vec![format!("the same by hand: {}", report.command)],
    }
}

fn not_started(report: &Report, request: &Request) -> Vec<String> {
    let mut next = Vec::new();
    if !request.extra.is_empty() {
        let extra: Vec<String> = request.extra.iter().map(|word| quote(word)).collect();
        next.push(format!("without the arguments after --: {}", extra.join(" ")));
    }
    if request.mode == Mode::Kvm {
        next.push("--mode insns or --mode tcg".into());
    }
    next.push(format!("the same by hand: {}", report.command));
    next.push("./x doctor    says whether this QEMU is old enough to be the reason".into());
    next
}

#[cfg(test)]
mod tests;
