//! Output against what it must be, where some of it differs from run to run.
//!
//! ```text
//! ...        alone on a line: any lines, or none
//! [..]       in a line: anything
//! ```

/// Where the text leaves what it must be: the first line that nothing matches, and what stands there instead.
pub fn differs(pinned: &str, text: &str) -> Option<String> {
    let (pinned, text): (Vec<&str>, Vec<&str>) = (pinned.lines().collect(), text.lines().collect());
    let mut furthest = (0, 0);
    if follows(&pinned, &text, (0, 0), &mut furthest) {
        return None;
    }
    let (wanted, found) = furthest;
    let line = |lines: &[&str], at: usize| lines.get(at).map_or("the end", |line| line).to_owned();
    let (wanted, found) = (line(&pinned, wanted), line(&text, found));
    Some(format!("must be: {wanted}\nbut is:  {found}\n"))
}

/// Whether what is left of `text` is as what is left of `pinned` says; `furthest` is how far that was so.
fn follows(
    pinned: &[&str],
    text: &[&str],
    at: (usize, usize),
    furthest: &mut (usize, usize),
) -> bool {
    *furthest = at.max(*furthest);
    let Some(wanted) = pinned.get(at.0) else { return at.1 == text.len() };
    if wanted.trim() == "..." {
        return (at.1..=text.len()).any(|next| follows(pinned, text, (at.0 + 1, next), furthest));
    }
    text.get(at.1).is_some_and(|line| is_like(wanted, line))
        && follows(pinned, text, (at.0 + 1, at.1 + 1), furthest)
}

/// Whether a line is like a pinned one.
pub fn is_like(pinned: &str, line: &str) -> bool {
    let Some((begin, rest)) = pinned.split_once("[..]") else { return pinned == line };
    let Some(line) = line.strip_prefix(begin) else { return false };
    (0..=line.len()).filter(|at| line.is_char_boundary(*at)).any(|at| is_like(rest, &line[at..]))
}

#[cfg(test)]
mod tests;
