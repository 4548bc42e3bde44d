//! Fields of pin calls, of pin calls in flight and of refused registrations.

use pintrace_model::field::{Align, Field, Unit, Value, pin_call};
use pintrace_model::pin_calls::{InFlight, PinCallRow};
use pintrace_model::registrations::{FailedRegistration, call_name};

use super::super::row_fields::RowFields;
use super::{offer, subsystems};

const ALIASES: &[(&str, &str)] = &[("name", "comm")];

/// Pin calls by process and subsystem. A bare word matches command name, pid and subsystem.
pub const PIN_CALLS: RowFields<PinCallRow> = RowFields {
    noun: "Pin calls",
    columns: &[pin_call::COLUMNS],
    aliases: ALIASES,
    words: |row, take| offer(&[row.pid], &[&row.comm, row.subsystem.as_str()], take),
    values: subsystems,
};

/// Pin calls in flight. A bare word matches command name, pid and subsystem.
pub const CALLS_IN_FLIGHT: RowFields<InFlight> = RowFields {
    noun: "Calls in flight",
    columns: &[pin_call::IN_FLIGHT],
    aliases: ALIASES,
    words: |call, take| offer(&[call.pid], &[&call.comm, call.subsystem.as_str()], take),
    values: subsystems,
};

/// Fields of refused registrations, which are sentences and have no table.
const REFUSED: &[Field<FailedRegistration>] = &[
    Field {
        id: "pid",
        title: "PID",
        unit: Unit::Count,
        help: "Process that made the call.",
        metric: None,
        align: Align::Right,
        drop_rank: 0,
        value: |one| Value::Id(u64::from(one.failed.pid.0)),
    },
    Field {
        id: "comm",
        title: "COMMAND",
        unit: Unit::Name,
        help: "Command name.",
        metric: None,
        align: Align::Left,
        drop_rank: 0,
        value: |one| Value::Text((&*one.failed.comm).into()),
    },
    Field {
        id: "uid",
        title: "UID",
        unit: Unit::Count,
        help: "Real user id of the process.",
        metric: None,
        align: Align::Right,
        drop_rank: 0,
        value: |one| Value::Id(u64::from(one.failed.uid)),
    },
];

/// Refused registrations. A bare word matches command name, pid and the call.
pub const FAILED_REGISTRATIONS: RowFields<FailedRegistration> = RowFields {
    noun: "Refused registrations",
    columns: &[REFUSED],
    aliases: ALIASES,
    words: |one, take| {
        let call = call_name(one.failed.kind, one.failed.operation);
        offer(&[one.failed.pid], &[&one.failed.comm, &call], take)
    },
    values: |_| Vec::new(),
};
