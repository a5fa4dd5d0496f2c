//! What becomes of a guest's records on the host: results, goals, JSON lines, baselines, tables.
//!
//! Bytes of a record -> [`Collector`] -> [`BenchResult`]; with [`Goals`] and a [`RunKey`] -> [`json`] and [`table`];
//! against a [`baseline::Store`] -> [`Comparison`]. No printing, no exit status: that is the caller's.

pub mod baseline;
pub mod curves;
mod goals;
pub mod hosted;
pub mod json;
mod key;
mod record;
pub mod side_by_side;
pub mod table;
pub mod timeline;

pub use baseline::{Baseline, Comparison, Fleeting, Scope};
pub use bench_api::{matches, unknown_part};
pub use goals::{Goal, Goals, Match, Opponent, RatioGoal, Stat};
pub use key::RunKey;
pub use record::{BenchResult, Collector, Event, RecordError, Start, StressResult, record_bytes};
