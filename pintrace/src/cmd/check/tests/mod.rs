//! Fixtures for the tests of `check`.

mod allow;
mod file;
mod formats;
mod result;

use std::sync::Arc;

use pintrace_common::counters;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{MappingChange, Started, Stopped};
use pintrace_model::finding::{Finding, FindingKind, PinSide, Severity, TriggerKind, TriggerSide};
use pintrace_model::snapshot::{Balance, Snapshot};
use pintrace_model::subsystem::Subsystem;

use super::allow::AllowFile;
use super::result::{CheckResult, CheckRules};

/// A process name with markup, quotes, an escape sequence, characters that XML cannot express, and invalid UTF-8
/// (as U+FFFD).
const NASTY: &str = "<a&\"'\u{1b}[31m\0\u{fffe}\u{fffd}]]>";

fn finding(kind: FindingKind, severity: Severity, comm: &str) -> Finding {
    let stack = |frames: &[&str]| frames.iter().map(|&frame| frame.to_owned()).collect::<Arc<_>>();
    Finding {
        certain: true,
        kind,
        severity,
        pid: Pid(7),
        comm: comm.into(),
        address: 0x1000,
        end: 0x3000,
        pages: 2,
        count: 1,
        first: Nanos(2_000_000_000),
        last: Nanos(2_000_000_000),
        pin: Some(PinSide {
            tid: Tid(8),
            subsystem: Subsystem::IoUring,
            pages: 2,
            longterm: true,
            stack: stack(&["io_pin_pages+0x12", "io_sqe_buffer_register.isra.0+0x3 [mod]"]),
            ..PinSide::default()
        }),
        trigger: Some(TriggerSide {
            what: TriggerKind::Mapping(MappingChange::Munmap),
            pid: Pid(7),
            tid: Tid(7),
            comm: comm.into(),
            stack: stack(&["unmap_region+0x1"]),
        }),
        explanation: "It went wrong.",
        advice: "Do better.",
    }
}

fn snapshot(findings: Vec<Finding>) -> Snapshot {
    Snapshot {
        time: Nanos(3_000_000_000),
        duration: Nanos(2_000_000_000),
        started: Arc::new(Started {
            command: vec!["job".into(), NASTY.into()],
            ..Started::default()
        }),
        ending: Some(Stopped {
            reason: "command".into(),
            exit_code: Some(0),
        }),
        balance: Balance {
            vmstat_readable: true,
            ..Balance::default()
        },
        loss: counters::Loss::ALL.iter().map(|loss| (loss.name(), 0)).collect(),
        findings,
        ..Snapshot::default()
    }
}

fn mapping_change() -> Finding {
    finding(FindingKind::MappingTouched, Severity::Hazard, "job")
}

fn noted() -> Finding {
    finding(FindingKind::ForkCopiedPinned, Severity::Note, "job")
}

/// Returns true if a check with these rules passes.
fn passes(snapshot: &Snapshot, fail_on: &[FindingKind], allowed: &AllowFile, allow_loss: bool) -> bool {
    let rules = CheckRules {
        fail_on,
        allowed,
        allow_loss,
    };
    CheckResult::reach(snapshot, &rules).passed()
}

fn passes_by_default(snapshot: &Snapshot) -> bool {
    passes(snapshot, &[], &AllowFile::default(), false)
}
