//! Columns of pin calls, and of the pin calls in flight.

use crate::pin_calls::{InFlight, PinCallRow, text};

use super::{Field, Value};

/// A column of the pin calls of a process through one subsystem.
pub type PinCallColumn = Field<PinCallRow>;

/// A column of the pin calls in flight.
pub type InFlightColumn = Field<InFlight>;

/// Every column of the pin calls, in display order.
pub const COLUMNS: &[PinCallColumn] = &[
    column!(
        "pid",
        "PID",
        Count,
        Right,
        0,
        "Process that makes the calls.",
        |row| { Value::Id(u64::from(row.pid.0)) }
    ),
    column!(
        "pin_calls",
        "CALLS",
        Count,
        Right,
        0,
        "Long-term pin calls that have returned.",
        |row| Value::Count(row.totals.calls())
    ),
    column!(
        "pin_failures",
        "FAILED",
        Count,
        Right,
        0,
        "Pin calls that returned an error, and long-term calls that pinned fewer pages than they asked for.",
        |row| Value::Count(row.totals.failed())
    ),
    column!(
        "refused",
        "REFUSED",
        Count,
        Right,
        4,
        "Registrations that the kernel refused. It may have pinned and released the pages before.",
        |row| Value::Count(row.refused)
    ),
    column!(
        "pinned_by_calls",
        "PINNED",
        Bytes,
        Right,
        0,
        "Memory that long-term calls have pinned since the start.",
        |row| Value::Bytes(row.totals.pinned.saturating_mul(4096))
    ),
    column!(
        "call_mean",
        "MEAN",
        Time,
        Right,
        4,
        "Mean duration of a long-term call.",
        |row| row.totals.mean().map_or(Value::Absent, Value::Span)
    ),
    column!(
        "call_p99",
        "P99",
        Time,
        Right,
        5,
        "99th percentile of the durations, rounded up to a power of two in nanoseconds.",
        |row| row.totals.below(990).map_or(Value::Absent, Value::Span)
    ),
    column!(
        "call_longest",
        "LONGEST",
        Time,
        Right,
        2,
        "Longest duration of a long-term call.",
        |row| match row.totals.longest.0 {
            0 => Value::Absent,
            _ => Value::Span(row.totals.longest),
        }
    ),
    column!(
        "registrations",
        "REGS",
        Count,
        Right,
        3,
        "Registrations: long-term calls of one thread through one code path without a gap of a second.",
        |row| Value::Count(row.totals.registrations)
    ),
    column!(
        "registration_longest",
        "SLOWEST",
        Time,
        Right,
        1,
        "Time of the slowest registration.",
        |row| match row.totals.slowest.calls {
            0 => Value::Absent,
            _ => Value::Span(text::took(&row.totals.slowest)),
        }
    ),
    column!(
        "registration_speed",
        "BYTES/s",
        Bytes,
        Right,
        3,
        "Bytes that the slowest registration pinned in a second.",
        |row| text::bytes_per_second(&row.totals.slowest).map_or(Value::Absent, Value::Bytes)
    ),
    column!(
        "retried",
        "RETRIED",
        Count,
        Right,
        6,
        "Calls that dropped their pins and pinned again, to move pages out of CMA or ZONE_MOVABLE.",
        |row| Value::Count(row.totals.retried)
    ),
    column!(
        "moved",
        "MOVED",
        Bytes,
        Right,
        7,
        "Memory that the kernel moved out of CMA or ZONE_MOVABLE before it pinned the memory.",
        |row| Value::Bytes(row.totals.moved.saturating_mul(4096))
    ),
    column!(
        "subsystem",
        "SUBSYSTEM",
        Name,
        Left,
        0,
        "Kernel subsystem that makes the calls.",
        |row| Value::Text(row.subsystem.as_str().into())
    ),
    column!(
        "cgroup",
        "CGROUP",
        Name,
        Left,
        8,
        "cgroup v2 path of the process.",
        |row| match &*row.cgroup {
            "" => Value::Absent,
            path => Value::Text(path.into()),
        }
    ),
    column!("comm", "COMMAND", Name, Left, 0, "Command name.", |row| {
        Value::Text((&*row.comm).into())
    }),
];

/// Every column of the calls in flight, in display order. A call that continues a registration has the figures of the
/// The default sort column.
pub const DEFAULT_SORT: &str = "registration_longest";

/// registration.
pub const IN_FLIGHT: &[InFlightColumn] = &[
    column!(
        "pid",
        "PID",
        Count,
        Right,
        0,
        "Process that makes the call.",
        |call| { Value::Id(u64::from(call.pid.0)) }
    ),
    column!(
        "call_age",
        "AGE",
        Time,
        Right,
        0,
        "Time since the registration began.",
        |call| Value::Since(call.registration_began())
    ),
    column!(
        "call_wanted",
        "WANTED",
        Bytes,
        Right,
        0,
        "Memory that the calls of the registration have asked for so far.",
        |call| Value::Bytes(call.registration_wanted().saturating_mul(4096))
    ),
    column!(
        "call_pinned",
        "PINNED",
        Bytes,
        Right,
        1,
        "Memory that the registration has pinned so far; at least, if several calls are in flight.",
        |call| Value::Bytes(call.registration_pinned().saturating_mul(4096))
    ),
    column!(
        "call_speed",
        "BYTES/s",
        Bytes,
        Right,
        2,
        "Bytes pinned in a second since the registration began; unknown if several calls are in flight.",
        |call| call.bytes_per_second().map_or(Value::Absent, Value::Bytes)
    ),
    column!(
        "subsystem",
        "SUBSYSTEM",
        Name,
        Left,
        0,
        "Kernel subsystem that makes the call.",
        |call| Value::Text(call.subsystem.as_str().into())
    ),
    column!(
        "descriptor",
        "FD",
        Count,
        Right,
        3,
        "Descriptor of the open file on which the call pins.",
        |call| call
            .descriptor
            .map_or(Value::Absent, |descriptor| Value::Id(u64::from(descriptor)))
    ),
    column!("comm", "COMMAND", Name, Left, 0, "Command name.", |call| {
        Value::Text((&*call.comm).into())
    }),
];
