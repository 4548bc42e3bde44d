//! `pintrace report`: reports the content of a recording. The command needs no privileges and runs on any kernel.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::exit::Exit;
use pintrace_export::{json, report};
use pintrace_model::Model;
use pintrace_model::snapshot::Process;
use pintrace_query::Query;
use pintrace_record::{ReadError, Reader};
use pintrace_text::counted;

use super::recording_file::{named, open};
use super::where_query::{process_query, select};

/// The width of a report in columns. The width is fixed, because reports are mailed and pasted.
const WIDTH: usize = 100;

/// The command line of `report`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A file that `pintrace record -o FILE` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Show only processes that match, such as 'oldest > 5m and not comm = fio' (docs/queries.md). Findings, flush windows
    /// and pin calls are shown if their process matches. Totals stay those of the whole machine.
    #[arg(long = "where", value_name = "QUERY", value_parser = process_query)]
    pub query: Option<Query<Process>>,
}

/// Writes the report to `out` and warnings to `warnings`.
pub fn run(args: &Args, out: &mut dyn Write, warnings: &mut dyn Write) -> anyhow::Result<Exit> {
    let file = open(&args.file)?;
    let mut reader = Reader::new(BufReader::new(file)).with_context(|| named(&args.file))?;
    let mut model = Model::default();
    let failure = fold(&mut reader, &mut model);
    let mut snapshot = model.snapshot();
    select(&mut snapshot, args.query.as_ref());
    let complete = failure.is_none() && reader.is_complete();
    let text = if args.json {
        json::render(&snapshot, complete)?
    } else {
        report::render(&snapshot, complete, WIDTH)
    };
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
