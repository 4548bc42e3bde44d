//! The loop of a live session: kernel, clock, and the wish to stop.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use pintrace_events::{Event, Stopped};

use super::session::Session;
use super::sink::{Sink, SinkError};
use super::start::SessionError;

/// Why a session ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A sink takes no more.
    #[error("{0}")]
    Sink(SinkError),
    /// The ring buffer cannot be watched.
    #[error("cannot watch the ring buffer: {0}")]
    Ring(std::io::Error),
}

/// How long a session goes on after the wish to stop, while pins are still being released: io_uring
/// frees registered buffers in a worker after its process has ended (`io_ring_exit_work`).
const SETTLE: Duration = Duration::from_secs(2);
/// Nothing pinned or released for this long means settled.
const QUIET: Duration = Duration::from_millis(200);

/// How long it goes on after that to set right what was lost. One healing takes a twentieth of it; what it changes shows in
/// the sums at a moment when nothing moves.
const CLOSING: Duration = Duration::from_millis(500);

/// Runs a session until `stop` completes, then lets it settle and tells its end.
pub async fn run(
    session: &mut Session,
    first: Vec<Event>,
    interval: Duration,
    sinks: &mut [&mut dyn Sink],
    stop: impl Future<Output = Stopped>,
) -> Result<Stopped, RunError> {
    deliver(sinks, &first)?;
    let ring = session.poll_ring().map_err(RunError::Ring)?;
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(stop);
    let stopped = loop {
        tokio::select! {
            biased;
            stopped = &mut stop => break stopped,
            _ = ticks.tick() => {
                let events = session.tick()?;
                deliver(sinks, &events)?;
            }
            () = reach(session.due()) => {
                let events = session.sample()?;
                deliver(sinks, &events)?;
            }
            ready = readable(ring.as_ref()) => {
                ready.map_err(RunError::Ring)?;
                let events = session.drain()?;
                deliver(sinks, &events)?;
            }
        }
    };
    if stopped.exit_code.is_some() {
        settle(session, sinks).await?;
    }
    close(session, sinks).await?;
    let events = session.stop(stopped.clone())?;
    deliver(sinks, &events)?;
    Ok(stopped)
}

/// Waits until the ring buffer has something; for ever where there is none.
async fn readable(ring: Option<&AsyncFd<OwnedFd>>) -> std::io::Result<()> {
    match ring {
        Some(ring) => {
            // Cleared before reading: a record that comes meanwhile makes it ready again.
            ring.readable().await?.clear_ready();
            Ok(())
        }
        None => std::future::pending().await,
    }
}

/// Waits until then; for ever if that is never.
async fn reach(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Has what is wrong set right before the end is told, within bounds.
async fn close(session: &mut Session, sinks: &mut [&mut dyn Sink]) -> Result<(), RunError> {
    let until = Instant::now() + CLOSING;
    let events = session.close()?;
    deliver(sinks, &events)?;
    while session.is_reconciling() && Instant::now() < until {
        tokio::time::sleep(CLOSING / 20).await;
        let events = session.sample()?;
        deliver(sinks, &events)?;
    }
    Ok(())
}

/// Waits until nothing has been pinned or released for a while and nobody who has ended holds
/// anything, within bounds.
async fn settle(session: &mut Session, sinks: &mut [&mut dyn Sink]) -> Result<(), RunError> {
    let until = Instant::now() + SETTLE;
    let mut activity = session.activity()?;
    let mut quiet_since = Instant::now();
    while Instant::now() < until {
        tokio::time::sleep(QUIET / 10).await;
        let now = session.activity()?;
        if now != activity {
            activity = now;
            quiet_since = Instant::now();
        }
        if quiet_since.elapsed() >= QUIET {
            let events = session.tick()?;
            deliver(sinks, &events)?;
            if !session.ended_hold() {
                break;
            }
            quiet_since = Instant::now();
        }
    }
    Ok(())
}

fn deliver(sinks: &mut [&mut dyn Sink], events: &[Event]) -> Result<(), RunError> {
    if events.is_empty() {
        return Ok(());
    }
    sinks
        .iter_mut()
        .try_for_each(|sink| sink.take(events).map_err(RunError::Sink))
}
