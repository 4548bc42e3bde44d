//! `pintrace report`: reports the content of a recording. The command needs no privileges and runs on any kernel.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::exit::Exit;
use pintrace_export::{json, report};
use pintrace_model::Model;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::views::ViewName;
use pintrace_query::Query;
use pintrace_record::{ReadError, Reader};
use pintrace_text::counted;

use super::output_width::{MOST, output_width};
use super::recording_file::{named, open};
use super::view_rows::{Choice, Format, RowPrinter, printer, view_name};
use super::where_query::{process_query, select};

/// The width of a report in columns in a pipe or a file, such as a mail.
const WIDTH: usize = 100;

/// The command line of `report`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A file that `pintrace record -o FILE` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON object instead of text. With --view, the object has the rows of the view.
    #[arg(long)]
    pub json: bool,
    /// Print the rows of this view at the end of the recording instead of the report, for scripts (docs/batch.md).
    #[arg(long, value_name = "VIEW", value_parser = view_name())]
    pub view: Option<ViewName>,
    /// With --view: print CSV, with the names of the columns in the first line.
    #[arg(long, requires = "view", conflicts_with = "json")]
    pub csv: bool,
    /// With --view: order the rows by a column, given by its id or title.
    #[arg(long, value_name = "COLUMN", requires = "view")]
    pub sort: Option<String>,
    /// Show only processes that match, with --view rows that match, such as 'oldest > 5m and not comm = fio'
    /// (docs/queries.md). Without --view, findings, flush windows and pin calls are shown if their process matches. Totals
    /// stay those of the whole machine.
    #[arg(long = "where", value_name = "QUERY")]
    pub query: Option<String>,
}

/// What is printed.
enum Output {
    Report {
        json: bool,
        query: Option<Query<Process>>,
    },
    View(Box<dyn RowPrinter>, Format),
}

impl Output {
    /// Returns what the command line asks for, or an error of usage.
    fn of(args: &Args) -> anyhow::Result<Self> {
        let query = args.query.as_deref();
        let Some(view) = args.view else {
            return Ok(Self::Report {
                json: args.json,
                query: process_query(query)?,
            });
        };
        let format = match (args.csv, args.json) {
            (true, _) => Format::Csv,
            (false, true) => Format::JsonLines,
            (false, false) => Format::Text(output_width(MOST)),
        };
        let printer = printer(Choice {
            view,
            query,
            sort: args.sort.as_deref(),
            pids: &[],
            with_ended: true,
        })?;
        Ok(Self::View(printer, format))
    }

    fn render(&self, snapshot: &mut Snapshot, complete: bool) -> anyhow::Result<String> {
        match self {
            Self::View(printer, format) => printer.render(snapshot, *format, true),
            Self::Report { json, query } => {
                select(snapshot, query.as_ref());
                Ok(if *json {
                    json::render(snapshot, complete)?
                } else {
                    report::render(snapshot, complete, output_width(WIDTH))
                })
            }
        }
    }
}

/// Writes the report to `out` and warnings to `warnings`.
pub fn run(args: &Args, out: &mut dyn Write, warnings: &mut dyn Write) -> anyhow::Result<Exit> {
    let output = Output::of(args)?;
    let file = open(&args.file)?;
    let mut reader = Reader::new(BufReader::new(file)).with_context(|| named(&args.file))?;
    let mut model = Model::default();
    let failure = fold(&mut reader, &mut model);
    let mut snapshot = model.snapshot();
    let complete = failure.is_none() && reader.is_complete();
    let text = output.render(&mut snapshot, complete)?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")?;
    let name = named(&args.file);
    match failure {
        Some(failure) => {
            writeln!(warnings, "pintrace: {name}: {failure}")?;
            Ok(Exit::Failed)
        }
        None if !complete => {
            let events = reader.events_read();
            writeln!(
                warnings,
                "pintrace: {name}: cut short after {}: the report ends there",
                counted(events, "event")
            )?;
            Ok(Exit::Done)
        }
        None => Ok(Exit::Done),
    }
}

/// Applies all readable events to the model. Returns the error if an error ended the reading.
fn fold(reader: &mut Reader<impl Read>, model: &mut Model) -> Option<ReadError> {
    for event in reader {
        match event {
            Ok(event) => model.apply(&event),
            Err(failure) => return Some(failure),
        }
    }
    None
}
