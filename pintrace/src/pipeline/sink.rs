//! Where events go: into the model, into a file.

use pintrace_events::{Body, Event};
use pintrace_model::Model;
use pintrace_record::{Recording, WriteError};

/// Why a sink takes no more.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes events in order.
pub trait Sink: Send {
    /// Takes a batch, in order. An error ends the session.
    fn take(&mut self, events: &[Event]) -> Result<(), SinkError>;
}

/// Folds events into a model and shows it whenever a moment is complete.
pub struct Fold<F> {
    model: Model,
    show: F,
}

impl<F: FnMut(&mut Model) + Send> Fold<F> {
    /// `show` is called after each batch that completes a moment.
    pub fn new(show: F) -> Self {
        Self {
            model: Model::default(),
            show,
        }
    }
}

impl<F: FnMut(&mut Model) + Send> Sink for Fold<F> {
    fn take(&mut self, events: &[Event]) -> Result<(), SinkError> {
        let mut moment = false;
        for event in events {
            self.model.apply(event);
            moment |= matches!(event.body, Body::Tick | Body::Stopped(_));
        }
        if moment {
            (self.show)(&mut self.model);
        }
        Ok(())
    }
}

/// Appends to a recording. An event that has no place is counted there and does not end the session.
impl Sink for Recording {
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
