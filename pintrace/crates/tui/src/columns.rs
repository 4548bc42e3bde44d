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
            let kept = columns.iter().filter(|column| column.rank <= *rank);
            !crowded && needed(kept, *gap) + spare <= width
        });
        let (rank, gap) = fitting.unwrap_or((0, 1));
        let last = columns.len().saturating_sub(1);
        let mut kept: Vec<(usize, ListColumn)> = columns.iter().copied().enumerate().collect();
        kept.retain(|(_, column)| column.rank <= rank);
        // A number that is cut would be another number.
        while kept.len() > 2 && needed(kept.iter().map(|(_, column)| column), gap) > width {
            kept.remove(kept.len() - 2);
        }
        let left = width.saturating_sub(needed(kept.iter().map(|(_, column)| column), gap));
        for (_, column) in kept.iter_mut().filter(|(index, _)| *index == last) {
            column.width += left;
        }
        Self { columns: kept, gap }
    }
}

fn needed<'a>(columns: impl Iterator<Item = &'a ListColumn>, gap: usize) -> usize {
    let (count, width) = columns.fold((0, 0), |(count, width), column| (count + 1, width + column.width));
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

    #[test]
    fn a_column_that_does_not_fit_is_left_out_and_not_cut() {
        let columns = ["A", "B", "C", "D"].map(|title| ListColumn::right(title, 6, 0));
        let indexes = |width| {
            let fitting = FittingColumns::choose(&columns, width);
            fitting
                .columns
                .iter()
                .map(|(index, _)| *index)
                .collect::<Vec<_>>()
        };
        assert_eq!(indexes(29), [0, 1, 2, 3]);
        assert_eq!(indexes(28), [0, 1, 3]);
        assert_eq!(indexes(21), [0, 3]);
    }
}
