//! `pintrace top` with a panic at SIGUSR1: to see in a guest what is left after it. Real programs, the real view.
//!
//! `PANICS_IN=beside` is `pintrace top` itself, with a thread beside it that panics. `sink` and `view` put the same parts
//! together: there the sink of the traced events panics, or the thread that draws.

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
use pintrace_tui::{self, ExitReason, guardian};
use tokio::sync::watch;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

static ASKED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<ExitCode> {
    if let guardian::Role::Done(code) = guardian::guard()? {
        return Ok(ExitCode::from(code));
    }
    let place = std::env::var("PANICS_IN")?;
    let beside = place == "beside";
    // Before any other thread is there, so that none has the signal unblocked.
    let mut wish = SigSet::empty();
    wish.add(Signal::SIGUSR1);
    wish.thread_block()?;
    std::thread::spawn(move || {
        ASKED.store(wish.wait().is_ok(), Ordering::SeqCst);
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
    let outcome = runtime.block_on(top(&args, place == "sink"))?;
    Ok(match outcome {
        ExitReason::Quit => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn panic_once_asked() {
    assert!(!ASKED.load(Ordering::SeqCst), "a panic on request");
}

/// As `cmd::top` does it, but for the panic.
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
    let interval = args.interval;
    let source = tokio::spawn(async move {
        let stop = async {
            // An error means that the view is gone, which is the same wish.
            let _ = quitting.await;
            Stopped {
                reason: "quit".to_owned(),
                exit_code: None,
            }
        };
        run_session(&mut session, first, interval, &mut [&mut fold], stop).await
    });
    let mut view = pin!(pintrace_tui::run(shown, pintrace_tui::Options::default()));
    let outcome = poll_fn(|context| {
        // Where the next snapshot would be drawn, with the terminal taken.
        if !in_sink {
            panic_once_asked();
        }
        view.as_mut().poll(context)
    });
    let outcome = outcome.await;
    let _ = quit.send(());
    source.await??;
    Ok(outcome?)
}
