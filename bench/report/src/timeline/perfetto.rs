//! The file: an array of JSON objects, as Chrome's trace format has them.

use std::collections::HashMap;
use std::io;

use lwkt_sched::{Reason, Refusal};
use probe::{Event, Kind};
use serde_json::{Value, json};

use super::Facts;
use super::arrows::{Arrows, End, Way};

/// Tracks of a CPU: what runs, what happens meanwhile, what of ring 3 runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Track {
    Threads = 1,
    Events = 2,
    Users = 3,
}

impl Track {
    const ALL: [(Self, &str); 3] =
        [(Self::Threads, ""), (Self::Events, " events"), (Self::Users, " user threads")];

    fn of(self, cpu: u64) -> u64 {
        cpu * 4 + self as u64
    }
}

/// A slice that has begun.
struct Open {
    name: String,
    since: u64,
}

/// The letters of a name, which zeroes follow.
fn text(letters: &[u8]) -> String {
    String::from_utf8_lossy(letters).trim_end_matches('\0').to_owned()
}

/// What is known of a CPU at this point of the file.
#[derive(Default)]
struct State {
    /// Who runs on it.
    thread: Option<u64>,
    running: Option<Open>,
    /// A call of another CPU, which runs until the next event.
    call: Option<Open>,
    user: Option<Open>,
    /// IPIs that it has sent since the file begins, and avoided.
    ipis: [u64; 2],
}

/// Writes one event after the other.
pub struct Writer<'a> {
    out: &'a mut dyn io::Write,
    facts: &'a Facts<'a>,
    cpus: HashMap<u64, State>,
    names: HashMap<u64, String>,
    /// The user thread that a thread ran last, in ring 3.
    users: HashMap<u64, String>,
    functions: HashMap<u64, String>,
    arrows: Arrows<(u64, u64)>,
    /// Arrows so far.
    number: u64,
    is_first: bool,
    /// The ticks of the first event, where the file begins, and of the last so far.
    begin: u64,
    last: u64,
}

impl<'a> Writer<'a> {
    pub fn begin(
        out: &'a mut dyn io::Write,
        facts: &'a Facts<'a>,
        cpus: &[u64],
        begin: u64,
    ) -> io::Result<Self> {
        out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n")?;
        let mut writer = Self {
            out,
            facts,
            cpus: HashMap::new(),
            names: HashMap::new(),
            users: HashMap::new(),
            functions: HashMap::new(),
            arrows: Arrows::default(),
            number: 0,
            is_first: true,
            begin,
            last: begin,
        };
        writer.object(&json!({
            "ph": "M", "pid": 1, "name": "process_name", "args": { "name": "damselfly" },
        }))?;
        for cpu in cpus {
            for (track, suffix) in Track::ALL {
                let (tid, name) = (track.of(*cpu), format!("CPU {cpu}{suffix}"));
                writer.object(&json!({
                    "ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": { "name": name },
                }))?;
                writer.object(&json!({
                    "ph": "M", "pid": 1, "tid": tid, "name": "thread_sort_index", "args": { "sort_index": tid },
                }))?;
            }
        }
        Ok(writer)
    }

    pub fn event(&mut self, cpu: u64, event: &Event) -> io::Result<()> {
        self.last = event.tick;
        let call = self.state(cpu).call.take();
        self.slice(cpu, Track::Events, call, event.tick)?;
        match event.kind {
            Kind::started => {
                let name = text(&event.letters());
                self.names.insert(event.words[0], name);
            }
            Kind::switched => {
                self.state(cpu).thread = Some(event.words[0]);
                let user = self.users.get(&event.words[0]).cloned();
                self.user(cpu, user, event.tick)?;
                self.run(cpu, event.tick)?;
            }
            Kind::rests => self.running(cpu, "rests".to_owned(), event.tick)?,
            Kind::rested => self.run(cpu, event.tick)?,
            Kind::ran => {
                let name = self.function(event.words[1]);
                self.state(cpu).call = Some(Open { name, since: event.tick });
            }
            Kind::user => {
                let [thread, process, _] = event.words;
                let process = text(&process.to_le_bytes());
                let name = match thread {
                    0 => format!("{process} looks around"),
                    _ => format!("{process} {thread:#x}"),
                };
                if let Some(carrier) = self.state(cpu).thread {
                    self.users.insert(carrier, name.clone());
                }
                self.user(cpu, Some(name), event.tick)?;
            }
            Kind::begun => {
                let name = text(&event.letters());
                self.instant(cpu, &name, "g", event)?;
            }
            Kind::sent | Kind::put | Kind::received | Kind::replied | Kind::back => {}
            kind => {
                let name = self.words(kind, event);
                self.instant(cpu, &name, "t", event)?;
                if let Kind::rung | Kind::avoided = kind {
                    self.count_ipi(cpu, kind, event.tick)?;
                }
            }
        }
        // A line is one of its CPU's.
        let name = |way| if way == Way::Line { cpu << 32 | event.words[0] } else { event.words[0] };
        match End::of(event.kind) {
            Some(End::Tail(way)) => {
                self.arrows.leaves(way, name(way), (cpu, event.tick));
                Ok(())
            }
            Some(End::Head(way)) => match self.arrows.comes(way, name(way)) {
                Some(tail) => self.arrow(way, tail, (cpu, event.tick)),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Closes what is open, and the file.
    pub fn end(mut self) -> io::Result<()> {
        let cpus: Vec<_> = self.cpus.keys().copied().collect();
        for cpu in cpus {
            let State { running, call, user, .. } = std::mem::take(self.state(cpu));
            for (track, open) in
                [(Track::Threads, running), (Track::Events, call), (Track::Users, user)]
            {
                self.slice(cpu, track, open, self.last)?;
            }
        }
        self.out.write_all(b"\n]}\n")
    }

    fn state(&mut self, cpu: u64) -> &mut State {
        self.cpus.entry(cpu).or_default()
    }

    /// The thread of a CPU runs from now on.
    fn run(&mut self, cpu: u64, tick: u64) -> io::Result<()> {
        let Some(thread) = self.state(cpu).thread else { return Ok(()) };
        let name = self.thread(thread);
        self.running(cpu, name, tick)
    }

    fn running(&mut self, cpu: u64, name: String, tick: u64) -> io::Result<()> {
        let before = self.state(cpu).running.replace(Open { name, since: tick });
        self.slice(cpu, Track::Threads, before, tick)
    }

    fn user(&mut self, cpu: u64, name: Option<String>, tick: u64) -> io::Result<()> {
        let open = name.map(|name| Open { name, since: tick });
        let before = std::mem::replace(&mut self.state(cpu).user, open);
        self.slice(cpu, Track::Users, before, tick)
    }

    fn thread(&self, thread: u64) -> String {
        self.names.get(&thread).cloned().unwrap_or_else(|| format!("thread {thread:#x}"))
    }

    fn function(&mut self, address: u64) -> String {
        let facts = self.facts;
        let named = || (facts.function)(address).unwrap_or_else(|| format!("{address:#x}"));
        self.functions.entry(address).or_insert_with(named).clone()
    }

    /// What an instant is called.
    fn words(&self, kind: Kind, event: &Event) -> String {
        let [first, second, _] = event.words;
        match kind {
            Kind::woke | Kind::ended | Kind::came => {
                format!("{} {}", kind.name(), self.thread(first))
            }
            Kind::returned => format!("returned to {}", self.thread(first)),
            Kind::leaves => format!("{} leaves for CPU {second}", self.thread(first)),
            Kind::borrowed => {
                format!("{} borrows from {}", self.thread(first), self.thread(second))
            }
            Kind::refused => {
                let reason = Refusal::ALL.get(first as usize).map_or("?", |reason| reason.word());
                format!("{} does not preempt: {reason}", self.thread(second))
            }
            Kind::raised if second == 1 => format!("raised line {first}, in a critical section"),
            Kind::raised => format!("raised line {first}"),
            Kind::handles => format!("handles line {first}"),
            Kind::rung
            | Kind::avoided
            | Kind::full
            | Kind::kept
            | Kind::unsent
            | Kind::taken_away
            | Kind::given_back => format!("{} CPU {first}", kind.name()),
            Kind::parked => format!("parked by CPU {first}"),
            Kind::goes_on => format!("let go by CPU {first}"),
            Kind::freed => format!("freed objects of CPU {first}"),
            Kind::faulted => {
                let access = ["reading", "writing", "executing"];
                format!("faulted {}", access.get(first as usize).unwrap_or(&"?"))
            }
            Kind::waits => {
                let reason = Reason::ALL.get(first as usize).map_or("?", |reason| reason.words());
                format!("waits for {reason}")
            }
            Kind::entered => {
                format!(
                    "entered by {}",
                    ["send", "receive", "wait"].get(first as usize).unwrap_or(&"?")
                )
            }
            _ => kind.name().to_owned(),
        }
    }

    fn slice(&mut self, cpu: u64, track: Track, open: Option<Open>, end: u64) -> io::Result<()> {
        let Some(Open { name, since }) = open else { return Ok(()) };
        self.object(&json!({
            "ph": "X", "pid": 1, "tid": track.of(cpu), "name": name,
            "ts": self.at(since), "dur": self.micros(end.saturating_sub(since).max(1)),
        }))
    }

    fn instant(&mut self, cpu: u64, name: &str, scope: &str, event: &Event) -> io::Result<()> {
        let mut args = serde_json::Map::new();
        for (word, value) in event.named() {
            args.insert(word.to_owned(), format!("{value:#x}").into());
        }
        self.object(&json!({
            "ph": "i", "s": scope, "pid": 1, "tid": Track::Events.of(cpu), "name": name,
            "ts": self.at(event.tick), "args": args,
        }))
    }

    /// A point of the curves of a CPU.
    fn count_ipi(&mut self, cpu: u64, kind: Kind, tick: u64) -> io::Result<()> {
        let ipis = &mut self.state(cpu).ipis;
        ipis[usize::from(kind == Kind::avoided)] += 1;
        let [sent, avoided] = *ipis;
        self.object(&json!({
            "ph": "C", "pid": 1, "name": format!("CPU {cpu} IPIs"), "ts": self.at(tick),
            "args": { "sent": sent, "avoided": avoided },
        }))
    }

    fn arrow(&mut self, way: Way, tail: (u64, u64), head: (u64, u64)) -> io::Result<()> {
        self.number += 1;
        let to = if way == Way::Call { Track::Events } else { Track::Threads };
        for (ph, track, (cpu, tick)) in [("s", Track::Threads, tail), ("f", to, head)] {
            self.object(&json!({
                "ph": ph, "bp": "e", "pid": 1, "tid": track.of(cpu), "id": self.number,
                "cat": way.name(), "name": way.name(), "ts": self.at(tick),
            }))?;
        }
        Ok(())
    }

    /// A time in the file.
    fn at(&self, tick: u64) -> f64 {
        self.micros(tick - self.begin)
    }

    fn micros(&self, ticks: u64) -> f64 {
        ticks as f64 * 1e6 / self.facts.tick_hz as f64
    }

    fn object(&mut self, object: &Value) -> io::Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *self.out, object).map_err(io::Error::from)
    }
}
