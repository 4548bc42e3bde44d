//! Takes a sample of the own cost each second, whatever the interval of the session is.

use std::sync::Arc;
use std::time::Duration;

use pintrace_model::own_cost::{OwnCost, SAMPLED_FOR};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{MissedTickBehavior, interval};

use super::Meter;

/// The latest sample of the own cost.
pub type LatestCost = watch::Receiver<Option<Arc<OwnCost>>>;

/// A task that takes samples.
#[derive(Debug)]
pub struct Watch {
    latest: LatestCost,
    stop: oneshot::Sender<()>,
    task: JoinHandle<OwnCost>,
}

impl Watch {
    /// Starts to take samples, the first one at once. Needs a runtime.
    pub fn start(mut meter: Meter) -> Self {
        let (show, latest) = watch::channel(None);
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            // A measurement of the run time ends with the next sample.
            let mut ticks = interval(Duration::from_nanos(SAMPLED_FOR.0));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    // An error means that the session was dropped, which also ends the task.
                    _ = &mut stopped => return meter.end(),
                    _ = ticks.tick() => {
                        show.send_replace(Some(Arc::new(meter.sample())));
                    }
                }
            }
        });
        Self { latest, stop, task }
    }

    /// Returns the latest sample, as it changes.
    pub fn latest(&self) -> LatestCost {
        self.latest.clone()
    }

    /// Stops, and returns the last sample. An error means that the task panicked.
    pub async fn end(self) -> Result<OwnCost, JoinError> {
        // An error means that the task has ended.
        let _ = self.stop.send(());
        self.task.await
    }
}
