//! Fields of processes.

use pintrace_model::field::process::COLUMNS;
use pintrace_model::field::{Align, Field, Unit, Value, main_subsystem, more};
use pintrace_model::snapshot::Process;

use super::super::row_fields::RowFields;
use super::{offer, subsystems};

/// Columns that a query reads in another way than a table shows them.
pub(super) const FOR_QUERIES: &[Field<Process>] = &[Field {
    id: "subsystem",
    title: "SUBSYSTEM",
    unit: Unit::Name,
    help: "Kernel subsystem that holds most of the pages, without the `+` of the table.",
    metric: None,
    align: Align::Left,
    drop_rank: 0,
    value: |process| match main_subsystem(&process.subsystems) {
        Some(main) => Value::Text(main.as_str().into()),
        None => Value::Absent,
    },
}];

/// Processes. A bare word matches command name, command line and pid.
pub const PROCESSES: RowFields<Process> = RowFields {
    noun: "Processes",
    columns: &[FOR_QUERIES, COLUMNS, more::PROCESS],
    aliases: &[("age", "oldest"), ("name", "comm"), ("user", "uid")],
    words: |process, take| offer(&[process.pid], &[&process.comm, &process.cmdline], take),
    values: subsystems,
};
