//! The requests of the view, as the thread of the player gets them.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Instant;

use pintrace_tui::ReplayRequest;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::timeout_at;

/// Requests that are kept while the recording is read.
const MOST: usize = 64;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Request(ReplayRequest),
    /// The next moment is due.
    Due,
    /// The view has ended.
    Closed,
}

/// The requests.
pub(super) struct Inbox {
    receiver: UnboundedReceiver<ReplayRequest>,
    handle: Handle,
    /// Requests that have arrived and are not taken yet.
    waiting: VecDeque<ReplayRequest>,
}

impl Inbox {
    pub(super) fn new(receiver: UnboundedReceiver<ReplayRequest>, handle: Handle) -> Self {
        Self {
            receiver,
            handle,
            waiting: VecDeque::new(),
        }
    }

    /// Waits for a request, or until a time.
    pub(super) fn wait(&mut self, due: Option<Instant>) -> Received {
        if let Some(request) = self.take() {
            return Received::Request(request);
        }
        let receiver = &mut self.receiver;
        let request = self.handle.block_on(async {
            match due {
                Some(due) => timeout_at(due.into(), receiver.recv()).await,
                None => Ok(receiver.recv().await),
            }
        });
        match request {
            Ok(Some(request)) => Received::Request(request),
            Ok(None) => Received::Closed,
            Err(_) => Received::Due,
        }
    }

    /// Returns a request that has arrived already.
    pub(super) fn take(&mut self) -> Option<ReplayRequest> {
        self.waiting.pop_front()
    }

    /// Returns `Break` if a request has arrived, or if the view has ended.
    pub(super) fn go_on(&mut self) -> ControlFlow<()> {
        match self.receiver.try_recv() {
            Err(TryRecvError::Empty) => ControlFlow::Continue(()),
            Err(TryRecvError::Disconnected) => ControlFlow::Break(()),
            Ok(request) => {
                self.waiting.push_back(request);
                ControlFlow::Break(())
            }
        }
    }

    /// Returns `Break` if the user leaves the reading, or if the view has ended. Keeps other requests.
    pub(super) fn go_on_reading(&mut self) -> ControlFlow<()> {
        loop {
            match self.receiver.try_recv() {
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
                Ok(ReplayRequest::Leave) | Err(TryRecvError::Disconnected) => return ControlFlow::Break(()),
                Ok(request) if self.waiting.len() < MOST => self.waiting.push_back(request),
                Ok(_) => {}
            }
        }
    }
}
