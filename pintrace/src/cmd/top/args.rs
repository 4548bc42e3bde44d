//! The command line of `top`.

use std::num::NonZeroU64;
use std::time::Duration;

use pintrace_events::units::Pid;
use pintrace_model::views::ViewName;

use super::super::output_width::{MOST, output_width};
use super::super::pids::pid;
use super::super::trace_args::TraceArgs;
use super::super::view_rows::Format;
use crate::config::ViewFlags;

/// The command line of `top`.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Args {
    /// Print one table of processes after one interval and exit. --batch -n 1 prints another view once.
    #[arg(long, group = "printing", conflicts_with_all = ["colours", "palette", "no_mouse", "config"])]
    pub once: bool,
    /// Print the rows of a view after each interval, for scripts (docs/batch.md): as a table, with --csv or with --json.
    /// Ends at a signal, at a broken pipe or after -n times.
    #[arg(short, long, group = "printing", conflicts_with_all = ["colours", "palette", "no_mouse", "config"])]
    pub batch: bool,
    /// With --batch: print this many times and exit.
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        value_parser = count,
        requires = "batch",
        conflicts_with = "once"
    )]
    pub count: Option<NonZeroU64>,
    /// With --once: print one JSON object instead of a table. With --batch: print one JSON object in a line each time.
    #[arg(long, requires = "printing")]
    pub json: bool,
    /// With --batch: print CSV, with the names of the columns in the first line.
    #[arg(long, requires = "batch", conflicts_with_all = ["once", "json"])]
    pub csv: bool,
    /// With --batch: order the rows by a column, given by its id or title.
    #[arg(long, value_name = "COLUMN", requires = "batch", conflicts_with = "once")]
    pub sort: Option<String>,
    /// Show only these processes.
    #[arg(long, value_name = "PID", value_delimiter = ',', value_parser = pid)]
    pub pid: Vec<u32>,
    /// Show only rows of the view that match, without --view processes, such as 'oldest > 5m and not comm = fio'
    /// (docs/queries.md). With --once --json, findings, flush windows and pin calls are shown if their process matches.
    /// Totals stay those of the whole machine. The live view begins with this query as its filter.
    #[arg(long = "where", value_name = "QUERY")]
    pub query: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub view: ViewFlags,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub live: TraceArgs,
}

/// Parses a number of times.
fn count(text: &str) -> Result<NonZeroU64, String> {
    text.parse()
        .map_err(|_| "expected a whole number above 0".to_owned())
}

impl Args {
    /// Returns the view.
    pub(super) fn view(&self) -> ViewName {
        self.view.view.unwrap_or_default()
    }

    /// Returns the time between two samples of --once and --batch.
    pub(super) fn interval(&self) -> Duration {
        self.view.interval.unwrap_or(Duration::from_secs(1))
    }

    /// Returns the processes given by --pid.
    pub(super) fn pids(&self) -> Vec<Pid> {
        self.pid.iter().copied().map(Pid).collect()
    }

    /// Returns the format of --batch.
    pub(super) fn format(&self) -> Format {
        match (self.csv, self.json) {
            (true, _) => Format::Csv,
            (false, true) => Format::JsonLines,
            (false, false) => Format::Text(output_width(MOST)),
        }
    }

    /// Returns true if what is printed has the own cost.
    pub(super) fn needs_own_cost(&self) -> bool {
        self.once || self.batch && self.view() == ViewName::System
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_times_is_above_0() {
        assert_eq!(count("3"), Ok(NonZeroU64::MIN.saturating_add(2)));
        for text in ["0", "-1", "x", "1.5"] {
            assert_eq!(
                count(text),
                Err("expected a whole number above 0".to_owned()),
                "{text}"
            );
        }
    }
}
