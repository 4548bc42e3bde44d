//! The findings of the invented host.

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{Cause, FlushCheck, MappingChange};
use pintrace_model::assessment;
use pintrace_model::finding::{
    Finding, FindingKind, PinSide, Severity, TriggerKind, TriggerSide, WindowTotals,
};
use pintrace_model::subsystem::Subsystem;

const SECOND: u64 = 1_000_000_000;
/// The second of the first finding. The demonstration begins at second 1000.
const BEGIN: u64 = 970;

/// A finding that occurs again every `every` seconds.
struct DemoFinding {
    kind: FindingKind,
    /// A prefix of [`assessment::Assessment::case`].
    case: &'static str,
    severity: Severity,
    who: (u32, &'static str),
    subsystem: Subsystem,
    pages: u64,
    trigger: Option<(TriggerKind, &'static [&'static str])>,
    every: u64,
}

const WRITE: &[&str] = &["wp_page_copy+0x5c", "do_wp_page+0x1f4", "__handle_mm_fault+0x6a1"];
const UNMAP: &[&str] = &[
    "unmap_vmas+0x3a",
    "unmap_region+0xb7",
    "do_vmi_align_munmap+0x2c4",
];
const FORK: &[&str] = &["copy_page_range+0x9e1", "dup_mmap+0x3c2", "copy_process+0x1b0c"];
const PROTECT: &[&str] = &[
    "change_protection+0x4d",
    "uffd_wp_range+0x66",
    "mwriteprotect_range+0xf3",
];

const DEMO_FINDINGS: &[DemoFinding] = &[
    DemoFinding {
        kind: FindingKind::CowAfterPin,
        case: "anonymous",
        severity: Severity::Alarm,
        who: (2001, "日本語サーバ"),
        subsystem: Subsystem::IoUring,
        pages: 3,
        trigger: Some((TriggerKind::Write, WRITE)),
        every: 40,
    },
    DemoFinding {
        kind: FindingKind::MappingTouched,
        case: "munmap",
        severity: Severity::Hazard,
        who: (2002, "evil\x1b[2J\u{202e}name"),
        subsystem: Subsystem::IoUring,
        pages: 64,
        trigger: Some((TriggerKind::Mapping(MappingChange::Munmap), UNMAP)),
        every: 17,
    },
    DemoFinding {
        kind: FindingKind::PinOutlivesMm,
        case: "",
        severity: Severity::Hazard,
        who: (911, "rdma-server"),
        subsystem: Subsystem::Rdma,
        pages: 512,
        trigger: None,
        every: 1,
    },
    DemoFinding {
        kind: FindingKind::UndeclaredLongterm,
        case: "",
        severity: Severity::Hazard,
        who: (901, "postgres"),
        subsystem: Subsystem::DirectIo,
        pages: 2,
        trigger: None,
        every: 90,
    },
    DemoFinding {
        kind: FindingKind::ForkCopiedPinned,
        case: "",
        severity: Severity::Note,
        who: (1330, "ib_write_bw"),
        subsystem: Subsystem::Rdma,
        pages: 16,
        trigger: Some((TriggerKind::Mapping(MappingChange::Fork), FORK)),
        every: 23,
    },
    DemoFinding {
        kind: FindingKind::MappingTouched,
        case: "mprotect, uffd_wp, since",
        severity: Severity::Note,
        who: (4242, "qemu-system-x86"),
        subsystem: Subsystem::Vfio,
        pages: 262_144,
        trigger: Some((TriggerKind::Mapping(MappingChange::UffdWp), PROTECT)),
        every: 5,
    },
    DemoFinding {
        kind: FindingKind::FaultInFlushWindow,
        case: "",
        severity: Severity::Note,
        who: (4242, "qemu-system-x86"),
        subsystem: Subsystem::Vfio,
        pages: 9,
        trigger: Some((TriggerKind::Protected(Cause::UffdWp), &[])),
        every: 3,
    },
];

/// Returns all findings until `now`, in the order of the model.
pub(crate) fn findings(now: Nanos) -> Vec<Finding> {
    let mut all: Vec<Finding> = DEMO_FINDINGS.iter().map(|finding| finding.by(now)).collect();
    all.sort_by_key(|found| std::cmp::Reverse((found.severity, found.last)));
    all
}

impl DemoFinding {
    fn by(&self, now: Nanos) -> Finding {
        let (pid, comm) = self.who;
        let passed = now.0 / SECOND - BEGIN;
        let address = 0x7f12_0000_0000 + u64::from(pid) * 0x20_0000;
        let end = address + self.pages * 4096;
        let texts = assessment::ALL
            .iter()
            .find(|texts| texts.kind == self.kind && texts.case.starts_with(self.case));
        let in_window = matches!(self.trigger, Some((TriggerKind::Protected(_), _)));
        Finding {
            kind: self.kind,
            severity: self.severity,
            certain: true,
            pid: Pid(pid),
            comm: comm.to_owned(),
            address,
            end,
            pages: self.pages,
            count: passed / self.every + 1,
            first: Nanos(BEGIN * SECOND),
            last: Nanos((BEGIN + passed / self.every * self.every) * SECOND),
            pin: (!in_window).then(|| self.pin(address, end)),
            trigger: self.trigger.map(|(what, stack)| TriggerSide {
                what,
                pid: Pid(pid),
                tid: Tid(if in_window { 0 } else { pid + 3 }),
                comm: comm.to_owned(),
                stack: stack.iter().map(|frame| (*frame).to_owned()).collect(),
            }),
            explanation: texts.map_or("", |texts| texts.explanation),
            advice: texts.map_or("", |texts| texts.advice),
        }
    }

    fn pin(&self, address: u64, end: u64) -> PinSide {
        let longterm = self.kind != FindingKind::UndeclaredLongterm;
        let frames = [
            "pin_user_pages_fast+0x61",
            "io_pin_pages+0x9c",
            "io_sqe_buffer_register+0xa3",
        ];
        PinSide {
            tid: Tid(self.who.0),
            subsystem: self.subsystem,
            address: if longterm { address } else { 0 },
            end: if longterm { end } else { 0 },
            pages: self.pages,
            longterm,
            reference: false,
            age: Nanos(72 * SECOND),
            caller: "io_pin_pages".into(),
            stack: frames.map(str::to_owned).into(),
        }
    }
}

/// Returns the flush windows until a second.
pub(crate) fn windows(second: u64) -> Vec<WindowTotals> {
    let of = |pid, comm: &str, cause, rate| WindowTotals {
        pid: Pid(pid),
        comm: comm.to_owned(),
        cause,
        count: second * rate + 1,
        pages: (second * rate + 1) * 512,
        p50: Nanos(16_384),
        p99: Nanos(131_072),
        max: Nanos(1_204_771),
        faults: second / 3,
        cows: 0,
        pins: second / 60,
    };
    vec![
        of(901, "postgres", Cause::NumaHinting, 2),
        of(1377, "suricata", Cause::Mprotect, 1),
        of(4242, "qemu-system-x86", Cause::UffdWp, 61),
    ]
}

/// Returns the faults in the flush windows, compared with the kernel's own count of pending flushes.
pub(crate) fn check(second: u64) -> FlushCheck {
    FlushCheck {
        agreed: second,
        covered_only: 0,
        pending_only: second / 7,
    }
}
