//! `top --batch`: prints the rows of a view after each interval.

use std::io::{self, Write};
use std::num::NonZeroU64;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};
use tokio::task::{self, JoinHandle};

use pintrace_events::{Event, Stopped};
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;

use crate::exit::Exit;
use crate::pipeline::own_cost::Meter;
use crate::pipeline::own_cost::watch::Watch;
use crate::pipeline::run::{RunError, run as run_session};
use crate::pipeline::session::Session;
use crate::pipeline::sink::Fold;

use super::super::detach::detach;
use super::super::signals::Stops;
use super::super::view_rows::{Choice, Format, RowPrinter, printer};
use super::{Args, ENDED_KEPT};

/// What is printed, and how often.
pub(super) struct Batch {
    printer: Box<dyn RowPrinter>,
    format: Format,
    /// The number of times; `None` for no end.
    count: Option<NonZeroU64>,
}

impl Batch {
    /// Returns what the command line asks for, or an error of usage.
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let printer = printer(Choice {
            view: args.view(),
            query: args.query.as_deref(),
            sort: args.sort.as_deref(),
            pids: &args.pids(),
            with_ended: false,
        })?;
        Ok(Self {
            printer,
            format: args.format(),
            count: args.count,
        })
    }
}

/// Prints until the number of times is reached, a signal arrives, the output fails or the session ends.
pub(super) async fn run(
    started: (Session, Vec<Event>),
    meter: Meter,
    args: &Args,
    batch: Batch,
) -> anyhow::Result<Exit> {
    let mut stops = Stops::listen()?;
    let own_cost = Watch::start(meter);
    let (show, shown) = watch::channel(Arc::new(Snapshot::default()));
    let (quit, quitting) = oneshot::channel();
    let session = session(started, args, &own_cost, show, quitting);
    let printed = tokio::select! {
        printed = print(shown, batch) => printed,
        _ = stops.next() => Ok(()),
    };
    let _ = quit.send(());
    let session = session.await??;
    own_cost.end().await?;
    detach(session, &mut io::stderr());
    printed.map(|()| Exit::Done)
}

/// Runs the session in another task, so that a slow reader of the output does not delay the ring buffer.
fn session(
    (mut session, first): (Session, Vec<Event>),
    args: &Args,
    own_cost: &Watch,
    show: watch::Sender<Arc<Snapshot>>,
    quitting: oneshot::Receiver<()>,
) -> JoinHandle<Result<Session, RunError>> {
    let latest_cost = own_cost.latest();
    let mut fold = Fold::new(move |model: &mut Model| {
        model.forget_ended(ENDED_KEPT);
        model.set_own_cost(latest_cost.borrow().clone());
        show.send_replace(Arc::new(model.snapshot()));
    });
    let interval = args.interval();
    let budget = args.live.budget(interval, own_cost.latest());
    tokio::spawn(async move {
        let stop = async {
            let _ = quitting.await;
            Stopped {
                reason: "quit".to_owned(),
                exit_code: None,
            }
        };
        let stopped = run_session(&mut session, first, interval, budget, &mut [&mut fold], stop).await;
        stopped.map(|_| session)
    })
}

/// Prints each snapshot. A reader that is slower than the interval misses snapshots.
async fn print(mut shown: watch::Receiver<Arc<Snapshot>>, batch: Batch) -> anyhow::Result<()> {
    let Batch {
        printer,
        format,
        count,
    } = batch;
    let mut printed = 0;
    // The sender goes when the session ends.
    while count.is_none_or(|count| printed < count.get()) && shown.changed().await.is_ok() {
        let snapshot = shown.borrow_and_update().clone();
        let text = printer.render(&snapshot, format, printed == 0)?;
        // A signal ends the command also while a pipe is full.
        let write = task::spawn_blocking(move || write(&mut io::stdout(), &text));
        write.await?.context("cannot write to standard output")?;
        printed += 1;
    }
    Ok(())
}

fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
