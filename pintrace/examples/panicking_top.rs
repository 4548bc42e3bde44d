//! Runs `pintrace top` and panics at SIGUSR1. A guest test checks the terminal and the programs after the panic. The
//! eBPF programs and the view are those of pintrace.
//!
//! With `PANICS_IN=beside`, this program runs `pintrace top`, and another thread panics. With `PANICS_IN=sink` and
//! `PANICS_IN=view`, this program runs the parts of `pintrace top`, and the sink of the events or the drawing thread
//! panics.

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser as _;
use nix::sys::signal::{SigSet, Signal};
use pintrace::cli::{self, Cli, Command};
use pintrace::cmd::{top, trace_args};
use pintrace::pipeline::run::run as run_session;
use pintrace::pipeline::sink::Fold;
use pintrace_events::Stopped;
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_tui::{ExitReason, ViewOptions};
use tokio::sync::watch;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// SIGUSR1 has arrived.
static ASKED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<ExitCode> {
    let place = std::env::var("PANICS_IN")?;
    let beside = place == "beside";
    // Blocked before any other thread starts, so that every thread inherits the blocked signal.
    let mut on_request = SigSet::empty();
    on_request.add(Signal::SIGUSR1);
    on_request.thread_block()?;
    std::thread::spawn(move || {
        ASKED.store(on_request.wait().is_ok(), Ordering::SeqCst);
        if beside {
            panic_once_asked();
        }
    });
    let args = match Cli::parse().command {
        Command::Top(args) if !beside => args,
        _ => return Ok(cli::main().into()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let exit_reason = runtime.block_on(top(&args, place == "sink"))?;
    Ok(match exit_reason {
        ExitReason::Quit => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn panic_once_asked() {
    assert!(!ASKED.load(Ordering::SeqCst), "a panic on request");
}

/// Does the work of `cmd::top`, with a panic.
async fn top(args: &top::Args, in_sink: bool) -> Result<ExitReason> {
    let (mut session, first) = trace_args::start(&args.live, Vec::new())?;
    let (show, shown) = watch::channel(Arc::new(Snapshot::default()));
    let mut fold = Fold::new(move |model: &mut Model| {
        if in_sink {
            panic_once_asked();
        }
        show.send_replace(Arc::new(model.snapshot()));
    });
    let (quit, quitting) = tokio::sync::oneshot::channel::<()>();
    let interval = args.view.interval.unwrap_or(std::time::Duration::from_secs(1));
    let source = tokio::spawn(async move {
        let stop = async {
            // An error means that the view ended without a message, which also stops the session.
            let _ = quitting.await;
            Stopped {
                reason: "quit".to_owned(),
                exit_code: None,
            }
        };
        run_session(&mut session, first, interval, None, &mut [&mut fold], stop).await
    });
    let mut view = pin!(pintrace_tui::run(shown, ViewOptions::default()));
    let exit_reason = poll_fn(|context| {
        // Panics before the view draws the next snapshot, while the view uses the terminal.
        if !in_sink {
            panic_once_asked();
        }
        view.as_mut().poll(context)
    });
    let exit_reason = exit_reason.await;
    let _ = quit.send(());
    source.await??;
    Ok(exit_reason?)
}
