//! The compact form of a workload: the bytes that are put beside the kernel.
//!
//! ```text
//! MAGIC  VERSION  name  duration  jobs + 1, or 0  groups  group ...
//! group: name  count  priority  on  go + 1, or 0  source  service  send  barrier  sleep  pull
//! ```
//! Numbers are of 7 bits a byte, the lowest first; texts and lists have their length in front. Law: what [`decode`] takes makes
//! sense, whoever wrote it: no number is out of its bounds, and no group waits for itself. What does not is refused by a line.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::model::{
    Affinity, Barrier, Choose, Count, Group, LONGEST, MOST_WINDOW, PRIORITIES, Pull, Send, Share,
    Source, Time, Workload,
};

/// What every form begins with.
const MAGIC: &[u8; 4] = b"work";
/// Changes whenever the form does.
const VERSION: u8 = 2;
/// More groups, or CPUs of a group, than anybody names.
const MOST: u64 = 10_000;

/// Why bytes are no workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// They do not begin like one.
    Magic,
    /// They are of another version.
    Version(u8),
    /// They end inside.
    Short,
    /// Some are left over.
    Rest,
    /// A field is out of its bounds.
    Field(&'static str),
    /// A group whose requests lead back to it.
    Circle,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("this is no workload"),
            Self::Version(version) => {
                write!(f, "a workload of version {version}, and this is {VERSION}")
            }
            Self::Short => f.write_str("the workload is cut off"),
            Self::Rest => f.write_str("bytes are left after the workload"),
            Self::Field(what) => write!(f, "{what} makes no sense"),
            Self::Circle => f.write_str("the requests of a group lead back to it"),
        }
    }
}

impl core::error::Error for Bad {}

/// The compact form, without what only people read.
pub fn encode(workload: &Workload) -> Vec<u8> {
    let mut to = Writer(MAGIC.to_vec());
    to.0.push(VERSION);
    to.text(&workload.name);
    to.number(workload.duration);
    to.number(workload.jobs.map_or(0, |jobs| jobs.saturating_add(1)));
    to.number(workload.groups.len() as u64);
    workload.groups.iter().for_each(|group| to.group(group));
    to.0
}

/// The workload of these bytes.
///
/// # Errors
/// They are none, or it makes no sense.
pub fn decode(bytes: &[u8]) -> Result<Workload, Bad> {
    let mut from = Reader(bytes.strip_prefix(MAGIC).ok_or(Bad::Magic)?);
    match from.byte()? {
        VERSION => {}
        other => return Err(Bad::Version(other)),
    }
    let name = from.text()?;
    let duration = from.within(1, LONGEST, "how long it takes")?;
    let jobs = from.number()?.checked_sub(1);
    let count = from.within(1, MOST, "how many groups there are")? as usize;
    let groups = (0..count).map(|_| from.group(count)).collect::<Result<Vec<_>, _>>()?;
    if !from.0.is_empty() {
        return Err(Bad::Rest);
    }
    for group in &groups {
        let asked = group.send.map(|send| groups[send.to].source);
        if asked.is_some_and(|source| source != Source::Requests) {
            return Err(Bad::Field("who gets requests"));
        }
    }
    let workload = Workload { name, about: String::new(), duration, jobs, groups };
    if workload.circle().is_some() { Err(Bad::Circle) } else { Ok(workload) }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        numbers.into_iter().for_each(|number| self.number(number));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn time(&mut self, time: Time) {
        match time {
            Time::Fixed(nanos) => self.numbers([0, nanos]),
            Time::Exponential(mean) => self.numbers([1, mean]),
            Time::Bimodal { short, long, share } => {
                self.numbers([2, short, long, share.0.into()]);
            }
        }
    }

    fn group(&mut self, group: &Group) {
        self.text(&group.name);
        match group.count {
            Count::Total(count) => self.numbers([0, count as u64]),
            Count::PerCpu(count) => self.numbers([1, count as u64]),
        }
        self.number(group.priority.into());
        match &group.on {
            Affinity::Spread => self.number(0),
            Affinity::On(cpus) => {
                self.number(cpus.len() as u64);
                cpus.iter().for_each(|cpu| self.number(*cpu as u64));
            }
        }
        self.number(group.go.map_or(0, |share| u64::from(share.0) + 1));
        match group.source {
            Source::Always => self.number(0),
            Source::Requests => self.number(1),
            Source::Arrivals(apart) => {
                self.number(2);
                self.time(apart);
            }
        }
        self.time(group.service);
        match group.send {
            None => self.number(0),
            Some(Send { to, window, choose }) => {
                self.numbers([window, to as u64, u64::from(choose == Choose::Any)]);
            }
        }
        self.number(u64::from(group.barrier == Barrier::All));
        self.number(group.sleep.is_some().into());
        group.sleep.into_iter().for_each(|sleep| self.time(sleep));
        self.number(u64::from(group.pull == Pull::Any));
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Bad> {
        let (&first, rest) = self.0.split_first().ok_or(Bad::Short)?;
        self.0 = rest;
        Ok(first)
    }

    fn number(&mut self) -> Result<u64, Bad> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err(Bad::Field("a number"));
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Bad::Field("a number"))
    }

    fn within(&mut self, least: u64, most: u64, what: &'static str) -> Result<u64, Bad> {
        let number = self.number()?;
        if (least..=most).contains(&number) { Ok(number) } else { Err(Bad::Field(what)) }
    }

    fn one_of<T: Copy, const N: usize>(
        &mut self,
        these: [T; N],
        what: &'static str,
    ) -> Result<T, Bad> {
        let number = self.number()?;
        these.get(number as usize).copied().ok_or(Bad::Field(what))
    }

    fn text(&mut self) -> Result<String, Bad> {
        let length = usize::try_from(self.number()?).map_err(|_| Bad::Short)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Bad::Short)?;
        self.0 = rest;
        let text = core::str::from_utf8(text).map_err(|_| Bad::Field("a name"))?;
        Ok(String::from(text))
    }

    fn time(&mut self) -> Result<Time, Bad> {
        let kind = self.number()?;
        let nanos = self.within(1, LONGEST, "a time")?;
        match kind {
            0 => Ok(Time::Fixed(nanos)),
            1 => Ok(Time::Exponential(nanos)),
            2 => {
                let long = self.within(1, LONGEST, "a time")?;
                let share = self.within(0, u32::MAX.into(), "a share")?;
                Ok(Time::Bimodal { short: nanos, long, share: Share(share as u32) })
            }
            _ => Err(Bad::Field("a distribution of times")),
        }
    }

    fn group(&mut self, groups: usize) -> Result<Group, Bad> {
        const MANY: &str = "how many threads there are";
        const GO: &str = "who goes elsewhere";
        let name = self.text()?;
        let per_cpu = self.one_of([false, true], MANY)?;
        let count = self.within(1, u32::MAX.into(), MANY)? as usize;
        let (least, most) = (*PRIORITIES.start(), *PRIORITIES.end());
        let priority = self.within(least.into(), most.into(), "a priority")? as u8;
        let on = match self.within(0, MOST, "a list of CPUs")? {
            0 => Affinity::Spread,
            count => {
                let cpu = |_| Ok(self.within(0, MOST, "a CPU")? as usize);
                Affinity::On((0..count).map(cpu).collect::<Result<_, _>>()?)
            }
        };
        let go = self.within(0, 1 << 32, GO)?.checked_sub(1).map(|share| Share(share as u32));
        let source = match self.number()? {
            0 => Source::Always,
            1 => Source::Requests,
            2 => Source::Arrivals(self.time()?),
            _ => return Err(Bad::Field("where jobs come from")),
        };
        let service = self.time()?;
        let send = match self.within(0, MOST_WINDOW, "a window")? {
            0 => None,
            window => Some(Send {
                to: self.within(0, groups as u64 - 1, "who gets requests")? as usize,
                window,
                choose: self.one_of([Choose::Own, Choose::Any], "whom a request goes to")?,
            }),
        };
        let barrier = self.one_of([Barrier::None, Barrier::All], "a barrier")?;
        if barrier == Barrier::All && source == Source::Requests {
            return Err(Bad::Field("a barrier behind requests"));
        }
        let sleep = match self.one_of([false, true], "a sleep")? {
            false => None,
            true => Some(self.time()?),
        };
        let pull = self.one_of([Pull::Never, Pull::Any], "who pulls")?;
        let count = if per_cpu { Count::PerCpu(count) } else { Count::Total(count) };
        let group =
            Group { name, count, priority, on, go, source, service, send, barrier, sleep, pull };
        if go.is_some() && !group.may_go() { Err(Bad::Field(GO)) } else { Ok(group) }
    }
}

#[cfg(test)]
pub(crate) mod tests;
