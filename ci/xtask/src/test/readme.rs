//! Every command that README shows, typed as it stands there.

use std::process::Command;

use super::steps::{Done, Step, run, step};
use crate::place;

/// One step, where there is a README with commands.
pub fn steps() -> Option<Step> {
    let text = std::fs::read_to_string(place::root().join("README.md")).ok()?;
    let commands = commands(&text);
    (!commands.is_empty()).then(|| {
        step("readme", "every command that README shows does what it should", move || {
            let mut done = Done::default();
            for line in &commands {
                let mut shell = Command::new("sh");
                let (fine, output) = run(shell.current_dir(place::root()).args(["-c", line]))?;
                done.count(fine);
                done.output.push_str(&format!("$ {line}\n{output}"));
            }
            Ok(done)
        })
    })
}

/// The command lines in fenced blocks of shell: ours, and QEMU's. Not those that run this very test, nor those
/// that wait for somebody.
fn commands(markdown: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in markdown.lines() {
        if let Some(fence) = line.trim().strip_prefix("```") {
            inside = !inside && matches!(fence.trim(), "sh" | "console");
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        let line = line.split("  #").next().unwrap_or(line).trim_end();
        let ours = line.starts_with("./x ") || line.starts_with("qemu-system-x86_64 ");
        if inside && ours && !line.starts_with("./x test") && !line.contains("--gdb") {
            found.push(line.to_owned());
        }
    }
    found
}

mod recipes;

pub use recipes::steps as recipes;

#[cfg(test)]
mod tests;
