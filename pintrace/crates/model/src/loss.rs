//! The loss counters, by the names of the catalogue. A newer pintrace may send names that this catalogue lacks: one
//! counter sums their values, so that no loss is hidden.

use std::collections::BTreeMap;

use pintrace_common::counters::Loss;

/// Name of the sum of all counters without a name in this version.
const UNNAMED: &str = "unnamed";

/// Returns the stage that counts a loss counter of [`crate::snapshot::Snapshot::loss`]: `model` for `unapplied_events`, and
/// `unknown` for a counter that this version does not know.
#[must_use]
pub fn stage(name: &str) -> &'static str {
    let known = Loss::ALL.iter().find(|loss| loss.name() == name);
    match (known, name) {
        (Some(loss), _) => loss.stage(),
        (None, "unapplied_events") => "model",
        (None, _) => "unknown",
    }
}

/// Returns the meaning of a loss counter of [`crate::snapshot::Snapshot::loss`], or of `unapplied_events`.
#[must_use]
pub fn help(name: &str) -> &'static str {
    let known = Loss::ALL.iter().find(|loss| loss.name() == name);
    match (known, name) {
        (Some(loss), _) => loss.help(),
        (None, "unapplied_events") => {
            "Events that could not be applied: an id was never opened, or a table of the model was full."
        }
        (None, _) => "A loss that this version does not know.",
    }
}

/// Returns true if a loss can make a figure wrong. A process without a name has all of its figures.
#[must_use]
pub fn changes_figures(name: &str) -> bool {
    name != Loss::NameUnread.name()
}

/// The latest value of each counter.
#[derive(Clone, Debug)]
pub(crate) struct LossState {
    known: Vec<(&'static str, u64)>,
    unnamed: u64,
}

impl Default for LossState {
    fn default() -> Self {
        Self {
            known: Loss::ALL.iter().map(|loss| (loss.name(), 0)).collect(),
            unnamed: 0,
        }
    }
}

impl LossState {
    /// Takes a sample. A counter that the sample lacks keeps its value.
    pub(crate) fn sample(&mut self, sample: &BTreeMap<String, u64>) -> bool {
        let mut unnamed = 0_u64;
        for (name, &count) in sample {
            match self.known.iter_mut().find(|(known, _)| known == name) {
                Some((_, value)) => *value = count,
                None => unnamed = unnamed.saturating_add(count),
            }
        }
        self.unnamed = self.unnamed.max(unnamed);
        true
    }

    /// Returns every counter in the order of the catalogue, zeroes included.
    pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
        let mut list = self.known.clone();
        if self.unnamed > 0 {
            list.push((UNNAMED, self.unnamed));
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unread_name_changes_no_figure() {
        let harmless: Vec<_> = Loss::ALL
            .iter()
            .filter(|loss| !changes_figures(loss.name()))
            .collect();
        assert_eq!(harmless, [&Loss::NameUnread]);
        assert!(changes_figures("gremlins") && changes_figures("unapplied_events"));
    }

    #[test]
    fn counters_unknown_to_this_version_are_summed() {
        let mut state = LossState::default();
        state.sample(&BTreeMap::from([("ring_full".into(), 2), ("gremlins".into(), 3)]));
        let list = state.list();
        assert_eq!(list[0], ("ring_full", 2));
        assert_eq!(list.last(), Some(&("unnamed", 3)));
        assert_eq!(list.len(), Loss::COUNT + 1);
    }
}
