//! Renders the own cost below a table.

use pintrace_model::own_cost::text::entries;
use pintrace_model::snapshot::Snapshot;
use pintrace_text::{pad_right, wrap};

/// The largest maps, which the table names.
const MOST_MAPS: usize = 3;
/// Columns of a label, with its margin: the name of a map has at most 15 characters.
const LABEL: usize = 20;
/// Fewest columns of the words.
const LEAST_WORDS: usize = 20;

/// Returns an empty line and the own cost; no lines for a snapshot without an own cost.
pub(super) fn lines(snapshot: &Snapshot, width: usize) -> Vec<String> {
    if snapshot.own_cost.is_none() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "own cost".to_owned()];
    for entry in entries(snapshot, MOST_MAPS) {
        let margin = if entry.is_part { "    " } else { "  " };
        let mut label = format!("{margin}{}", entry.label);
        for words in wrap(&entry.words, width.saturating_sub(LABEL).max(LEAST_WORDS)) {
            lines.push(format!("{}{words}", pad_right(&label, LABEL)));
            label.clear();
        }
    }
    lines
}
