//! QEMU's monitor, spoken over a socket: one JSON object a line.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// An open monitor. Commands are answered in order; events go elsewhere.
pub struct Monitor {
    stream: UnixStream,
    answers: Receiver<Value>,
    /// The number of the last command.
    last: u64,
}

/// A monitor that says nothing for this long is given up: the main loop of QEMU is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

impl Monitor {
    /// Takes over a connection and starts to listen; events are handed to `event`. Waits for as long as QEMU makes its machine,
    /// which with many CPUs on a busy host may be minutes.
    pub fn open(stream: UnixStream, event: impl Fn(Value) + Send + 'static) -> Result<Self> {
        let reader = BufReader::new(stream.try_clone().context("the monitor's socket")?);
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                if message.get("event").is_some() {
                    event(message);
                } else if message.get("QMP").is_none() && sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut monitor = Monitor { stream, answers, last: 0 };
        monitor.tell("qmp_capabilities", json!({}))?;
        monitor.answer("qmp_capabilities", |answers| answers.recv().context("QEMU has ended"))?;
        Ok(monitor)
    }

    /// Gives a command and returns its answer.
    pub fn command(&mut self, name: &str, arguments: Value) -> Result<Value> {
        self.tell(name, arguments)?;
        let end = Instant::now() + PATIENCE;
        self.answer(name, |answers| {
            let left = end.saturating_duration_since(Instant::now());
            answers.recv_timeout(left).context("the monitor is silent")
        })
    }

    /// The answer to the last command.
    fn answer(
        &self,
        name: &str,
        next: impl Fn(&Receiver<Value>) -> Result<Value>,
    ) -> Result<Value> {
        // The answer to a command that was given up may come late: it is not for this one.
        let mut answer = loop {
            let answer = next(&self.answers)?;
            if answer["id"] == self.last {
                break answer;
            }
        };
        if let Some(error) = answer["error"]["desc"].as_str() {
            bail!("{name}: {error}");
        }
        Ok(answer["return"].take())
    }

    /// Gives a command of the human monitor and returns its text.
    pub fn human(&mut self, line: &str) -> Result<String> {
        let answer = self.command("human-monitor-command", json!({ "command-line": line }))?;
        Ok(answer.as_str().unwrap_or_default().replace('\r', ""))
    }

    /// Asks QEMU to end; there is nobody left to answer.
    pub fn quit(&mut self) {
        let _ = self.tell("quit", json!({}));
    }

    fn tell(&mut self, name: &str, arguments: Value) -> Result<()> {
        self.last += 1;
        let mut line =
            json!({ "execute": name, "arguments": arguments, "id": self.last }).to_string();
        line.push('\n');
        self.stream.write_all(line.as_bytes()).context("the monitor is gone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_is_not_taken_for_the_next() {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        let qemu = thread::spawn(move || {
            let mut to = theirs.try_clone().expect("a socket");
            for line in BufReader::new(theirs).lines().map_while(Result::ok) {
                let command: Value = serde_json::from_str(&line).expect("JSON");
                let late = json!({ "return": "late", "id": 0 });
                let own = json!({ "return": command["execute"], "id": command["id"] });
                write!(to, "{late}\n{own}\n").expect("the monitor listens");
            }
        });
        let mut monitor = Monitor::open(ours, |_| ()).expect("a monitor");
        assert_eq!(monitor.command("query-cpus", json!({})).expect("an answer"), "query-cpus");
        monitor.stream.shutdown(std::net::Shutdown::Both).expect("open until now");
        qemu.join().expect("QEMU saw nothing but JSON");
    }
}
