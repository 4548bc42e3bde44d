//! A recording that is replayed: what the view asks for, and what it gets.
//!
//! The view does not read the recording. A [`ReplaySource`] connects the view with the reader: requests go one way, and frames
//! the other way.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use pintrace_events::units::Nanos;
use pintrace_model::history::History;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;

/// Where frames come from and requests go to.
#[derive(Debug)]
pub struct ReplaySource {
    /// The latest frame.
    pub frames: watch::Receiver<ReplayFrame>,
    /// What the user asks for.
    pub requests: mpsc::UnboundedSender<ReplayRequest>,
}

/// A request of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayRequest {
    /// Play at the recorded speed, or pause.
    Toggle,
    /// Go some moments forward, or back.
    Step(isize),
    /// Go to a moment.
    To(ReplayTarget),
    /// Leave the work that takes long.
    Leave,
}

/// A moment to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayTarget {
    /// The first moment.
    Start,
    /// The last moment.
    End,
    /// The moment at this time after the start: the nearest one within half a second, or else the last one before.
    After(Nanos),
    /// The moment at this time before the end, found in the same way.
    BeforeEnd(Nanos),
}

/// One moment of a recording.
#[derive(Clone, Debug, Default)]
pub struct ReplayFrame {
    /// The state at the moment.
    pub snapshot: Arc<Snapshot>,
    /// The pages of processes up to the moment, or a little later.
    pub history: Arc<History>,
    /// The place of the moment in the recording.
    pub state: ReplayState,
}

/// The state of the replay.
#[derive(Clone, Debug, Default)]
pub struct ReplayState {
    /// Time from the start of the recording to the moment.
    pub position: Nanos,
    /// Time from the start to the last moment that is known.
    pub length: Nanos,
    /// The moments follow one another at the recorded speed.
    pub plays: bool,
    /// Work that takes long.
    pub work: Option<ReplayWork>,
    /// Why the recording ends before the end of its session.
    pub early_end: Option<Arc<str>>,
}

/// Work that takes long, with the part that is done, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayWork {
    /// The moments of the recording are not all known yet.
    Reading(u8),
    /// The state of another moment is computed.
    Going(u8),
}

impl ReplayState {
    /// Returns the state in words, for the header.
    pub(super) fn words(&self) -> String {
        let place = format!(
            "REPLAY {} of {}",
            text::span(self.position),
            text::span(self.length)
        );
        match self.work {
            Some(ReplayWork::Reading(done)) => format!("{place}, reading {done} %"),
            Some(ReplayWork::Going(done)) => format!("{place}, going there {done} %"),
            None if self.plays => format!("{place}, playing"),
            None => format!("{place}, paused"),
        }
    }

    /// Returns a message if a target lies outside the recording. While the recording is read, its length is not known.
    pub(super) fn outside(&self, target: ReplayTarget) -> Option<String> {
        /// The length is shown rounded.
        const NEAR: Nanos = Nanos(500_000_000);
        if matches!(self.work, Some(ReplayWork::Reading(_))) {
            return None;
        }
        let end = match target {
            ReplayTarget::After(time) if time.since(self.length) > NEAR => "end",
            ReplayTarget::BeforeEnd(time) if time.since(self.length) > NEAR => "start",
            _ => return None,
        };
        let length = text::span(self.length);
        Some(format!("The recording is {length} long. This is its {end}."))
    }

    /// Returns the command that leaves the work, plays or pauses.
    pub(super) fn command(&self) -> &'static str {
        if self.work.is_some() { "back" } else { "pause" }
    }
}

/// The replay as the view knows it.
#[derive(Debug)]
pub(super) struct Replay {
    requests: mpsc::UnboundedSender<ReplayRequest>,
    pub(super) frame: ReplayFrame,
}

impl Replay {
    pub(super) fn new(requests: mpsc::UnboundedSender<ReplayRequest>) -> Self {
        Self {
            requests,
            frame: ReplayFrame::default(),
        }
    }

    /// Sends a request. Without a reader the frame on the screen stays.
    pub(super) fn ask(&self, request: ReplayRequest) {
        let _ = self.requests.send(request);
    }
}
