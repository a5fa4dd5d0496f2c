//! Instructions counted by CPU, function and line, for a terminal.
//!
//! A line is the innermost one that is not the language library's; before it stand the function that was inlined there and
//! the one that it was inlined into, above it the function that was called.
//! The empty loop's lines are taken off where the sample has the same lines, and stand by themselves where it has not.

use bench_report::BenchResult;
use runner::Step;
use runner::symbols::Place;

use super::Followed;

/// Widths of the two numbers with their margins.
const NUMBER: usize = 7;
const SHARE: usize = 6;
/// Most that a place may take of a line.
const WHERE: usize = 34;

/// The lines of what the others do not explain.
pub const UNSHOWN: &str = "not shown: time asleep, or another stretch of the clock";
pub const TOO_MANY: &str = "less: begun and faulted, or another stretch of the clock";
pub const ANOTHER: &str = "this sample is not the smallest";

/// Instructions of one line.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The CPU.
    pub cpu: u32,
    /// The function that was called.
    pub function: String,
    /// What was inlined into it, innermost first, two at most.
    pub inlined: String,
    /// File and line.
    pub line: String,
    /// How often an instruction of it was executed.
    pub count: i64,
}

/// The rows of some steps, in the order of their first execution.
pub(super) fn rows(steps: &[Step], places: &dyn Fn(u64) -> Vec<Place>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for step in steps {
        let row = row(*step, &places(step.address));
        match rows.iter_mut().find(|old| old.is_like(&row)) {
            Some(old) => old.count += 1,
            None => rows.push(row),
        }
    }
    rows
}

fn row(step: Step, places: &[Place]) -> Row {
    let mut own: Vec<&Place> = places.iter().filter(|place| is_own(place)).collect();
    if own.is_empty() {
        own = places.iter().collect();
    }
    let line = match own.first() {
        Some(Place { file: Some(file), line: Some(line), .. }) => format!("{file}:{line}"),
        _ if own.is_empty() => format!("{:#x}", step.address),
        _ => "(no line)".to_owned(),
    };
    let names: Vec<String> = own.iter().map(|place| short(&place.function)).collect();
    let (function, inlined) = match names.split_last() {
        Some((function, inlined)) => {
            (function.clone(), inlined[..inlined.len().min(2)].join(" < "))
        }
        None => ("unknown code".to_owned(), String::new()),
    };
    Row { cpu: step.cpu, function, inlined, line, count: 1 }
}

/// Whether a place is a line of the project's, or of a crate's that it uses: not the language's own library.
pub(super) fn is_own(place: &Place) -> bool {
    const LIBRARY: [&str; 5] = ["core/", "alloc/", "std/", "stdarch/", "compiler-builtins/"];
    let file = place.file.as_deref().unwrap_or("core/");
    place.line.is_some() && !LIBRARY.iter().any(|folder| file.starts_with(folder))
}

/// Takes the empty loop's lines off.
pub(super) fn subtract(rows: &mut Vec<Row>, empty: Vec<Row>) {
    for row in empty {
        let mut left = row.count;
        for same in rows.iter_mut().filter(|old| old.cpu == row.cpu && old.line == row.line) {
            let taken = left.min(same.count);
            same.count -= taken;
            left -= taken;
        }
        if left > 0 {
            rows.push(Row {
                function: "less: taken off, as the empty loop is".to_owned(),
                count: -left,
                ..row
            });
        }
    }
    rows.retain(|row| row.count != 0);
}

/// The table of one benchmark, and its sum.
pub(super) fn draw(
    result: &BenchResult,
    followed: &Followed,
    places: &dyn Fn(u64) -> Vec<Place>,
    columns: usize,
) -> String {
    let mut rows = rows(&followed.sample, places);
    subtract(&mut rows, self::rows(&followed.less, places));
    let longest = rows.iter().map(|row| row.line.chars().count()).max().unwrap_or(0);
    let sheet = Sheet {
        ops: result.ops,
        total: rows.iter().map(|row| row.count).sum(),
        columns,
        place: longest.min(WHERE),
    };
    let mut text = sheet.head(result);
    let mut cpus: Vec<u32> = rows.iter().map(|row| row.cpu).collect();
    cpus.sort_by_key(|cpu| (*cpu != followed.cpu, *cpu));
    cpus.dedup();
    for cpu in &cpus {
        let mine: Vec<&Row> = rows.iter().filter(|row| row.cpu == *cpu).collect();
        if cpus.len() > 1 {
            let measures = if *cpu == followed.cpu { ", which measures" } else { "" };
            text += &sheet.line(sum(&mine), &format!("CPU {cpu}{measures}"), "");
        }
        text += &sheet.functions(&mine);
    }
    text + &sheet.foot(result, followed)
}

/// What stands in the line of [`locked`].
pub const LOCKED: &str = "of them locked";

/// How many instructions of a sample are locked, and where: what is left of it when all others are taken out.
pub(super) fn locked(
    result: &BenchResult,
    locked: &Followed,
    places: &dyn Fn(u64) -> Vec<Place>,
    columns: usize,
) -> String {
    let mut rows = rows(&locked.sample, places);
    subtract(&mut rows, self::rows(&locked.less, places));
    let longest = rows.iter().map(|row| row.line.chars().count()).max().unwrap_or(0);
    let sheet = Sheet {
        ops: result.ops,
        total: result.summary.min as i64,
        columns,
        place: longest.min(WHERE),
    };
    let mut text = sheet.line(sum(&rows.iter().collect::<Vec<_>>()), LOCKED, "");
    for row in &rows {
        let inner = if row.inlined.is_empty() { &row.function } else { &row.inlined };
        text += &sheet.line(row.count, &format!("  {inner}"), &row.line);
    }
    text
}

fn sum(rows: &[&Row]) -> i64 {
    rows.iter().map(|row| row.count).sum()
}

/// How a table is drawn.
struct Sheet {
    ops: u64,
    total: i64,
    columns: usize,
    /// Width of the places.
    place: usize,
}

impl Sheet {
    fn head(&self, result: &BenchResult) -> String {
        let sample = match self.ops {
            1 => String::new(),
            ops => format!("; a sample is {ops}"),
        };
        let title = format!("why {}: instructions of one operation{sample}\n", result.name);
        title
            + &format!(
                "{:>NUMBER$}{:>SHARE$}  {}\n",
                "insns", "share", "function, inlined < into, line"
            )
    }

    /// Functions in the order of their first execution, each with its lines.
    fn functions(&self, rows: &[&Row]) -> String {
        let mut text = String::new();
        let mut done: Vec<&str> = Vec::new();
        for first in rows {
            if done.contains(&first.function.as_str()) {
                continue;
            }
            done.push(&first.function);
            let mine: Vec<&Row> =
                rows.iter().copied().filter(|row| row.function == first.function).collect();
            text += &self.line(sum(&mine), &first.function, "");
            for row in mine {
                let inlined = if row.inlined.is_empty() { "." } else { &row.inlined };
                text += &self.line(row.count, &format!("  {inlined}"), &row.line);
            }
        }
        text
    }

    /// What the rows add up to, what they do not explain, and the figure.
    fn foot(&self, result: &BenchResult, followed: &Followed) -> String {
        let mut text = String::new();
        let (ticks, overhead) = (followed.ticks.0 as i64, followed.ticks.1 as i64);
        let clock = ticks - overhead;
        let figure = result.summary.min as i64;
        if clock > self.total {
            text += &self.line(clock - self.total, UNSHOWN, "");
        }
        if clock < self.total {
            text += &self.line(clock - self.total, TOO_MANY, "");
        }
        if clock != figure {
            text += &self.line(figure - clock, ANOTHER, "");
        }
        text + &self.line(figure, "the figure (min)", "")
    }

    /// A line of the table.
    fn line(&self, count: i64, name: &str, place: &str) -> String {
        let share = if self.total == 0 { 0.0 } else { 100.0 * count as f64 / self.total as f64 };
        let each = count as f64 / self.ops as f64;
        let decimals = if count % self.ops as i64 == 0 { 0 } else { 2 };
        let room = self.columns.saturating_sub(NUMBER + SHARE + 2);
        let room = if place.is_empty() { room } else { room.saturating_sub(self.place + 2) };
        let name = match name.split_once(" < ") {
            Some((inner, _)) if name.chars().count() > room => inner,
            _ => name,
        };
        let name = cut(name, room.max(8), End::Right);
        let place = cut(place, self.place, End::Left);
        let width = if place.is_empty() { 0 } else { room + 2 };
        let numbers = format!("{each:>NUMBER$.decimals$}{share:>width$.0}%", width = SHARE - 1);
        format!("{numbers}  {name:<width$}{place}").trim_end().to_owned() + "\n"
    }
}

/// Where a text that does not fit is cut.
enum End {
    Left,
    Right,
}

fn cut(text: &str, width: usize, end: End) -> String {
    let length = text.chars().count();
    match end {
        _ if length <= width => text.to_owned(),
        End::Left => format!("~{}", text.chars().skip(length - width + 1).collect::<String>()),
        End::Right => format!("{}~", text.chars().take(width - 1).collect::<String>()),
    }
}

/// A function's name without its crate, its modules and its type's parameters.
pub(super) fn short(name: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0_usize;
    for letter in name.replace("->", "").chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts: Vec<&str> = plain.split("::").filter(|part| !part.is_empty()).collect();
    let mut parts = parts;
    parts.dedup_by(|part, before| part.starts_with('{') && part == before);
    let is_type = |part: &str| part.starts_with(|first: char| first.is_uppercase());
    let is_closure = |part: &str| part.starts_with('{');
    let mut first = parts.len().saturating_sub(1);
    while first > 0 && is_closure(parts[first]) {
        first -= 1;
    }
    if first > 0 && is_type(parts[first - 1]) {
        first -= 1;
    }
    match parts.get(first..) {
        Some(parts) if !parts.is_empty() => parts.join("::").replace("{{closure}}", "{}"),
        _ => name.to_owned(),
    }
}

impl Row {
    /// Whether the other one is the same line.
    fn is_like(&self, other: &Row) -> bool {
        self.cpu == other.cpu
            && self.line == other.line
            && self.function == other.function
            && self.inlined == other.inlined
    }
}
