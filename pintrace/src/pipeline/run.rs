//! The loop of a live session: waits for the ring buffer, the next tick and the request to stop.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use pintrace_events::{Body, Detail, Event, Stopped};

use super::budget::{Budget, longer};
use super::session::Session;
use super::sink::{Sink, SinkError};
use super::start::SessionError;
use super::stream_header::now;

/// Why a session ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A sink failed.
    #[error("{0}")]
    Sink(SinkError),
    /// The ring buffer cannot be polled.
    #[error("cannot poll the ring buffer: {0}")]
    Ring(std::io::Error),
}

/// Longest time that a session waits for releases after the end of its command: io_uring frees registered buffers in a
/// worker after its process has ended (`io_ring_exit_work`).
const SETTLE: Duration = Duration::from_secs(2);
/// A session has settled if no page is pinned or released for this time.
const QUIET: Duration = Duration::from_millis(200);

/// Longest time that a session takes for a last reconciliation. The session samples 20 times in this time, because the
/// totals are adjusted exactly only at a sample during which no page is pinned or released.
const CLOSING: Duration = Duration::from_millis(500);

/// Runs a session until `stop` completes, within a budget if there is one. Then waits for releases and for a last
/// reconciliation, and delivers the last events.
pub async fn run(
    session: &mut Session,
    first: Vec<Event>,
    interval: Duration,
    mut budget: Option<Budget>,
    sinks: &mut [&mut dyn Sink],
    stop: impl Future<Output = Stopped>,
) -> Result<Stopped, RunError> {
    deliver(sinks, &first)?;
    let ring = session.poll_ring().map_err(RunError::Ring)?;
    let mut ticks = ticks_every(interval);
    let mut stop = std::pin::pin!(stop);
    // One buffer for all events, so that the records of the steady state allocate nothing.
    let mut drained = Vec::new();
    let stopped = loop {
        tokio::select! {
            biased;
            stopped = &mut stop => break stopped,
            _ = ticks.tick() => {
                let mut events = session.tick()?;
                let time = now();
                if let Some(shed) = budget.as_mut().and_then(|budget| budget.exceeded(time)) {
                    events.push(Event { time, body: Body::DetailShed(shed) });
                    match shed.detail {
                        Detail::Samples => ticks = ticks_every(longer(interval)),
                        Detail::Findings => session.shed_findings(),
                    }
                }
                deliver(sinks, &events)?;
            }
            () = reach(session.due()) => {
                let events = session.sample()?;
                deliver(sinks, &events)?;
            }
            ready = readable(ring.as_ref()) => {
                ready.map_err(RunError::Ring)?;
                drained.clear();
                session.drain(&mut drained)?;
                deliver(sinks, &drained)?;
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

fn ticks_every(time: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + time, time);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Waits until the ring buffer holds records; forever without a ring buffer.
async fn readable(ring: Option<&AsyncFd<OwnedFd>>) -> std::io::Result<()> {
    match ring {
        Some(ring) => {
            // Cleared before the records are read, so that a record that arrives later sets readiness again.
            ring.readable().await?.clear_ready();
            Ok(())
        }
        None => std::future::pending().await,
    }
}

/// Waits until `due`; forever for `None`.
async fn reach(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Samples until the reconciliation in progress has ended, for at most [`CLOSING`].
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

/// Waits until no page has been pinned or released for [`QUIET`] and no ended process holds pins, for at most
/// [`SETTLE`].
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
