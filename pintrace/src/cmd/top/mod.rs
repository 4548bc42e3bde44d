//! `pintrace top`: shows the processes that hold pins now, as a live view on a terminal, one table, one JSON object, or rows
//! at each interval.

mod args;
mod batch;
mod live;
mod recorder;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Configuration, Environment};
use crate::exit::Exit;
use crate::pipeline::own_cost::Meter;
use crate::pipeline::own_cost::attention::Attention;
use crate::pipeline::own_cost::watch::Watch;
use crate::pipeline::run::run as run_session;
use crate::pipeline::session::Session;
use crate::pipeline::sink::Fold;
use crate::sandbox::Writes;
use pintrace_events::{Event, Stopped};
use pintrace_export::{json, table};
use pintrace_kernel::facts::Roots;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_query::Query;

use self::batch::Batch;
use super::detach::detach;
use super::output_width::output_width;
use super::pids;
use super::privileges::{self, Uses};
use super::trace_args::start;
use super::view_rows::{Mistake, check_query};
use super::where_query::{process_query, select};

pub use self::args::Args;

/// The number of ended processes without pins that stay in the table.
const ENDED_KEPT: usize = 100;

/// Runs `pintrace top`.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Exit> {
    if args.once {
        if let Some(view) = args.view.view {
            return Err(Mistake::once_with_view(view).into());
        }
        pids::check(&Roots::default().proc, &args.pid)?;
    }
    let batch = if args.batch { Some(Batch::of(args)?) } else { None };
    check_query(args.view(), args.query.as_deref())?;
    if !args.once && batch.is_none() && !std::io::stdout().is_terminal() {
        anyhow::bail!(
            "standard output is not a terminal: use --once for one table, --once --json for one JSON object, --batch for rows \
             at each interval"
        );
    }
    // What scripts read depends on no file. A mistake in a file is shown before hooks are attached.
    let configuration = if args.once || args.batch {
        None
    } else {
        Some(Configuration::load(&args.view, Environment::of_process())?)
    };
    let (open, view) = watch::channel(false);
    // A budget needs the cost all the time.
    let attention = if args.live.budget.is_some() || args.needs_own_cost() {
        Attention::Always
    } else {
        Attention::View(view)
    };
    // Privileges are dropped before other threads start, because a running thread would keep its privileges.
    let started = start(&args.live, Vec::new())?;
    let meter = Meter::of(&started.0, Roots::default().proc, attention, args.live.no_sandbox);
    // A saved snapshot is a file in one of these folders.
    let temporary = std::env::temp_dir();
    let folders = [Path::new("."), &temporary];
    privileges::give_up(Uses {
        processes: started.0.reads_processes(),
        writes: Writes {
            creates_in: if configuration.is_some() { &folders } else { &[] },
            ..Writes::default()
        },
        no_sandbox: args.live.no_sandbox,
        ..Uses::default()
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match (batch, configuration) {
        (Some(batch), _) => {
            let printed = runtime.block_on(batch::run(started, meter, args, batch));
            // A write to a pipe that nobody reads does not end.
            runtime.shutdown_background();
            printed
        }
        (None, None) => runtime.block_on(once(started, meter, args, out)),
        (None, Some(configuration)) => {
            runtime.block_on(live::run(started, (meter, open), args, &configuration))
        }
    }
}

async fn once(
    (mut session, first): (Session, Vec<Event>),
    meter: Meter,
    args: &Args,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let own_cost = Watch::start(meter);
    let interval = args.interval();
    let mut last = Snapshot::default();
    let mut fold = Fold::new(|model| last = model.snapshot());
    let quit = async {
        tokio::time::sleep(interval).await;
        Stopped {
            reason: "once".to_owned(),
            exit_code: None,
        }
    };
    // No tick falls into the interval: the only sample is the last, and its rates cover the whole interval.
    run_session(&mut session, first, interval * 2, None, &mut [&mut fold], quit).await?;
    drop(fold);
    last.own_cost = Some(Arc::new(own_cost.end().await?));
    let query = process_query(args.query.as_deref())?;
    keep(&mut last, args, query.as_ref());
    select(&mut last, query.as_ref());
    let text = if args.json {
        json::render(&last, true)?
    } else {
        table::render(
            &last,
            table::TableOptions {
                width: output_width(WIDTH),
                ..table::TableOptions::default()
            },
        )
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    detach(session, &mut std::io::stderr());
    Ok(Exit::Done)
}

/// The width of the tables of --once in a pipe, in columns: wide enough for all columns with figures.
const WIDTH: usize = 120;

/// Keeps only the processes given by --pid. Without --pid, keeps all processes. Before a query chooses rows of the table,
/// keeps only processes that the table lists, so that the numbers are those of the table.
fn keep(snapshot: &mut Snapshot, args: &Args, query: Option<&Query<Process>>) {
    let listed = |process: &Process| args.json || query.is_none() || table::is_listed(process);
    let given = |process: &Process| args.pid.is_empty() || args.pid.contains(&process.pid.0);
    let kept = snapshot.processes.iter();
    let kept = kept.filter(|process| given(process) && listed(process)).cloned();
    snapshot.processes = kept.collect();
}
