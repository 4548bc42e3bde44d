//! Fields of pins, of their holders and of their call sites.

use pintrace_model::field::{Align, Field, Unit, Value, call_site, holder, main_subsystem, pin};
use pintrace_model::views::call_sites::CallSiteRow;
use pintrace_model::views::holders::HolderRow;
use pintrace_model::views::pin_list::PinRow;

use super::super::row_fields::RowFields;
use super::{offer, subsystems};

/// Open extents. A bare word matches command name, command line and pid.
pub const PINS: RowFields<PinRow> = RowFields {
    noun: "Pins",
    columns: &[pin::COLUMNS],
    aliases: &[("age", "pin_age"), ("oldest", "pin_age"), ("name", "comm")],
    words: |row, take| {
        let process = &row.process;
        offer(&[process.pid], &[&process.comm, &process.cmdline], take)
    },
    values: subsystems,
};

/// A column that a query reads in another way than the table shows it.
const HOLDER_SUBSYSTEM: &[Field<HolderRow>] = &[Field {
    id: "subsystem",
    title: "SUBSYSTEM",
    unit: Unit::Name,
    help: "Kernel subsystem that pinned most of the pages, without the `+` of the table.",
    metric: None,
    align: Align::Left,
    drop_rank: 0,
    value: |row| match main_subsystem(&row.subsystems) {
        Some(main) => Value::Text(main.as_str().into()),
        None => Value::Absent,
    },
}];

/// Holders. A bare word matches the kind of holder, and command name and pid of each process that pinned.
pub const HOLDERS: RowFields<HolderRow> = RowFields {
    noun: "Holders",
    columns: &[HOLDER_SUBSYSTEM, holder::COLUMNS],
    aliases: &[
        ("age", "oldest"),
        ("name", "comm"),
        ("kind", "holder"),
        ("fd", "descriptor"),
    ],
    words: |row, take| {
        take(row.kind())
            || row
                .processes
                .iter()
                .any(|one| offer(&[one.process.pid], &[&one.process.comm], take))
    },
    values: subsystems,
};

/// Call sites. A bare word matches caller, subsystem and each frame of the stack.
pub const CALL_SITES: RowFields<CallSiteRow> = RowFields {
    noun: "Call sites",
    columns: &[call_site::COLUMNS],
    aliases: &[("age", "oldest")],
    words: |row, take| {
        offer(&[], &[&row.caller, row.subsystem.as_str()], take) || row.stack.iter().any(|frame| take(frame))
    },
    values: subsystems,
};
