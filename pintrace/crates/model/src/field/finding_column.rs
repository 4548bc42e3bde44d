//! Columns of findings.

use std::cmp::Ordering;

use crate::finding::{Finding, TriggerKind};

use super::{Align, Field, Unit, Value};

/// A column of the findings.
pub type FindingColumn = Field<Finding>;

const fn column(
    id: &'static str,
    title: &'static str,
    unit: Unit,
    help: &'static str,
    (align, drop_rank): (Align, u8),
    value: for<'a> fn(&'a Finding) -> Value<'a>,
) -> FindingColumn {
    FindingColumn {
        id,
        title,
        unit,
        help,
        metric: None,
        align,
        drop_rank,
        value,
    }
}

use Align::{Left, Right};

/// Every column, in display order. The value of `address` is the start of the range; views show the range instead.
pub const COLUMNS: &[FindingColumn] = &[
    column(
        "severity",
        "LEVEL",
        Unit::Name,
        "alarm: this kernel should prevent the case; hazard: data can be lost, or memory stays in use; note: the \
         kernel handles the case.",
        (Left, 0),
        |found| Value::Text(found.severity.as_str().into()),
    ),
    column(
        "kind",
        "FINDING",
        Unit::Name,
        "Kind of the finding.",
        (Left, 0),
        |found| Value::Text(found.kind.as_str().into()),
    ),
    column(
        "trigger",
        "TRIGGER",
        Unit::Name,
        "Operation on the pinned memory, or cause of the write protection.",
        (Left, 6),
        |found| match found.trigger.as_ref().map(|trigger| trigger.what) {
            Some(TriggerKind::Protected(cause)) => Value::Text(cause.as_str().into()),
            Some(what) => Value::Text(what.as_str().into()),
            None => Value::Absent,
        },
    ),
    column(
        "pid",
        "PID",
        Unit::Count,
        "Process that holds the pin, or process whose memory was write-protected.",
        (Right, 1),
        |found| Value::Id(u64::from(found.pid.0)),
    ),
    column(
        "pages",
        "PAGES",
        Unit::Pages,
        "Number of distinct pages concerned; a minimum for undeclared-longterm.",
        (Right, 3),
        |found| Value::Count(found.pages),
    ),
    column(
        "address",
        "ADDRESS",
        Unit::Address,
        "Address range of these pages; for truncate, the range of offsets in the file, marked as such.",
        (Left, 7),
        |found| match found.end {
            0 => Value::Absent,
            _ => Value::Id(found.address),
        },
    ),
    column(
        "count",
        "TIMES",
        Unit::Count,
        "Number of times.",
        (Right, 4),
        |found| Value::Count(found.count),
    ),
    column(
        "last",
        "AGO",
        Unit::Time,
        "Time since the finding was last seen.",
        (Right, 2),
        |found| Value::Since(found.last),
    ),
    column(
        "comm",
        "COMMAND",
        Unit::Name,
        "Command name.",
        (Left, 0),
        |found| Value::Text((&*found.comm).into()),
    ),
];

/// The default order of findings: worst first, then latest first.
pub const DEFAULT_SORT: &str = "severity";

/// Returns the column with an id.
#[must_use]
pub fn named(id: &str) -> Option<&'static FindingColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two findings by a column, then worst first, then latest first.
#[must_use]
pub fn rank(column: &FindingColumn, one: &Finding, two: &Finding) -> Ordering {
    let by_column = match column.id {
        // The latest finding comes first, unlike the pin that is oldest.
        "last" => two.last.cmp(&one.last),
        _ => (column.value)(one).rank(&(column.value)(two)),
    };
    by_column
        .then_with(|| two.severity.cmp(&one.severity))
        .then_with(|| two.last.cmp(&one.last))
        .then_with(|| one.kind.cmp(&two.kind))
        .then_with(|| one.pid.cmp(&two.pid))
        .then_with(|| one.address.cmp(&two.address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use crate::finding::Severity;
    use pintrace_testing::event_builder::finding_fixtures;

    #[test]
    fn the_default_order_is_the_order_of_the_snapshot() {
        let mut model = Model::default();
        finding_fixtures().events.iter().for_each(|event| {
            model.apply(event);
        });
        let wanted = model.snapshot().findings;
        let mut sorted = wanted.clone();
        sorted.reverse();
        let column = named(DEFAULT_SORT).unwrap();
        sorted.sort_by(|one, two| rank(column, one, two));
        assert_eq!(sorted, wanted);
    }

    #[test]
    fn severity_names_sort_from_worst_to_best() {
        assert!(Severity::ALL.is_sorted_by_key(|severity| severity.as_str()));
        assert!(Severity::ALL.is_sorted_by_key(|severity| std::cmp::Reverse(*severity)));
    }
}
