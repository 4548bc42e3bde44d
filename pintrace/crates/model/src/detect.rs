//! Detectors: each one turns observations into findings of its kinds.

mod cow;
mod flush_window;
mod foll_get;
mod fork;
mod mapping_change;
mod missing_longterm;
mod not_exclusive;
mod pin_hit;
mod pin_outlives_mm;

use pintrace_events::units::Nanos;
use pintrace_events::{CowSampled, MappingChanged, WindowsSampled};

use crate::finding_table::FindingTable;
use crate::pins::{AccountState, ExtentState, Hit, Pins};
use crate::stream::StreamState;

/// An event that concerns pins, with the pins that it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Observation<'a> {
    /// A mapping changed, and these extents hold a part of the range.
    MappingChanged(&'a MappingChanged, &'a [Hit]),
    /// New totals of copies.
    Cow(&'a CowSampled),
    /// New totals of pending-flush windows.
    Windows(&'a WindowsSampled),
    /// New totals of an account.
    Account(&'a AccountState),
    /// An extent was closed.
    ExtentClosed(&'a ExtentState),
    /// A tick ended, and these open extents outlive their mm ([`take_outliving`]).
    Tick(&'a [ExtentState]),
}

/// The part of the model that detectors read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// Time of the observation.
    pub(crate) now: Nanos,
    pub(crate) stream: &'a StreamState,
    pub(crate) pins: &'a Pins,
    /// The ledger may hold pages that have been released.
    pub(crate) ledger_uncertain: bool,
}

/// Turns observations into findings.
trait Detector: Sync {
    /// Adds the findings of an observation to `findings`. A detector ignores observations of other detectors.
    fn detect(&self, observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable);
}

pub(crate) use pin_outlives_mm::take_outliving;

/// Every detector.
static DETECTORS: &[&dyn Detector] = &[
    &cow::CowDetector,
    &foll_get::FollGetDetector,
    &fork::ForkDetector,
    &mapping_change::MappingChangeDetector,
    &pin_outlives_mm::PinOutlivesMmDetector,
    &missing_longterm::MissingLongtermDetector,
    &not_exclusive::NotExclusiveDetector,
    &flush_window::FlushWindowDetector,
];

/// Gives an observation to every detector.
pub(crate) fn detect(observation: Observation<'_>, context: Context<'_>, findings: &mut FindingTable) {
    for detector in DETECTORS {
        detector.detect(observation, context, findings);
    }
}
