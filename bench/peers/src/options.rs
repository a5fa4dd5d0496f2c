//! The command line, which `./x bench --hosted` writes.

use bench_report::RunKey;
use std::path::PathBuf;

/// What to compare, and where the records go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Part of a pair's or peer's name; empty for all.
    pub filter: String,
    /// List instead of running.
    pub list: bool,
    /// Rounds to keep.
    pub rounds: Option<usize>,
    /// Where JSON lines go; `-` is the standard output.
    pub json: Option<PathBuf>,
    /// The circumstances, as a JSON object.
    pub key: RunKey,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--list" => options.list = true,
                "--json" => options.json = Some(value()?.into()),
                "--rounds" => {
                    let text = value()?;
                    let rounds =
                        text.parse().ok().filter(|rounds| *rounds >= bench_report::hosted::FEWEST);
                    options.rounds =
                        Some(rounds.ok_or(format!("--rounds {text}: a number from 9 on"))?);
                }
                "--key" => {
                    options.key = serde_json::from_str(&value()?)
                        .map_err(|error| format!("--key: {error}"))?;
                }
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
                filter => options.filter = filter.into(),
            }
        }
        options.key.mode = "hosted".into();
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read() {
        let options = parse("ring --rounds 11 --json -").expect("right");
        assert_eq!((options.filter.as_str(), options.rounds), ("ring", Some(11)));
        assert_eq!(options.key.mode, "hosted");
        assert!(parse("--list").expect("right").list);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(parse("--rounds 3"), Err("--rounds 3: a number from 9 on".into()));
        assert_eq!(parse("--json"), Err("--json needs a value".into()));
        assert_eq!(parse("--frob"), Err("unknown flag --frob".into()));
        assert!(parse("--key {").is_err());
    }
}
