//! The instructions between two marks of the kernel's, for who asked for them.
//!
//! A mark is pvpanic's "a crash kernel runs" and then its "panic"; a real panic gives the second alone. The machine stands
//! still after a mark, until its log was switched and it is told to go on.

use serde_json::{Value, json};

use super::Session;
use crate::{Event, path};

/// What is known of marks.
#[derive(Default)]
pub(super) struct Marks {
    /// The first half of a mark was heard: the machine is about to stop.
    begun: bool,
    /// Instructions are being logged.
    logging: bool,
}

impl Session<'_> {
    /// Whether an event of the monitor's was part of a mark.
    pub(super) fn mark(&mut self, event: &Value) -> bool {
        match event["event"].as_str() {
            Some("GUEST_CRASHLOADED") => self.marks.begun = true,
            Some("GUEST_PANICKED") if self.marks.begun => {}
            Some("STOP") if self.marks.begun => {
                self.marks.begun = false;
                if let Err(error) = self.switch_log() {
                    self.note(format!("instructions cannot be written down: {error:#}"));
                }
            }
            _ => return false,
        }
        true
    }

    /// Begins or ends the log, and lets the machine go on.
    fn switch_log(&mut self) -> anyhow::Result<()> {
        let Some(monitor) = &mut self.monitor else { return Ok(()) };
        let log = self.post.folder().join("path");
        let switched = if self.marks.logging {
            path::end(monitor, &log).map(Some)
        } else {
            path::begin(monitor, &log).map(|()| None)
        };
        self.marks.logging = !self.marks.logging;
        monitor.command("cont", json!({}))?;
        if let Some(steps) = switched? {
            self.sign();
            self.sink.event(Event::Path(&steps));
        }
        Ok(())
    }
}
