//! `pintrace serve`: serves metrics to Prometheus.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::exit::Exit;
use crate::pipeline::own_cost::Meter;
use crate::pipeline::own_cost::attention::Attention;
use crate::pipeline::own_cost::watch::Watch;
use crate::pipeline::run::run as run_session;
use crate::pipeline::sink::{Fold, Sink};
use crate::pipeline::stream_header::wall_clock;
use pintrace_events::Stopped;
use pintrace_kernel::facts::Roots;
use pintrace_metrics::server::{DEFAULT_ADDRESS, Limits, Server};
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_text::counted;

use super::detach::detach;
use super::privileges::{self, Uses};
use super::service_manager::ServiceManager;
use super::signals::Stops;
use super::trace_args::{TraceArgs, duration, start};

/// The command line of `serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Listen on this address. The endpoint has no authentication, and the metrics reveal the kernel of this machine and
    /// the subsystems that pin memory: use an address other than loopback with care.
    #[arg(long = "web.listen-address", value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS)]
    pub listen: SocketAddr,
    /// The time between two samples, such as 500ms or 2s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub live: TraceArgs,
}

/// The model keeps no ended process without pins, because no metric needs such a process.
const ENDED_KEPT: usize = 0;

/// Serves until a signal arrives.
pub fn run(args: &Args, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    // One thread, because each thread has its own capabilities.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, messages))
}

async fn serve(args: &Args, messages: &mut dyn Write) -> anyhow::Result<Exit> {
    let manager = ServiceManager::connect();
    let mut stops = Stops::listen()?;
    // Bind before hooks are attached, so that a port in use fails early.
    let server = Server::bind(args.listen, Limits::default()).await?;
    let (mut session, first) = start(&args.live, Vec::new())?;
    // A budget needs the cost all the time.
    let attention = match args.live.budget {
        Some(_) => Attention::Always,
        None => Attention::Reads(server.reads()),
    };
    let meter = Meter::of(&session, Roots::default().proc, attention, args.live.no_sandbox);
    let restrictions = privileges::give_up(Uses {
        processes: session.reads_processes(),
        no_sandbox: args.live.no_sandbox,
        ..Uses::default()
    })?;
    let own_cost = Watch::start(meter);
    let latest_cost = own_cost.latest();
    let budget = args.live.budget(args.interval, own_cost.latest());
    let (show, shown) = watch::channel(Arc::new(Snapshot::default()));
    let mut status = Status::new(&manager);
    let mut fold = Fold::new(|model: &mut Model| {
        model.forget_ended(ENDED_KEPT);
        model.set_own_cost(latest_cost.borrow().clone());
        let mut snapshot = model.snapshot();
        snapshot.taken_wall_ns = wall_clock();
        let snapshot = Arc::new(snapshot);
        status.show(&snapshot);
        show.send_replace(snapshot);
    });
    writeln!(messages, "pintrace: sandbox: {restrictions}")?;
    writeln!(messages, "pintrace: serving http://{}/metrics", server.address()?)?;
    let (quit, mut quitting) = watch::channel(false);
    let stop = async {
        tokio::select! {
            _ = stops.next() => {}
            () = manager.keep_alive() => {}
        }
        manager.stopping();
        Stopped {
            reason: "signal".to_owned(),
            exit_code: None,
        }
    };
    let shutdown = async move {
        // An error means that the sender is gone, which ends the server too.
        let _ = quitting.wait_for(|quit| *quit).await;
    };
    let mut sinks: [&mut dyn Sink; 1] = [&mut fold];
    let run = async {
        let stopped = run_session(&mut session, first, args.interval, budget, &mut sinks, stop).await;
        // The server ends with the session, because the metrics change no more.
        let _ = quit.send(true);
        stopped
    };
    let (stopped, ()) = tokio::join!(run, server.run(shown, shutdown));
    own_cost.end().await?;
    stopped?;
    detach(session, messages);
    Ok(Exit::Done)
}

/// The sentence about the session for the service manager.
struct Status<'a> {
    manager: &'a ServiceManager,
    told: String,
}

impl<'a> Status<'a> {
    fn new(manager: &'a ServiceManager) -> Self {
        Self {
            manager,
            told: String::new(),
        }
    }

    /// Sends the sentence if it has changed. The first sentence says that the service is ready: the first snapshot is there,
    /// so a scrape finds the figures.
    fn show(&mut self, snapshot: &Snapshot) {
        let sentence = sentence(snapshot);
        if self.told.is_empty() {
            self.manager.ready(&sentence);
        } else if self.told != sentence {
            self.manager.status(&sentence);
        }
        self.told = sentence;
    }
}

fn sentence(snapshot: &Snapshot) -> String {
    let holding = snapshot
        .processes
        .iter()
        .filter(|process| process.pages_held > 0)
        .count();
    let holding = u64::try_from(holding).unwrap_or(u64::MAX);
    let (noun, verb) = if holding == 1 {
        ("process", "holds")
    } else {
        ("processes", "hold")
    };
    let mode = if snapshot.started.mode == "scan" {
        "Scanning memory"
    } else {
        "Tracing"
    };
    let pages = snapshot.processes.iter().map(|process| process.pages_held).sum();
    format!("{mode}: {holding} {noun} {verb} {}", counted(pages, "page"))
}
