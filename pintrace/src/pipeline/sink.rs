//! The sinks of events: the model and the recording.

use pintrace_events::{Body, Event};
use pintrace_model::Model;
use pintrace_record::{Recording, WriteError};

/// The error of a sink.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes events in order.
pub trait Sink: Send {
    /// Prepares the sink when the session has started and has still all its rights. Returns what the user has to know.
    fn begin(&mut self) -> Result<Option<String>, SinkError> {
        Ok(None)
    }

    /// Takes the next events. An error ends the session.
    fn take(&mut self, events: &[Event]) -> Result<(), SinkError>;
}

/// Folds events into a model, and shows the model after each tick.
pub struct Fold<F> {
    model: Model,
    show: F,
}

impl<F: FnMut(&mut Model) + Send> Fold<F> {
    /// Creates a sink with an empty model. `show` is called after each batch with a tick or the last event.
    pub fn new(show: F) -> Self {
        Self {
            model: Model::default(),
            show,
        }
    }
}

impl<F: FnMut(&mut Model) + Send> Sink for Fold<F> {
    fn take(&mut self, events: &[Event]) -> Result<(), SinkError> {
        let mut complete = false;
        for event in events {
            self.model.apply(event);
            complete |= matches!(event.body, Body::Tick | Body::Stopped(_));
        }
        if complete {
            (self.show)(&mut self.model);
        }
        Ok(())
    }
}

/// Appends to a recording. An event that cannot be encoded does not end the session: the recording counts such events.
impl Sink for Recording {
    fn begin(&mut self) -> Result<Option<String>, SinkError> {
        let earlier = Self::begin(self)?;
        Ok(earlier.map(|earlier| format!("the earlier recording is now {}", earlier.display())))
    }

    fn take(&mut self, events: &[Event]) -> Result<(), SinkError> {
        for event in events {
            match self.append(event) {
                Ok(()) | Err(WriteError::Event { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
