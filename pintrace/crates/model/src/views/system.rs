//! The figures of the host and of the session, in groups: whether the other figures can be trusted, and why not.

mod balance;
mod losses;
mod session;

use std::borrow::Cow;

use crate::field::Value;
use crate::own_cost::text as own_cost;
use crate::snapshot::Snapshot;

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SystemGroup {
    /// vmstat against the ledger.
    Balance,
    /// What was lost, by stage.
    Loss,
    /// The mode, the hooks and the details of the session.
    Session,
    /// What pintrace itself takes of the host.
    OwnCost,
}

impl SystemGroup {
    /// Every group, in display order.
    pub const ALL: &'static [Self] = &[Self::Balance, Self::Loss, Self::Session, Self::OwnCost];

    /// Returns the heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Balance => "vmstat against ledger",
            Self::Loss => "loss",
            Self::Session => "session",
            Self::OwnCost => "own cost",
        }
    }
}

/// One figure with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemRow {
    /// Group of the figure.
    pub group: SystemGroup,
    /// The label. Text of other programs in it is printable.
    pub label: Cow<'static, str>,
    /// True for a part of the row above.
    pub is_part: bool,
    /// The value; absent if it is unknown, or if the explanation says all.
    pub value: Value<'static>,
    /// The meaning of the figure, in one sentence or two; empty if the label says all.
    pub explanation: Cow<'static, str>,
    /// The figure says that something is wrong or missing.
    pub is_alarm: bool,
}

impl SystemRow {
    fn new(
        group: SystemGroup,
        label: impl Into<Cow<'static, str>>,
        value: Value<'static>,
        explanation: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            group,
            label: label.into(),
            is_part: false,
            value,
            explanation: explanation.into(),
            is_alarm: false,
        }
    }

    fn part(self) -> Self {
        Self {
            is_part: true,
            ..self
        }
    }

    fn alarm_if(self, is_alarm: bool) -> Self {
        Self { is_alarm, ..self }
    }
}

/// Largest maps that the own cost names.
const MOST_MAPS: usize = 5;

/// Returns the figures, by group.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<SystemRow> {
    let mut rows = balance::rows(snapshot);
    rows.extend(losses::rows(snapshot));
    rows.extend(session::rows(snapshot));
    rows.extend(own_cost::entries(snapshot, MOST_MAPS).into_iter().map(|entry| {
        let row = SystemRow::new(SystemGroup::OwnCost, entry.label, Value::Absent, entry.words);
        if entry.is_part { row.part() } else { row }
    }));
    rows
}
