//! Writes `MESSAGES.md` from the table.

use core::fmt::{Result, Write};

use crate::{AtExit, Blocking, ElementInfo, Error, LISTS, MESSAGES, MUST, list};

fn elements(out: &mut impl Write, elements: &[ElementInfo]) -> Result {
    if elements.is_empty() {
        return out.write_str("none");
    }
    for (index, element) in elements.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(out, "{comma}{} `{}`: {}", element.id & !MUST, element.name, element.kind.name())?;
        match element.default {
            Some(u64::MAX) => out.write_str(" = all")?,
            Some(default) => write!(out, " = {default}")?,
            None => {}
        }
        if element.id & MUST == 0 && element.default.is_some() {
            out.write_str(" (may)")?;
        }
    }
    Ok(())
}

/// Writes the whole page.
pub fn write_document(out: &mut impl Write) -> Result {
    out.write_str(
        "# Messages\n\nGenerated from `abi/src/table.rs` by the test `document`; do not edit.\n\
         Renew it with `BLESS=1 cargo test -p abi --test document`.\n\n",
    )?;
    write!(
        out,
        "A request is an element list, at most {} elements and {} bytes, flat, or its scalars in up to four registers.\n\
         Elements are required unless they have a default. A reader that does not know an element refuses the request,\n\
         or, where `(may)` stands, goes on and says so. At exit, a pending call is cancelled, orphaned or completed.\n\n",
        list::MAX_ELEMENTS,
        list::MAX_LENGTH
    )?;
    for message in MESSAGES {
        write!(out, "## {} `{}`\n\n{}\n\n- request: ", message.number, message.name, message.doc)?;
        elements(out, message.request)?;
        out.write_str("\n- answer: ")?;
        elements(out, message.answer)?;
        let form = if message.registers { "registers or list" } else { "list" };
        write!(out, "\n- form: {form}\n")?;
        match message.blocking {
            Blocking::Inline => out.write_str("- answered at once\n\n")?,
            Blocking::Blocks => {
                let fate = match message.at_exit {
                    AtExit::Cancel => "cancelled",
                    AtExit::Orphan => "orphaned",
                    AtExit::Complete => "completed",
                };
                write!(out, "- may block; at exit {fate}\n\n")?;
            }
        }
    }
    out.write_str("# Lists\n\n")?;
    for entry in LISTS {
        write!(out, "## `{}`\n\n{}\n\n- elements: ", entry.name, entry.doc)?;
        elements(out, entry.elements)?;
        out.write_str("\n\n")?;
    }
    out.write_str("# Errors\n\n| code | name | meaning |\n|---|---|---|\n")?;
    for error in Error::ALL {
        writeln!(out, "| {} | {} | {} |", *error as u32, error.name(), error.text().trim())?;
    }
    Ok(())
}
