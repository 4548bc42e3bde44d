//! Detail that a session gives up to keep within its budget.

use serde::{Deserialize, Serialize};

/// A detail of a session that costs time and that the totals do not need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The time between two samples of accounts and extents.
    #[default]
    Samples,
    /// The hooks of findings that the kernel calls often.
    Findings,
}

impl Detail {
    /// All details, in the order in which they are given up.
    pub const ALL: [Self; 2] = [Self::Samples, Self::Findings];

    /// Returns the name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Findings => "findings",
        }
    }
}

/// The session took more than its budget, and gives up a detail until its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailShed {
    /// The detail.
    pub detail: Detail,
    /// CPU time that pintrace took, programs included, in millionths of one CPU.
    pub cost_ppm: u64,
    /// The budget in millionths of one CPU.
    pub budget_ppm: u64,
}
