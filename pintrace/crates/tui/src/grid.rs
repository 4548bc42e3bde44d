//! Columns side by side: which ones fit, how wide each is, and a line of cells.
//!
//! Knows nothing of what stands in the cells.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use pintrace_model::field::Align;

use super::cell;
use super::theme::Theme;

/// Columns left of the first track, for marks.
const GUTTER: usize = 2;

/// Tracks above this rank are welcome where there is plenty of room, and not worth crowding for.
const LAST_WANTED: u8 = 5;

/// One column as wished for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub(super) title: &'static str,
    /// Its width; of the last track, which takes what is left over, the least.
    pub(super) columns: usize,
    /// The highest goes first when room is short; 0 never goes.
    pub(super) rank: u8,
    pub(super) align: Align,
}

impl Track {
    /// A column of figures.
    pub(super) const fn right(title: &'static str, columns: usize, rank: u8) -> Self {
        let align = Align::Right;
        Self {
            title,
            columns,
            rank,
            align,
        }
    }

    /// A column of words.
    pub(super) const fn left(title: &'static str, columns: usize, rank: u8) -> Self {
        let align = Align::Left;
        Self {
            title,
            columns,
            rank,
            align,
        }
    }
}

/// The tracks that fit a width.
#[derive(Debug)]
pub(super) struct Grid {
    /// Index of the track as given; the track, as wide as it is now.
    tracks: Vec<(usize, Track)>,
    gap: usize,
}

impl Grid {
    /// Chooses tracks for `width` columns in all. The last track is given what is left over.
    pub(super) fn fit(tracks: &[Track], width: usize) -> Self {
        let highest = tracks.iter().map(|track| track.rank).max().unwrap_or(0);
        let mut choices = (0..=highest).rev().flat_map(|rank| [(rank, 2), (rank, 1)]);
        let fitting = choices.find(|(rank, gap)| {
            let crowded = *gap == 1 && *rank > LAST_WANTED;
            let spare = if *gap == 2 { 4 } else { 0 };
            !crowded && needed(tracks, *rank, *gap) + spare <= width
        });
        let (rank, gap) = fitting.unwrap_or((0, 1));
        let left_over = width.saturating_sub(needed(tracks, rank, gap));
        let last = tracks.len().saturating_sub(1);
        let kept = tracks.iter().enumerate().filter(|(_, track)| track.rank <= rank);
        let sized = kept.map(|(index, track)| {
            let extra = if index == last { left_over } else { 0 };
            let columns = track.columns + extra;
            (index, Track { columns, ..*track })
        });
        Self {
            tracks: sized.collect(),
            gap,
        }
    }

    /// A line: two marks, then for each track that fits what `cell` gives for its index.
    pub(super) fn line(
        &self,
        marks: &str,
        style: Style,
        mut cell: impl FnMut(usize, &Track) -> (String, Style),
    ) -> Line<'static> {
        let mut spans = vec![Span::styled(cell::left(marks, GUTTER), style)];
        for (place, (index, track)) in self.tracks.iter().enumerate() {
            if place > 0 {
                spans.push(Span::styled(" ".repeat(self.gap), style));
            }
            let (text, own) = cell(*index, track);
            let padded = match track.align {
                Align::Left => cell::left(&text, track.columns),
                Align::Right => cell::right(&text, track.columns),
            };
            spans.push(Span::styled(padded, style.patch(own)));
        }
        Line::from(spans)
    }

    /// The headings. The one that orders the rows is marked.
    pub(super) fn titles(&self, sorted: Option<(usize, &str)>, theme: Theme) -> Line<'static> {
        self.line("", theme.plain(), |index, track| match sorted {
            Some((column, mark)) if column == index => (format!("{}{mark}", track.title), theme.accent()),
            _ => (track.title.to_owned(), theme.dim()),
        })
    }
}

fn needed(tracks: &[Track], rank: u8, gap: usize) -> usize {
    let kept = tracks.iter().filter(|track| track.rank <= rank);
    let (count, columns) = kept.fold((0, 0), |(count, columns), track| {
        (count + 1, columns + track.columns)
    });
    GUTTER + columns + gap * usize::saturating_sub(count, 1)
}
