//! `pintrace replay`: shows a recording in the view of `top`. The command needs no privileges and runs on any kernel.

use std::io::{BufReader, IsTerminal as _, Seek as _, Write};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use crate::config::{Configuration, Environment, ViewFlags};
use crate::exit::Exit;
use crate::replay::{self, Ended};
use pintrace_record::Reader;
use pintrace_text::counted;
use pintrace_tui::ExitReason;

use super::recording_file::{named, open};
use super::view_rows::check_query;

/// The command line of `replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("interval", |interval| interval.hide(true)))]
pub struct Args {
    /// A file that `pintrace record -o FILE` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Begin with this query as filter, such as 'oldest > 5m and not comm = fio' (docs/queries.md).
    #[arg(long = "where", value_name = "QUERY")]
    pub query: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub view: ViewFlags,
}

/// Shows the recording until the user quits, and writes warnings about the file to `warnings`.
pub fn run(args: &Args, warnings: &mut dyn Write) -> anyhow::Result<Exit> {
    let name = named(&args.file);
    if !std::io::stdout().is_terminal() {
        anyhow::bail!(
            "standard output is not a terminal: use `pintrace report` for a report as text or JSON"
        );
    }
    if args.view.interval.is_some() {
        anyhow::bail!("a recording has the times of its own samples: --interval is an option of top");
    }
    check_query(args.view.view.unwrap_or_default(), args.query.as_deref())?;
    let configuration = Configuration::load(&args.view, Environment::of_process())?;
    let mut file = open(&args.file)?;
    file.stream_position().with_context(|| {
        format!("{name}: is no file that can be read twice; copy the recording to a file")
    })?;
    let size = file.metadata().with_context(|| name.clone())?.len();
    let reader = Reader::new(BufReader::new(file)).with_context(|| name.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let (source, thread) = replay::start(reader, size, runtime.handle().clone());
    let mut options = configuration.view_options();
    if let Some(query) = &args.query {
        query.trim().clone_into(&mut options.filter);
    }
    options.save = Some(super::save_snapshot::save);
    let exit_reason = runtime.block_on(pintrace_tui::run(source, options));
    // The view has dropped the sender of requests, which ends the thread.
    let ended = thread
        .join()
        .map_err(|_| anyhow!("the reader of the recording has panicked"))?;
    let read = warn(&ended, &name, warnings)?;
    Ok(match exit_reason? {
        ExitReason::Signal(number) => Exit::Command(u8::try_from(128 + number).unwrap_or(1)),
        ExitReason::Quit => read,
        ExitReason::SourceGone | ExitReason::Panicked => Exit::Failed,
    })
}

/// Says why the recording ends early, as `report` does.
fn warn(ended: &Ended, name: &str, warnings: &mut dyn Write) -> std::io::Result<Exit> {
    if let Some(failure) = &ended.failure {
        writeln!(warnings, "pintrace: {name}: {failure}")?;
        return Ok(Exit::Failed);
    }
    if ended.is_cut_short {
        let events = counted(ended.events, "event");
        writeln!(
            warnings,
            "pintrace: {name}: cut short after {events}: the recording ends there"
        )?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(ended: &Ended) -> (Exit, String) {
        let mut warnings = Vec::new();
        let exit = warn(ended, "x.pintrace", &mut warnings).unwrap();
        (exit, String::from_utf8(warnings).unwrap())
    }

    #[test]
    fn a_file_that_ends_early_is_named() {
        let cut = Ended {
            is_cut_short: true,
            events: 7,
            ..Ended::default()
        };
        let words = "pintrace: x.pintrace: cut short after 7 events: the recording ends there\n";
        assert_eq!(warning(&cut), (Exit::Done, words.to_owned()));
        let failure = Some(pintrace_record::ReadError::NotARecording);
        let damaged = Ended {
            failure,
            ..Ended::default()
        };
        assert_eq!(warning(&damaged).0, Exit::Failed);
        assert_eq!(warning(&Ended::default()), (Exit::Done, String::new()));
    }
}
