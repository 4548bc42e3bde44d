//! The stream itself: its header, its clock and its end.

use std::ops::Range;
use std::sync::Arc;

use pintrace_events::units::Nanos;
use pintrace_events::{Detail, DetailShed, FindingHooksAttached, Started, Stopped};

use crate::finding::coverage::FindingHooks;

/// Bytes of a page if the stream header does not say.
const DEFAULT_PAGE_SIZE: u64 = 4096;

/// State of the stream as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamState {
    /// Latest time of an event.
    pub(crate) time: Nanos,
    /// Time of the header, or of the first event until the header arrives.
    pub(crate) start: Option<Nanos>,
    pub(crate) header: Option<Arc<Started>>,
    pub(crate) ending: Option<Stopped>,
    last_tick: Option<Nanos>,
    /// The finding hooks that wait for pins.
    pub(crate) finding_hooks: FindingHooks,
    /// The details that the session gave up, in order.
    pub(crate) shed: Vec<DetailShed>,
}

impl StreamState {
    /// Moves the clock forward to the time of an event, never back.
    pub(crate) fn advance(&mut self, time: Nanos) {
        self.time = self.time.max(time);
        self.start.get_or_insert(time);
    }

    /// Takes the header; returns false if the stream has a header already.
    pub(crate) fn started(&mut self, time: Nanos, started: &Started) -> bool {
        if self.header.is_some() {
            return false;
        }
        self.start = Some(time);
        self.last_tick = Some(time);
        self.finding_hooks.wait = started.findings_wait;
        self.header = Some(Arc::new(started.clone()));
        true
    }

    /// Takes a detail that the session gives up. Returns false for a detail that was given up before.
    pub(crate) fn detail_shed(&mut self, shed: DetailShed) -> bool {
        let is_new = !self.shed.iter().any(|before| before.detail == shed.detail);
        if is_new {
            self.shed.push(shed);
        }
        if shed.detail == Detail::Findings {
            self.finding_hooks.wait = false;
        }
        is_new
    }

    /// Takes the attachment of finding hooks that have waited, at `time`.
    pub(crate) fn finding_hooks_attached(&mut self, time: Nanos, attached: &FindingHooksAttached) -> bool {
        let late = time.since(attached.first_pin);
        self.finding_hooks = FindingHooks {
            wait: attached.others_wait,
            late: Some(self.finding_hooks.late.map_or(late, |before| before.max(late))),
        };
        if let Some(header) = &mut self.header {
            Arc::make_mut(header).missing.extend_from_slice(&attached.missing);
        }
        true
    }

    pub(crate) fn stopped(&mut self, stopped: &Stopped) -> bool {
        self.ending = Some(stopped.clone());
        true
    }

    /// Ends a tick and returns its length in seconds; `None` if no time has passed since the previous tick.
    pub(crate) fn tick(&mut self) -> Option<f64> {
        let since = self.last_tick.or(self.start).unwrap_or_default();
        let seconds = self.time.since(since).as_secs();
        (seconds > 0.0).then(|| {
            self.last_tick = Some(self.time);
            seconds
        })
    }

    /// Returns true if the kernel never copies exclusive anonymous pages (`PG_anon_exclusive`, 5.19); false until the
    /// header arrives.
    pub(crate) fn keeps_exclusive_pages(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.exclusive_pages)
    }

    /// Returns the bytes of a page.
    pub(crate) fn page_size(&self) -> u64 {
        match self.header.as_ref().map_or(0, |header| header.page_size) {
            0 => DEFAULT_PAGE_SIZE,
            size => u64::from(size),
        }
    }

    /// Returns the number of pages of a range of bytes.
    pub(crate) fn pages_of(&self, range: &Range<u64>) -> u64 {
        range.end.saturating_sub(range.start).div_ceil(self.page_size())
    }
}
