//! Columns of a process.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::snapshot::Process;

use super::{Align, Field, Unit, Value};

/// A column of a process.
pub type ProcessColumn = Field<Process>;

/// Every column, in display order.
pub const COLUMNS: &[ProcessColumn] = &[
    ProcessColumn {
        id: "pid",
        title: "PID",
        unit: Unit::Count,
        help: "Process (thread group) id.",
        metric: None,
        align: Align::Right,
        drop_rank: 0,
        value: |process| Value::Id(u64::from(process.pid.0)),
    },
    ProcessColumn {
        id: "pages_held",
        title: "PAGES",
        unit: Unit::Pages,
        help: "Pages that the process holds pinned now, as the kernel counts them.",
        metric: None,
        align: Align::Right,
        drop_rank: 0,
        value: |process| Value::Count(process.pages_held),
    },
    ProcessColumn {
        id: "bytes_held",
        title: "BYTES",
        unit: Unit::Bytes,
        help: "Memory that the pins keep in place: a pin on a part of a large folio keeps all of the folio.",
        metric: None,
        align: Align::Right,
        drop_rank: 0,
        value: |process| Value::Bytes(process.bytes_held),
    },
    ProcessColumn {
        id: "huge_share",
        title: "HUGE",
        unit: Unit::Share,
        help: "Share of the held bytes in folios of 2 MiB and more. Large folios are faster to pin, to map for a device and to release.",
        metric: None,
        align: Align::Right,
        drop_rank: 10,
        value: |process| traced(process, Value::Share(process.huge_bytes_held, process.bytes_held)),
    },
    ProcessColumn {
        id: "longterm_share",
        title: "LONG",
        unit: Unit::Share,
        help: "Share that was pinned with FOLL_LONGTERM, of the held pages whose pins hooks saw.",
        metric: None,
        align: Align::Right,
        drop_rank: 3,
        value: |process| {
            let seen = process.pages_held.saturating_sub(process.scan_pages_held);
            if seen == 0 && process.pages_held > 0 {
                return Value::Absent;
            }
            traced(process, Value::Share(process.longterm_pages_held, seen))
        },
    },
    ProcessColumn {
        id: "acquired_per_second",
        title: "ACQ/s",
        unit: Unit::PagesPerSecond,
        help: "Pages pinned per second, over the last interval.",
        metric: None,
        align: Align::Right,
        drop_rank: 2,
        value: |process| traced(process, Value::Rate(process.acquired_per_second)),
    },
    ProcessColumn {
        id: "released_per_second",
        title: "REL/s",
        unit: Unit::PagesPerSecond,
        help: "Pages released per second, over the last interval.",
        metric: None,
        align: Align::Right,
        drop_rank: 4,
        value: |process| traced(process, Value::Rate(process.released_per_second)),
    },
    ProcessColumn {
        id: "acquired",
        title: "ACQUIRED",
        unit: Unit::Pages,
        help: "Pages pinned since the start.",
        metric: None,
        align: Align::Right,
        drop_rank: 8,
        value: |process| traced(process, Value::Count(process.acquired)),
    },
    ProcessColumn {
        id: "released",
        title: "RELEASED",
        unit: Unit::Pages,
        help: "Pages released since the start.",
        metric: None,
        align: Align::Right,
        drop_rank: 9,
        value: |process| traced(process, Value::Count(process.released)),
    },
    ProcessColumn {
        id: "extents",
        title: "EXTENTS",
        unit: Unit::Count,
        help: "Ranges of long-term pins that are held; all short-term pins of one thread through one caller count as \
               one.",
        metric: None,
        align: Align::Right,
        drop_rank: 7,
        value: |process| traced(process, Value::Count(process.extents)),
    },
    ProcessColumn {
        id: "oldest",
        title: "OLDEST",
        unit: Unit::Time,
        help: "Age of the oldest pin held; for short-term pins, the time for which some have been held without a \
               break. A pin that is older than the session has more than the age of the session.",
        metric: None,
        align: Align::Right,
        drop_rank: 5,
        value: |process| match (process.pages_held, process.older_than) {
            (0, _) => Value::Absent,
            (_, Some(moment)) => Value::Before(moment),
            _ => traced(process, process.oldest_since.map_or(Value::Absent, Value::Since)),
        },
    },
    ProcessColumn {
        id: "subsystem",
        title: "SUBSYSTEM",
        unit: Unit::Name,
        help: "Kernel subsystem that holds most of the pages; `+` if the process also pinned through others.",
        metric: None,
        align: Align::Left,
        drop_rank: 1,
        value: |process| super::marked_subsystem(&process.subsystems),
    },
    ProcessColumn {
        id: "state",
        title: "STATE",
        unit: Unit::Name,
        help: "`live`, or the exit status or signal with which the process ended.",
        metric: None,
        align: Align::Left,
        drop_rank: 6,
        value: |process| Value::Text(state(process)),
    },
    ProcessColumn {
        id: "comm",
        title: "COMMAND",
        unit: Unit::Name,
        help: "Command name.",
        metric: None,
        align: Align::Left,
        drop_rank: 0,
        value: |process| Value::Text(Cow::Borrowed(&process.comm)),
    },
];

/// The default sort column.
pub const DEFAULT_SORT: &str = "pages_held";

/// Returns every column of the table, and then every column of [`super::more::PROCESS`].
pub fn all() -> impl Iterator<Item = &'static ProcessColumn> {
    COLUMNS.iter().chain(super::more::PROCESS)
}

/// Returns the column of the table with an id.
#[must_use]
pub fn column(id: &str) -> Option<&'static ProcessColumn> {
    COLUMNS.iter().find(|column| column.id == id)
}

/// Compares two processes by a column, numbers largest first; then by pages held and pages acquired, largest first,
/// then by pid, lowest first.
#[must_use]
pub fn rank(column: &ProcessColumn, one: &Process, two: &Process) -> Ordering {
    (column.value)(one)
        .rank(&(column.value)(two))
        .then_with(|| two.pages_held.cmp(&one.pages_held))
        .then_with(|| two.acquired.cmp(&one.acquired))
        .then_with(|| one.pid.cmp(&two.pid))
}

/// Returns the titles of the columns that have no values in mode scan, in display order.
#[must_use]
pub fn traced_titles() -> Vec<&'static str> {
    let unknown = Process {
        untraced: true,
        pages_held: 1,
        longterm_pages_held: 1,
        ..Process::default()
    };
    let only_traced = |column: &&ProcessColumn| {
        matches!((column.value)(&unknown), Value::Absent) && column.id != "subsystem"
    };
    COLUMNS
        .iter()
        .filter(only_traced)
        .map(|column| column.title)
        .collect()
}

/// Returns a value that only mode trace knows; absent for a process that was not traced.
pub(super) fn traced<'a>(process: &Process, value: Value<'a>) -> Value<'a> {
    if process.untraced { Value::Absent } else { value }
}

/// Returns the state of a process as one short text.
fn state(process: &Process) -> Cow<'static, str> {
    match process.ended {
        None => "live".into(),
        Some(ended) if ended.signal != 0 => signal_name(ended.signal),
        Some(ended) => format!("exit {}", ended.status).into(),
    }
}

/// Returns the Linux name of a signal; `signal` and the number for a signal without a name.
#[must_use]
pub fn signal_name(signal: u32) -> Cow<'static, str> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let index = usize::try_from(signal)
        .ok()
        .and_then(|signal| signal.checked_sub(1));
    match index.and_then(|index| NAMES.get(index)) {
        Some(name) => format!("SIG{name}").into(),
        None => format!("signal {signal}").into(),
    }
}
