//! The file as it is written, and what makes no sense in it.

use std::collections::BTreeMap;

use serde::Deserialize;

use workload::{LONGEST, MOST_WINDOW, PRIORITIES};

use super::{Affinity, Barrier, Choose, Count, Group, Pull, Send, Share, Source, Time, Workload};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    duration: Span,
    jobs: Option<u64>,
    group: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    count: Option<usize>,
    per_cpu: Option<usize>,
    #[serde(default = "usual_priority")]
    priority: u8,
    on: Option<Cpus>,
    go: Option<f64>,
    arrivals: Option<Arrivals>,
    service: Distribution,
    send: Option<Sending>,
    #[serde(default)]
    barrier: bool,
    sleep: Option<Distribution>,
    #[serde(default)]
    pull: bool,
}

fn usual_priority() -> u8 {
    lwkt_sched::Priority::USER.get()
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"spread\" or a list of CPUs")]
enum Cpus {
    Word(Spread),
    List(Vec<usize>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Spread {
    Spread,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Arrivals {
    Every(Span),
    Poisson(Span),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Distribution {
    Fixed(Span),
    Exponential(Span),
    Bimodal(Bimodal),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bimodal {
    short: Span,
    long: Span,
    share: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sending {
    to: String,
    #[serde(default = "one")]
    window: u64,
    #[serde(default)]
    choose: Choice,
}

fn one() -> u64 {
    1
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Choice {
    #[default]
    Own,
    Any,
}

/// A time as it is written, in nanoseconds.
#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "String")]
struct Span(u64);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
        let wrong = || format!("'{text}' is no time; write it as 500ns, 10us, 2ms or 1.5s");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = UNITS.iter().find(|(unit, _)| *unit == &text[digits.len()..]);
        let number: f64 = digits.parse().map_err(|_| wrong())?;
        let nanos = number * unit.ok_or_else(wrong)?.1;
        if !(1.0..=LONGEST as f64).contains(&nanos) {
            return Err(format!("'{text}' is not from 1ns to 3600s"));
        }
        Ok(Span(nanos.round() as u64))
    }
}

pub(super) fn parse(name: &str, text: &str) -> Result<Workload, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!(":{line}: {}", error.message().lines().collect::<Vec<_>>().join("; "))
    })?;
    if file.group.is_empty() {
        return Err(": group: there is none".to_owned());
    }
    let names: Vec<&String> = file.group.keys().collect();
    let groups: Result<Vec<Group>, String> = file
        .group
        .iter()
        .map(|(name, entry)| {
            let asked = file.group.values().any(|one| one.asks(name));
            let key = |(key, why): (&str, String)| format!(": group.{name}.{key}: {why}");
            group(name, entry, &names, asked).map_err(key)
        })
        .collect();
    let (name, about, duration) = (name.to_owned(), file.about, file.duration.0);
    if file.jobs == Some(0) {
        return Err(": jobs: 1 at least".to_owned());
    }
    let workload = Workload { name, about, duration, jobs: file.jobs, groups: groups? };
    match workload.circle() {
        None => Ok(workload),
        Some(at) => {
            let name = &workload.groups[at].name;
            Err(format!(": group.{name}.send.to: its requests lead back to it"))
        }
    }
}

impl Entry {
    fn asks(&self, name: &str) -> bool {
        self.send.as_ref().is_some_and(|send| send.to == name)
    }
}

type Wrong = (&'static str, String);

fn group(name: &str, entry: &Entry, names: &[&String], asked: bool) -> Result<Group, Wrong> {
    let wrong = |key, why: &str| Err((key, why.to_owned()));
    let count = match (entry.count, entry.per_cpu) {
        (Some(count @ 1..), None) => Count::Total(count),
        (None, Some(count @ 1..)) => Count::PerCpu(count),
        (Some(_), Some(_)) => {
            return wrong("count", "count and per_cpu are two answers to one question");
        }
        (None, None) => return wrong("count", "how many threads? count or per_cpu"),
        (Some(0), None) => return wrong("count", "1 at least"),
        (None, Some(0)) => return wrong("per_cpu", "1 at least"),
    };
    if !PRIORITIES.contains(&entry.priority) {
        return wrong("priority", "1 to 31");
    }
    let on = match &entry.on {
        None | Some(Cpus::Word(Spread::Spread)) => Affinity::Spread,
        Some(Cpus::List(these)) if these.is_empty() => return wrong("on", "no CPU at all"),
        Some(Cpus::List(these)) => Affinity::On(these.clone()),
    };
    let arrivals = entry.arrivals.as_ref().map(|arrivals| match arrivals {
        Arrivals::Every(span) => Time::Fixed(span.0),
        Arrivals::Poisson(span) => Time::Exponential(span.0),
    });
    let source = match arrivals {
        Some(_) if asked => return wrong("arrivals", "its jobs are the requests of others"),
        Some(_) if entry.sleep.is_some() => {
            return wrong("sleep", "it sleeps until the next arrival");
        }
        Some(time) => Source::Arrivals(time),
        None if asked => Source::Requests,
        None => Source::Always,
    };
    if asked && entry.barrier {
        return wrong("barrier", "a thread without a request would never come to it");
    }
    let send = entry.send.as_ref().map(|send| sending(send, names)).transpose()?;
    let go = entry.go.map(|part| share("go", part)).transpose()?;
    let group = Group {
        name: name.to_owned(),
        count,
        priority: entry.priority,
        on,
        go,
        source,
        service: time("service", &entry.service)?,
        send,
        barrier: if entry.barrier { Barrier::All } else { Barrier::None },
        sleep: entry.sleep.as_ref().map(|sleep| time("sleep", sleep)).transpose()?,
        pull: if entry.pull { Pull::Any } else { Pull::Never },
    };
    if go.is_some() && !group.may_go() {
        let why = "who goes is nowhere for good, gets no requests, and has one unanswered at most";
        return wrong("go", why);
    }
    Ok(group)
}

fn sending(send: &Sending, names: &[&String]) -> Result<Send, Wrong> {
    let Some(to) = names.iter().position(|name| **name == send.to) else {
        return Err(("send.to", format!("no group is called '{}'", send.to)));
    };
    if !(1..=MOST_WINDOW).contains(&send.window) {
        return Err(("send.window", format!("1 to {MOST_WINDOW}")));
    }
    let choose = match send.choose {
        Choice::Own => Choose::Own,
        Choice::Any => Choose::Any,
    };
    Ok(Send { to, window: send.window, choose })
}

fn time(key: &'static str, distribution: &Distribution) -> Result<Time, Wrong> {
    Ok(match distribution {
        Distribution::Fixed(span) => Time::Fixed(span.0),
        Distribution::Exponential(span) => Time::Exponential(span.0),
        Distribution::Bimodal(Bimodal { short, long, share: part }) => {
            Time::Bimodal { short: short.0, long: long.0, share: share(key, *part)? }
        }
    })
}

fn share(key: &'static str, part: f64) -> Result<Share, Wrong> {
    if (0.0..=1.0).contains(&part) {
        Ok(Share((part * f64::from(u32::MAX)).round() as u32))
    } else {
        Err((key, "share is from 0 to 1".to_owned()))
    }
}
