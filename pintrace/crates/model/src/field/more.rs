//! Columns that no table shows by itself: for queries and for choosers of columns.

use pintrace_events::units::Pid;

use super::finding_column::FindingColumn;
use super::folded_finding::FoldedFindingColumn;
use super::process::{ProcessColumn, traced};
use super::system::{self, SystemColumn};
use super::{Align, Field, Unit, Value};
use crate::subsystem::Subsystem;

/// A column without a metric. Views drop it first.
macro_rules! column {
    ($id:literal, $title:literal, $unit:ident, $align:ident, $help:literal, $value:expr) => {
        Field {
            id: $id,
            title: $title,
            unit: Unit::$unit,
            help: $help,
            metric: None,
            align: Align::$align,
            drop_rank: 11,
            value: $value,
        }
    };
}

/// More columns of a process.
pub const PROCESS: &[ProcessColumn] = &[
    column!(
        "longterm_pages_held",
        "LONGPAGES",
        Pages,
        Right,
        "Pages held that were pinned with FOLL_LONGTERM.",
        |process| traced(process, Value::Count(process.longterm_pages_held))
    ),
    column!(
        "huge_bytes_held",
        "HUGEBYTES",
        Bytes,
        Right,
        "Bytes held in folios of 2 MiB and more.",
        |process| traced(process, Value::Bytes(process.huge_bytes_held))
    ),
    column!(
        "scan_pages_held",
        "SCANNED",
        Pages,
        Right,
        "Pages held that only a scan found.",
        |process| Value::Count(process.scan_pages_held)
    ),
    column!(
        "threads",
        "THREADS",
        Count,
        Right,
        "Threads of the process that have pinned.",
        |process| traced(process, Value::Count(process.threads.len() as u64))
    ),
    column!(
        "subsystems",
        "SUBSYSTEMS",
        Name,
        Left,
        "All subsystems through which the process pinned, with a space between two.",
        |process| names(process.subsystems.keys())
    ),
    column!("uid", "UID", Count, Right, "Real user id.", |process| process
        .uid
        .map_or(Value::Absent, |uid| Value::Id(u64::from(uid)))),
    column!("cgroup", "CGROUP", Name, Left, "cgroup v2 path.", |process| text(
        &process.cgroup
    )),
    column!("cmdline", "CMDLINE", Name, Left, "Command line.", |process| text(
        &process.cmdline
    )),
];

/// More columns of a finding.
pub const FINDING: &[FindingColumn] = &[
    column!(
        "subsystem",
        "SUBSYSTEM",
        Name,
        Left,
        "Kernel subsystem that pinned.",
        |found| match &found.pin {
            Some(pin) => Value::Text(pin.subsystem.as_str().into()),
            None => Value::Absent,
        }
    ),
    column!(
        "trigger_pid",
        "BY",
        Count,
        Right,
        "Process that did the operation.",
        |found| match &found.trigger {
            Some(trigger) if trigger.pid != Pid(0) => Value::Id(u64::from(trigger.pid.0)),
            _ => Value::Absent,
        }
    ),
    column!(
        "trigger_comm",
        "BYCOMMAND",
        Name,
        Left,
        "Command name of the process that did the operation.",
        |found| match &found.trigger {
            Some(trigger) => text(&trigger.comm),
            None => Value::Absent,
        }
    ),
];

/// More columns of a folded finding.
pub const FOLDED_FINDING: &[FoldedFindingColumn] = &[column!(
    "pids",
    "PIDS",
    Name,
    Left,
    "Processes of the findings, with a space between two.",
    |row| joined(row.pids.iter().map(|pid| pid.0.to_string()))
)];

/// More columns of a figure of the host.
pub const SYSTEM: &[SystemColumn] = &[column!(
    "unit",
    "UNIT",
    Name,
    Left,
    "Unit of the value: count, bytes, pages/s, time or %.",
    |row| system::unit(row)
)];

/// Returns a text; empty text is unknown.
fn text(text: &str) -> Value<'_> {
    if text.is_empty() {
        Value::Absent
    } else {
        Value::Text(text.into())
    }
}

fn names<'a>(subsystems: impl Iterator<Item = &'a Subsystem>) -> Value<'static> {
    joined(subsystems.map(|subsystem| subsystem.as_str().to_owned()))
}

fn joined(names: impl Iterator<Item = String>) -> Value<'static> {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        Value::Absent
    } else {
        Value::Text(names.join(" ").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Process;

    #[test]
    fn an_unread_value_is_absent() {
        let absent = |id: &str| {
            let column = PROCESS.iter().find(|column| column.id == id).unwrap();
            (column.value)(&Process::default()) == Value::Absent
        };
        assert!(["uid", "cgroup", "cmdline", "subsystems"].into_iter().all(absent));
        assert!(!absent("scan_pages_held"));
    }
}
