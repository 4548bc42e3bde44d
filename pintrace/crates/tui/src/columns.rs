//! Chooses the columns of a list that fit into its width.
//!
//! `Table` of ratatui lays out all given columns and cannot leave out a column that does not fit.

use pintrace_model::field::Align;

/// Columns of the terminal to the left of a list: the cursor and the mark of a row.
pub(crate) const GUTTER: usize = 2;

/// Columns with a higher rank appear only with wide gaps.
const HIGHEST_CROWDED_RANK: u8 = 5;

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListColumn {
    pub(crate) title: &'static str,
    /// Width in columns of the terminal. The last column of a list takes the remaining width.
    pub(crate) width: usize,
    /// Order of leaving out: the column with the highest rank first, a column with rank 0 never.
    pub(crate) rank: u8,
    pub(crate) align: Align,
}

#[cfg(test)]
impl ListColumn {
    /// Returns a right-aligned column, for figures.
    pub(crate) const fn right(title: &'static str, width: usize, rank: u8) -> Self {
        let align = Align::Right;
        Self {
            title,
            width,
            rank,
            align,
        }
    }

    /// Returns a left-aligned column, for words.
    pub(crate) const fn left(title: &'static str, width: usize, rank: u8) -> Self {
        let align = Align::Left;
        Self {
            title,
            width,
            rank,
            align,
        }
    }
}

/// The columns that fit.
#[derive(Debug)]
pub(crate) struct FittingColumns {
    /// Index of the column in the list's own order, and the column with its final width.
    pub(crate) columns: Vec<(usize, ListColumn)>,
    /// Spaces between two columns.
    pub(crate) gap: usize,
}

impl FittingColumns {
    /// Chooses the columns that fit into `width` columns of the terminal, gutter included.
    pub(crate) fn choose(columns: &[ListColumn], width: usize) -> Self {
        let highest = columns.iter().map(|column| column.rank).max().unwrap_or(0);
        let mut choices = (0..=highest).rev().flat_map(|rank| [(rank, 2), (rank, 1)]);
        let fitting = choices.find(|(rank, gap)| {
            let crowded = *gap == 1 && *rank > HIGHEST_CROWDED_RANK;
            let spare = if *gap == 2 { 4 } else { 0 };
            !crowded && needed(columns, *rank, *gap) + spare <= width
        });
        let (rank, gap) = fitting.unwrap_or((0, 1));
        let left = width.saturating_sub(needed(columns, rank, gap));
        let last = columns.len().saturating_sub(1);
        let kept = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.rank <= rank);
        let sized = kept.map(|(index, column)| {
            let extra = if index == last { left } else { 0 };
            let width = column.width + extra;
            (index, ListColumn { width, ..*column })
        });
        Self {
            columns: sized.collect(),
            gap,
        }
    }
}

fn needed(columns: &[ListColumn], rank: u8, gap: usize) -> usize {
    let kept = columns.iter().filter(|column| column.rank <= rank);
    let (count, width) = kept.fold((0, 0), |(count, width), column| (count + 1, width + column.width));
    GUTTER + width + gap * usize::saturating_sub(count, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[ListColumn] = &[
        ListColumn::right("A", 6, 0),
        ListColumn::right("B", 6, 2),
        ListColumn::right("C", 6, 1),
        ListColumn::left("D", 8, 0),
    ];

    fn chosen(width: usize) -> (Vec<usize>, usize, usize) {
        let fitting = FittingColumns::choose(COLUMNS, width);
        let indexes = fitting.columns.iter().map(|(index, _)| *index).collect();
        (indexes, fitting.gap, fitting.columns.last().unwrap().1.width)
    }

    #[test]
    fn the_highest_rank_is_left_out_first_and_the_last_column_takes_the_rest() {
        assert_eq!(chosen(70), (vec![0, 1, 2, 3], 2, 8 + 70 - 34));
        assert_eq!(chosen(38), (vec![0, 1, 2, 3], 2, 8 + 4));
        // Without 4 columns to spare, the gaps are narrow.
        assert_eq!(chosen(37), (vec![0, 1, 2, 3], 1, 8 + 6));
        assert_eq!(chosen(31), (vec![0, 1, 2, 3], 1, 8));
        assert_eq!(chosen(30), (vec![0, 2, 3], 2, 8 + 4));
        assert_eq!(chosen(20), (vec![0, 3], 1, 8 + 3));
        assert_eq!(chosen(10), (vec![0, 3], 1, 8));
    }
}
