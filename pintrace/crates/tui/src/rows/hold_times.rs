//! A histogram of the times for which a process has held extents.

use ratatui::text::{Line, Span};

use pintrace_events::units::Nanos;
use pintrace_model::hold_times::HoldTimes;
use pintrace_model::snapshot::Process;
use pintrace_text::{cut, pad_left};

use super::super::look::GraphCharacters;
use super::super::theme::Theme;
use super::figures::heading;

/// Columns of the longest bar.
const BAR: u32 = 20;
/// Columns of the name of a class.
const NAME: usize = 9;

/// Returns a heading and one line for each class that has extents: those released since the start, and those held now by
/// their age. Returns nothing without extents.
pub(super) fn lines(process: &Process, now: Nanos, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let ages = process.open_extents.iter().map(|extent| now.since(extent.since));
    let held: HoldTimes = ages.collect();
    let released = process.hold_times;
    if held.is_empty() && released.is_empty() {
        return Vec::new();
    }
    let classes: Vec<_> = released.classes().zip(held.classes()).collect();
    let sums = classes
        .iter()
        .map(|(released, held)| released.extents.saturating_add(held.extents));
    let most = sums.clone().max().unwrap_or(0);
    let mut lines: Vec<Line<'static>> = heading("Times for which extents are held", theme).into();
    for ((released, held), sum) in classes.iter().zip(sums).filter(|(_, sum)| *sum != 0) {
        let counts = [("released", released.extents), ("held", held.extents)];
        let counts = counts.iter().filter(|(_, count)| *count != 0);
        let counts: Vec<_> = counts.map(|(what, count)| format!("{count} {what}")).collect();
        let counts = counts.join(", ");
        let bar = bar(sum, most, theme.graph);
        let room = width.saturating_sub(NAME + 2 + bar.chars().count());
        lines.push(Line::from(vec![
            Span::styled(pad_left(released.name, NAME), theme.dim()),
            Span::raw(" "),
            Span::styled(bar, theme.accent()),
            Span::styled(format!(" {}", cut(&counts, room)), theme.plain()),
        ]));
    }
    lines
}

/// Returns a bar whose length is in proportion to `count`, and at least one column.
fn bar(count: u32, most: u32, characters: GraphCharacters) -> String {
    let columns = (u64::from(count) * u64::from(BAR)).div_ceil(u64::from(most.max(1)));
    let character = match characters {
        GraphCharacters::Braille => "▇",
        GraphCharacters::Ascii => "#",
    };
    character.repeat(usize::try_from(columns).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_has_twenty_columns_and_the_shortest_one() {
        let length = |count, most| bar(count, most, GraphCharacters::Ascii).len();
        assert_eq!(length(1, u32::MAX), 1);
        assert_eq!(length(50, 100), 10);
        assert_eq!(length(u32::MAX, u32::MAX), 20);
        assert_eq!(bar(1, 1, GraphCharacters::Braille).chars().next(), Some('▇'));
    }
}
