//! The live view of `pintrace top`.

use std::sync::Arc;

use tokio::sync::watch;

use pintrace_events::units::Pid;
use pintrace_events::{Event, Stopped};
use pintrace_kernel::facts::Roots;
use pintrace_kernel::memlock;
use pintrace_model::locked_memory::LockedMemory;
use pintrace_model::snapshot::Snapshot;

use crate::config::Configuration;
use crate::exit::Exit;
use crate::pipeline::own_cost::Meter;
use crate::pipeline::own_cost::watch::Watch;
use crate::pipeline::run::run as run_session;
use crate::pipeline::session::Session;
use crate::pipeline::sink::Fold;

use super::super::detach::detach;
use super::super::recording_file::named;
use super::super::save_snapshot::{save, save_in_sandbox};
use super::recorder::SessionLog;
use super::{Args, ENDED_KEPT};

/// Shows the session until the user quits.
pub(super) async fn run(
    (mut session, first): (Session, Vec<Event>),
    (meter, open): (Meter, watch::Sender<bool>),
    args: &Args,
    configuration: &Configuration,
) -> anyhow::Result<Exit> {
    let own_cost = Watch::start(meter);
    let latest_cost = own_cost.latest();
    let (show, shown) = watch::channel(Arc::new(Snapshot::default()));
    let mut fold = Fold::new(move |model: &mut pintrace_model::Model| {
        model.forget_ended(ENDED_KEPT);
        model.set_own_cost(latest_cost.borrow().clone());
        show.send_replace(Arc::new(model.snapshot()));
    });
    let (quit, quitting) = tokio::sync::oneshot::channel::<()>();
    let interval = configuration.interval();
    let budget = args.live.budget(interval, own_cost.latest());
    let log = SessionLog::new(args.live.no_sandbox)?;
    let mut sink = log.clone();
    let source = tokio::spawn(async move {
        let stop = async {
            // An error means that the view has ended without a message, which also stops the session.
            let _ = quitting.await;
            Stopped {
                reason: "quit".to_owned(),
                exit_code: None,
            }
        };
        let stopped = run_session(
            &mut session,
            first,
            interval,
            budget,
            &mut [&mut fold, &mut sink],
            stop,
        )
        .await;
        stopped.map(|_| session)
    });
    let mut options = configuration.view_options();
    options.pids = args.pids();
    if let Some(query) = &args.query {
        query.trim().clone_into(&mut options.filter);
    }
    options.own_cost_open = Some(open);
    options.locked_memory = Some(locked_memory);
    options.save = Some(if args.live.no_sandbox {
        save
    } else {
        save_in_sandbox
    });
    options.recorder = Some(Arc::new(log.clone()));
    let exit_reason = pintrace_tui::run(shown, options).await;
    let _ = quit.send(());
    let session = source.await??;
    own_cost.end().await?;
    // The terminal is restored.
    match log.finish() {
        None => {}
        Some(Ok(file)) => eprintln!("pintrace: recorded {}", named(&file.path)),
        Some(Err(why)) => eprintln!("pintrace: the recording has ended: {why}"),
    }
    detach(session, &mut std::io::stderr());
    Ok(match exit_reason? {
        pintrace_tui::ExitReason::Signal(number) => Exit::Command(u8::try_from(128 + number).unwrap_or(1)),
        pintrace_tui::ExitReason::Quit => Exit::Done,
        pintrace_tui::ExitReason::SourceGone | pintrace_tui::ExitReason::Panicked => Exit::Failed,
    })
}

/// Reads what a process may still pin.
fn locked_memory(pid: Pid) -> Option<LockedMemory> {
    let memlock = memlock::read(&Roots::default().proc, pid.0)?;
    Some(LockedMemory {
        limit: memlock.limit,
        exempt: memlock.ipc_lock,
        pinned: memlock.pinned,
        locked: memlock.locked,
    })
}
