//! Counts what libtest says.

/// The tests passed and failed in all of the output's `test result:` lines.
pub fn libtest(output: &str) -> (usize, usize) {
    let results = output.lines().filter_map(|line| line.trim_start().strip_prefix("test result: "));
    results.fold((0, 0), |(passed, failed), result| {
        (passed + before(result, " passed"), failed + before(result, " failed"))
    })
}

/// The number before a word.
fn before(line: &str, word: &str) -> usize {
    let digits = line.split(word).next().unwrap_or_default().rsplit(' ').next().unwrap_or_default();
    if line.contains(word) { digits.parse().unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests;
