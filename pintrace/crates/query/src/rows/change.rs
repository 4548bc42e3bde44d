//! Fields of the changes of processes since a baseline.

use pintrace_model::field::{Field, difference, more, process};
use pintrace_model::views::difference::{Change, DifferenceRow};

use super::super::row_fields::RowFields;
use super::{offer, subsystems};

/// Gives the fields of a process to the change of the process. A title names the column of the change, so these fields
/// have their ids as titles.
macro_rules! of_process {
    ($list:expr => $($index:literal)+) => {
        &[$(
            Field {
                id: $list[$index].id,
                title: $list[$index].id,
                unit: $list[$index].unit,
                help: $list[$index].help,
                metric: None,
                align: $list[$index].align,
                drop_rank: 0,
                value: |row| ($list[$index].value)(&row.process),
            },
        )+]
    };
}

const FOR_QUERIES: &[Field<DifferenceRow>] = of_process!(super::process::FOR_QUERIES => 0);
/// Without `acquired` and `released`, which are the titles of changes.
const COLUMNS: &[Field<DifferenceRow>] = of_process!(process::COLUMNS => 0 1 2 3 4 5 6 9 10 11 12 13);
const MORE: &[Field<DifferenceRow>] = of_process!(more::PROCESS => 0 1 2 3 4 5 6 7);

/// Changes of processes. The columns of the table come first, and the fields of the process follow. A bare word matches
/// command name, command line and pid.
pub const CHANGES: RowFields<DifferenceRow> = RowFields {
    noun: "Changes",
    columns: &[difference::COLUMNS, FOR_QUERIES, COLUMNS, MORE],
    aliases: &[("age", "oldest"), ("name", "comm"), ("user", "uid")],
    words: |row, take| {
        let process = &row.process;
        offer(&[process.pid], &[&process.comm, &process.cmdline], take)
    },
    values: |id| match id {
        "change" => [Change::New, Change::Ended, Change::Gone]
            .map(Change::as_str)
            .into(),
        id => subsystems(id),
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;
    use crate::rows::PROCESSES;

    #[test]
    fn a_change_has_each_field_of_a_process() {
        for field in PROCESSES.all() {
            assert!(CHANGES.named(field.id).is_some(), "{}", field.id);
        }
    }

    #[test]
    fn each_id_and_each_title_on_the_screen_names_one_field() {
        for field in CHANGES.all() {
            assert_eq!(CHANGES.named(field.id).map(|found| found.id), Some(field.id));
        }
        for column in difference::COLUMNS {
            let named = CHANGES.named(column.title).map(|found| found.id);
            assert_eq!(named, Some(column.id), "{}", column.title);
        }
    }

    #[test]
    fn a_title_names_the_column_on_the_screen() {
        let row = DifferenceRow {
            process: std::sync::Arc::default(),
            change: Change::Ended,
            pages_held: -64,
            bytes_held: -64 * 4096,
            acquired: 0,
            released: 64,
        };
        let matches = |text: &str| {
            let query = Query::parse(text, &CHANGES).unwrap_or_else(|error| panic!("{error}"));
            query.matches(&row, pintrace_events::units::Nanos(0))
        };
        assert!(matches("pages < 0") && matches("pages_held_change = -64"));
        assert!(matches("bytes <= -256KiB and released > 0"));
        assert!(matches("change = ended") && !matches("change = new"));
        assert!(matches("pages_held = 0 and not subsystem = rdma"));
    }
}
