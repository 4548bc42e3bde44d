//! A cursor in a list whose entries move from one snapshot to the next.

/// The cursor, and the entry that it follows.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<I> {
    pub(crate) row: usize,
    /// `None` until the cursor is moved. Without a followed entry, the cursor stays on the first row.
    followed: Option<I>,
}

impl<I> Default for Cursor<I> {
    fn default() -> Self {
        Self {
            row: 0,
            followed: None,
        }
    }
}

impl<I: Clone + PartialEq> Cursor<I> {
    /// Moves the cursor by `lines`. `identity` returns the entry in a row.
    pub(crate) fn go(&mut self, lines: isize, rows: usize, identity: impl Fn(usize) -> Option<I>) {
        self.row = moved(self.row, lines, rows);
        self.followed = if lines == isize::MIN {
            None
        } else {
            identity(self.row)
        };
    }

    /// Follows the entry under the cursor from now on.
    pub(crate) fn follow(&mut self, entry: Option<I>) {
        if entry.is_some() {
            self.followed = entry;
        }
    }

    /// Moves the cursor to the followed entry in new rows.
    pub(crate) fn arrange(&mut self, rows: usize, identity: impl Fn(usize) -> Option<I>) {
        self.row = match &self.followed {
            None => 0,
            Some(followed) => {
                let row = (0..rows).find(|row| identity(*row).as_ref() == Some(followed));
                moved(row.unwrap_or(self.row), 0, rows)
            }
        };
    }
}

/// Returns `row` moved by `lines`, limited to existing rows.
pub(crate) fn moved(row: usize, lines: isize, rows: usize) -> usize {
    row.saturating_add_signed(lines).min(rows.saturating_sub(1))
}
