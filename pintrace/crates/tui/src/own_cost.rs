//! The screen about the own cost: what pintrace itself takes of the host.

use ratatui::text::Line;

use pintrace_model::own_cost::text::entries;
use pintrace_model::snapshot::Snapshot;

use super::labelled::labelled;
use super::theme::Theme;

/// Columns of the label of an entry, with its margin: the name of a map has at most 15 characters.
const LABEL: usize = 20;
/// On a narrower screen, the label has [`NARROW_LABEL`] columns.
const WIDE: usize = 60;
/// Columns of the label on a narrow screen, which cuts the names of some maps.
const NARROW_LABEL: usize = 14;

/// Returns the lines of the screen, `width` columns wide.
pub(super) fn lines(snapshot: &Snapshot, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let columns = if width < WIDE { NARROW_LABEL } else { LABEL };
    let mut lines = vec![Line::styled("Own cost", theme.strong())];
    for entry in entries(snapshot, usize::MAX) {
        let label = if entry.is_part {
            format!("    {}", entry.label)
        } else {
            format!("  {}", entry.label)
        };
        // A space separates label and words.
        let label = pintrace_text::cut(&label, columns - 1).into_owned();
        let style = if entry.is_part {
            theme.dim()
        } else {
            theme.accent()
        };
        lines.extend(labelled((&label, columns, style), &entry.words, width, theme));
    }
    lines
}
