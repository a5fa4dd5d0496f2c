//! The command line, which `./x bench --hosted` writes.

use bench_report::RunKey;
use bench_report::hosted::{FEWEST, Spread};
use bench_report::table::{Color, Style};
use std::path::PathBuf;

/// What to compare, and where the records go.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Part of a pair's or peer's name; empty for all.
    pub filter: String,
    /// List instead of running.
    pub list: bool,
    /// Rounds to keep.
    pub rounds: usize,
    /// How the table is drawn.
    pub style: Style,
    /// Whether it tells how far the rounds lie apart.
    pub spread: Spread,
    /// Where JSON lines go; `-` is the standard output.
    pub json: Option<PathBuf>,
    /// The circumstances, as a JSON object.
    pub key: RunKey,
}

/// Rounds, unless this is a quick run.
const ROUNDS: usize = 101;

impl Options {
    /// Reads the arguments.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            filter: String::new(),
            list: false,
            rounds: ROUNDS,
            style: Style::PLAIN,
            spread: Spread::Hidden,
            json: None,
            key: RunKey::default(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--list" => options.list = true,
                "--json" => options.json = Some(value()?.into()),
                "--quick" => options.rounds = FEWEST,
                "--spread" => options.spread = Spread::Shown,
                "--color" => options.style.color = Color::Always,
                "--columns" => {
                    let text = value()?;
                    let columns = text.parse();
                    options.style.columns = columns.map_err(|_| format!("--columns {text}?"))?;
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
        if options.rounds == FEWEST {
            options.key.settings = "quick".into();
        }
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
        let options = parse("ring --quick --json - --columns 64 --color").expect("right");
        assert_eq!((options.filter.as_str(), options.rounds), ("ring", FEWEST));
        assert_eq!(options.style, Style { columns: 64, color: Color::Always });
        assert_eq!((options.key.mode.as_str(), options.key.is_quick()), ("hosted", true));
        let options = parse("--list --spread").expect("right");
        assert!(options.list && options.spread == Spread::Shown && !options.key.is_quick());
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(parse("--columns many"), Err("--columns many?".into()));
        assert_eq!(parse("--json"), Err("--json needs a value".into()));
        assert_eq!(parse("--frob"), Err("unknown flag --frob".into()));
        assert!(parse("--key {").is_err());
    }
}
