//! The look of a run: on a terminal of 80 columns, on a narrow one, and on none.
//!
//! [`Screen`] knows how lines are laid out, [`Live`] which line a run's events ask for. A line
//! that moves is only ever drawn on a terminal; everything else reads the same in a file.

use std::{
    env,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    time::Duration,
};

use crate::{Frame, Level};

mod live;

pub use live::{Facts, Live, Tally};

/// The column after the verdict of a step.
const VERDICT_END: usize = 69;
/// The column after the time of a step.
const TIME_END: usize = 77;
/// Columns of the name of a part.
const PART: usize = 21;
/// Below this width nothing is lined up on the right.
const NARROW: usize = TIME_END;

/// What the place that is written to can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether to use colours.
    pub colour: bool,
    /// Whether a line can be drawn over.
    pub moves: bool,
}

impl Look {
    /// A file or a pipe: 80 columns, no colour, nothing that moves.
    pub const PLAIN: Look = Look { width: 80, colour: false, moves: false };

    /// Finds out what `stream` can show: is it a terminal, how wide, and does the user want
    /// colours (`NO_COLOR`, `TERM=dumb`)?
    pub fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        if !stream.is_terminal() {
            return Look::PLAIN;
        }
        let said = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let dumb = said("TERM").is_none_or(|term| term == "dumb");
        let asked = rustix::termios::tcgetwinsize(stream.as_fd()).ok();
        let width = asked
            .map(|size| usize::from(size.ws_col))
            .or_else(|| said("COLUMNS")?.parse().ok())
            .filter(|width| *width > 0)
            .unwrap_or(80);
        Look { width, colour: !dumb && said("NO_COLOR").is_none(), moves: !dumb }
    }
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Ok,
    /// It did not.
    Fail,
    /// It could not be tried.
    Skip,
    /// Nothing to say.
    None,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Fail => "FAIL",
            Verdict::Skip => "skip",
            Verdict::None => "",
        }
    }
}

/// Writes lines. What cannot be written (a closed pipe, a full disk) is kept as the first error.
pub struct Screen<'w> {
    out: Box<dyn Write + 'w>,
    look: Look,
    moving: bool,
    error: Option<io::Error>,
}

impl<'w> Screen<'w> {
    /// A screen over any stream.
    pub fn new(out: impl Write + 'w, look: Look) -> Self {
        Screen { out: Box::new(out), look, moving: false, error: None }
    }

    /// Returns the first error in writing.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Returns what this screen can show.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Writes text as it is, and ends the line.
    pub fn line(&mut self, text: &str) {
        self.still();
        let text = format!("{text}\n");
        self.put(&text);
    }

    /// Writes text, broken at spaces where the screen ends, further lines set in by `indent`.
    pub fn wrapped(&mut self, text: &str, indent: usize) {
        self.line(&wrap(text, self.look.width, indent));
    }

    /// Writes items side by side, as many as fit on a line.
    pub fn items(&mut self, items: &[String]) {
        let mut lines: Vec<String> = Vec::new();
        for item in items.iter().filter(|item| !item.is_empty()) {
            match lines.last_mut() {
                Some(line) if columns(line) + 2 + columns(item) <= self.look.width => {
                    line.push_str("  ");
                    line.push_str(item);
                }
                _ => lines.push(item.clone()),
            }
        }
        self.line(&lines.join("\n"));
    }

    /// Writes a step of the run: `boot    4 of 4 CPUs ... ok   0.4 s`.
    pub fn step(&mut self, label: &str, what: &str, verdict: Verdict, took: Option<Duration>) {
        self.laid_out(&format!("{label:<7} {what}"), verdict, took);
    }

    /// Writes a named part of a step, set in.
    pub fn part(&mut self, name: &str, what: &str, verdict: Verdict, took: Option<Duration>) {
        let head = format!("     {name:<PART$} ");
        if self.look.width < NARROW {
            let text = wrap(&format!("{name} {what}"), self.look.width.saturating_sub(5), 7);
            return self.laid_out(&format!("     {text}"), verdict, took);
        }
        // The verdict stands in the first line; what does not fit before it goes below.
        let indent = columns(&head);
        let text = wrap(what, VERDICT_END - " FAIL".len() - indent, 0);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        self.laid_out(&(head + first), verdict, took);
        if !rest.is_empty() {
            let rest = wrap(&rest.replace('\n', " "), self.look.width - indent, 0);
            rest.lines().for_each(|line| self.line(&format!("{:indent$}{line}", "")));
        }
    }

    /// Writes a line of the kernel's log: `[cpu] time level message (file:line)`.
    pub fn log(&mut self, frame: &Frame, tick_hz: Option<u64>) {
        let time = match tick_hz {
            Some(hz) if hz > 0 => format!("{:.6}", frame.tsc as f64 / hz as f64),
            _ => frame.tsc.to_string(),
        };
        let level = frame.level.map_or("", Level::name);
        let place = match &frame.location {
            Some(at) => {
                format!(" ({}:{})", crate::symbols::shorten(&at.file.to_string_lossy()), at.line)
            }
            None => String::new(),
        };
        let colour = match frame.level {
            Some(Level::Error) => Colour::Red,
            Some(Level::Warn) => Colour::Yellow,
            _ => Colour::None,
        };
        let level = self.coloured(&format!("{level:<5}"), colour);
        self.line(&format!("[{}] {time} {level} {}{place}", frame.cpu, frame.message));
    }

    /// Draws a line that the next one replaces; nothing without a terminal.
    pub fn moving(&mut self, text: &str) {
        if self.look.moves {
            // The last column stays free: some terminals start a new line once it is written.
            let cut: String = text.chars().take(self.look.width.saturating_sub(1)).collect();
            self.put(&format!("\r{cut}\x1b[K"));
            self.moving = true;
        }
    }

    /// Removes the moving line.
    pub fn still(&mut self) {
        if self.moving {
            self.put("\r\x1b[K");
            self.moving = false;
        }
    }

    fn laid_out(&mut self, text: &str, verdict: Verdict, took: Option<Duration>) {
        let word = verdict.word();
        let time = took.map(duration).unwrap_or_default();
        let colour = match verdict {
            Verdict::Ok => Colour::Green,
            Verdict::Fail => Colour::Red,
            Verdict::Skip => Colour::Yellow,
            Verdict::None => Colour::None,
        };
        let fits = columns(text) + 1 + columns(word) <= VERDICT_END;
        if self.look.width < NARROW || !fits {
            let mut line = text.trim_end().to_owned();
            for more in [&self.coloured(word, colour), &time] {
                if !more.is_empty() {
                    line.push_str("  ");
                    line.push_str(more);
                }
            }
            return self.line(&line);
        }
        let gap = VERDICT_END - columns(text) - columns(word);
        let tail = TIME_END - VERDICT_END;
        let line = format!("{text}{:gap$}{}{time:>tail$}", "", self.coloured(word, colour));
        self.line(line.trim_end());
    }

    fn coloured(&self, text: &str, colour: Colour) -> String {
        match colour.code() {
            Some(code) if self.look.colour && !text.is_empty() => {
                format!("\x1b[{code}m{text}\x1b[0m")
            }
            _ => text.to_owned(),
        }
    }

    fn put(&mut self, text: &str) {
        let done = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = done {
            self.error.get_or_insert(error);
        }
    }
}

#[derive(Clone, Copy)]
enum Colour {
    None,
    Red,
    Green,
    Yellow,
}

impl Colour {
    fn code(self) -> Option<u8> {
        match self {
            Colour::None => None,
            Colour::Red => Some(31),
            Colour::Green => Some(32),
            Colour::Yellow => Some(33),
        }
    }
}

/// Returns a length of time as a person says it: `0.4 s`, `44 s`, `1 min 48 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        ..9.95 => format!("{seconds:.1} s"),
        ..99.5 => format!("{seconds:.0} s"),
        _ => {
            let whole = seconds.round() as u64;
            match (whole / 3600, whole / 60 % 60, whole % 60) {
                (0, minutes, 0) => format!("{minutes} min"),
                (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
                (hours, minutes, _) => format!("{hours} h {minutes} min"),
            }
        }
    }
}

/// Returns a number with commas between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Breaks text at spaces so that no line is longer than `width` (a longer word stands alone).
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        let started = !line.trim().is_empty();
        if started && columns(line) + 1 + columns(word) > width {
            lines.push(format!("{:indent$}{word}", ""));
        } else {
            if started {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
