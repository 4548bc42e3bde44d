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
use pintrace_events::Stopped;
use pintrace_kernel::facts::Roots;
use pintrace_metrics::server::{DEFAULT_ADDRESS, Limits, Server};
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;

use super::detach::detach;
use super::privileges::{self, Uses};
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
    let mut fold = Fold::new(move |model: &mut Model| {
        model.forget_ended(ENDED_KEPT);
        model.set_own_cost(latest_cost.borrow().clone());
        show.send_replace(Arc::new(model.snapshot()));
    });
    writeln!(messages, "pintrace: sandbox: {restrictions}")?;
    writeln!(messages, "pintrace: serving http://{}/metrics", server.address()?)?;
    let (quit, mut quitting) = watch::channel(false);
    let stop = async move {
        stops.next().await;
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
