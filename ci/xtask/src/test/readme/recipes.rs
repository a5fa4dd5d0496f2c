//! README's recipes, followed word by word in a copy of the checkout.
//!
//! ```text
//! ```rust file=PATH                  a new file with this content
//! ```rust insert=PATH before="TEXT"  this content, before the first place where the file has TEXT
//! ```sh recipe                       commands; `# prints "TEXT"` behind one says what has to come out
//! ```
//! Files and insertions are made first, then the commands run, so that the copy is built once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::place;
use crate::test::steps::{Done, Step, run, step};

/// What a recipe says to do.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    File { path: PathBuf, content: String },
    Insert { path: PathBuf, before: String, content: String },
    Run { line: String, prints: Option<String> },
}

/// One step, where there is a README with recipes.
pub fn steps() -> Option<Step> {
    let text = std::fs::read_to_string(place::root().join("README.md")).ok()?;
    let orders = orders(&text);
    (!orders.is_empty()).then(|| {
        step("recipes", "README's recipes work as they stand there", move || follow(&orders))
    })
}

fn follow(orders: &[Order]) -> Result<Done> {
    let copy = place::out().join("recipes");
    let checkout = copy.join("checkout");
    copy_of_checkout(&checkout)?;
    for order in orders {
        write(&checkout, order)?;
    }
    let mut done = Done::default();
    for order in orders {
        let Order::Run { line, prints } = order else { continue };
        let mut shell = Command::new("sh");
        shell
            .current_dir(&checkout)
            .args(["-c", line])
            .env("CARGO_TARGET_DIR", copy.join("target"));
        let (fine, output) = run(&mut shell)?;
        let printed = prints.as_ref().is_none_or(|text| output.contains(text));
        done.count(fine && printed);
        done.output.push_str(&format!("$ {line}\n{output}"));
        if let Some(text) = prints.as_ref().filter(|_| !printed) {
            done.output.push_str(&format!("README says that this prints \"{text}\"\n"));
        }
    }
    Ok(done)
}

/// The files that git knows, as they are now, in a folder of their own. What has not changed is left alone, so that
/// cargo builds little.
fn copy_of_checkout(to: &Path) -> Result<()> {
    let listed =
        Command::new("git").current_dir(place::root()).args(["ls-files", "-z"]).output()?;
    if !listed.status.success() {
        bail!("git does not list the files of the checkout");
    }
    let names = String::from_utf8(listed.stdout)?;
    let mut kept = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (place::root().join(name), to.join(name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).ok().as_ref() != Some(&bytes) {
            std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
            std::fs::write(&to, bytes).with_context(|| to.display().to_string())?;
            std::fs::set_permissions(&to, std::fs::metadata(&from)?.permissions())?;
        }
        kept.push(to);
    }
    for stale in super::super::workspace::files(to).filter(|path| !kept.contains(path)) {
        std::fs::remove_file(stale)?;
    }
    Ok(())
}

fn write(checkout: &Path, order: &Order) -> Result<()> {
    match order {
        Order::File { path, content } => Ok(std::fs::write(checkout.join(path), content)?),
        Order::Insert { path, before, content } => {
            let path = checkout.join(path);
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let Some(at) = text.find(before) else {
                bail!("{} has no place that reads {before:?}", path.display());
            };
            Ok(std::fs::write(&path, format!("{}{content}{}", &text[..at], &text[at..]))?)
        }
        Order::Run { .. } => Ok(()),
    }
}

fn orders(markdown: &str) -> Vec<Order> {
    let mut found = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in markdown.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(fence), None) => block = Some((fence.to_owned(), String::new())),
            (Some(_), Some(_)) => {
                let (fence, content) = block.take().unwrap_or_default();
                found.extend(order(&fence, content));
            }
            (None, Some((_, content))) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

fn order(fence: &str, content: String) -> Vec<Order> {
    let value = |key: &str| fence.split_once(key).map(|(_, rest)| rest);
    if let Some(path) = value(" file=") {
        return vec![Order::File { path: path.trim().into(), content }];
    }
    if let Some((path, before)) = value(" insert=").and_then(|rest| rest.split_once(" before=")) {
        let before = before.trim().trim_matches('"').replace("\\n", "\n");
        return vec![Order::Insert { path: path.trim().into(), before, content }];
    }
    if fence.trim() != "sh recipe" {
        return Vec::new();
    }
    let lines = content.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (line, comment) = line.split_once("  #").unwrap_or((line, ""));
            let prints =
                comment.split_once("prints \"").and_then(|(_, rest)| rest.rsplit_once('"'));
            Order::Run {
                line: line.trim_end().to_owned(),
                prints: prints.map(|(text, _)| text.to_owned()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
