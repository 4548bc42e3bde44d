//! The order of a table.

use pintrace_model::field::{Field, Unit, Value};

/// A sort column, and the direction of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// [`Field::id`].
    pub(crate) column: &'static str,
    pub(crate) reversed: bool,
}

impl Order {
    /// Returns the order by a column, with the direction in which its most interesting rows are first.
    pub(crate) const fn by(column: &'static str) -> Self {
        Self {
            column,
            reversed: false,
        }
    }

    /// Orders by a column; reverses the order if that is the sort column.
    pub(crate) fn toggle(&mut self, column: &'static str) {
        if self.column == column {
            self.reversed = !self.reversed;
        } else {
            *self = Self::by(column);
        }
    }

    /// Returns true if the values of the column rise from the first row on.
    pub(crate) fn rises<T>(self, column: &Field<T>, first: &T) -> bool {
        let rises = column.unit == Unit::Name
            || matches!(
                (column.value)(first),
                Value::Text(_) | Value::Id(_) | Value::Since(_) | Value::Before(_)
            );
        // A moment that rises is an age that falls.
        let rises = rises && column.unit != Unit::Time;
        rises != self.reversed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sort_column_is_reversed_and_another_column_is_not() {
        let mut order = Order::by("pages_held");
        order.toggle("pages_held");
        assert!(order.reversed);
        order.toggle("pid");
        assert_eq!(order, Order::by("pid"));
    }
}
