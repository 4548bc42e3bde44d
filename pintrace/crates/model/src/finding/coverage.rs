//! Coverage: the kinds of findings that a stream can contain. Some kernels refuse hooks, and users can switch hooks
//! off.

use crate::text::printable;
use pintrace_events::Started;
use pintrace_events::units::Nanos;

use super::FindingKind;

impl FindingKind {
    /// Purposes of probes: at least one probe of each purpose is needed to find this kind.
    #[must_use]
    pub const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::CowAfterPin => &["acquire", "copy"],
            Self::ForkCopiedPinned => &["acquire", "copy", "fork"],
            Self::MappingTouched | Self::PinOutlivesMm => &["acquire", "mapping"],
            Self::UndeclaredLongterm | Self::PinnedNotExclusive => &["acquire"],
            Self::GetNotPin => &["copy", "reference"],
            Self::PinInFlushWindow => &["acquire", "window"],
            Self::FaultInFlushWindow => &["copy", "window"],
            Self::CowInFlushWindow => &["acquire", "copy", "window"],
        }
    }

    /// Returns true if the attached probes can find this kind.
    #[must_use]
    pub fn is_covered(self, started: &Started) -> bool {
        let has = |purpose: &&str| started.probes.iter().any(|probe| probe.purpose == **purpose);
        self.needs().iter().all(has)
    }
}

/// The finding hooks that are attached once memory is pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindingHooks {
    /// Hooks wait for pins.
    pub wait: bool,
    /// The longest time from a first pin to the attachment of the hooks that waited for it.
    pub late: Option<Nanos>,
}

impl FindingHooks {
    /// Returns a sentence about hooks that wait, or that were attached after the first pin.
    #[must_use]
    pub fn note(self) -> Option<String> {
        match (self.late, self.wait) {
            (None, false) => None,
            (None, true) => Some("The hooks of findings are attached when memory is pinned.".to_owned()),
            (Some(late), _) => Some(format!(
                "The hooks of findings were attached {} ms after the first pin, and saw no event before.",
                late.0.div_ceil(1_000_000)
            )),
        }
    }
}

/// Returns a sentence with the kinds that cannot be found, and the reason. `None` if all kinds can be found, or if the
/// stream has no header yet.
#[must_use]
pub fn not_covered(started: &Started) -> Option<String> {
    let (covered, not): (Vec<_>, Vec<_>) = FindingKind::ALL
        .iter()
        .copied()
        // `--foll-get` asks for this kind; without the option it is not missing.
        .filter(|kind| *kind != FindingKind::GetNotPin)
        .partition(|kind| kind.is_covered(started));
    if not.is_empty() || started.mode.is_empty() {
        return None;
    }
    let kinds = |kinds: &[FindingKind]| {
        let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        }
    };
    // The shorter of the two lists is shown.
    let which = match (covered.as_slice(), not.len() > covered.len()) {
        ([], _) => "all kinds".to_owned(),
        (covered, true) => format!("all kinds except {}", kinds(covered)),
        (_, false) => kinds(&not),
    };
    let (without_trace, without_findings) = (
        printable(&started.without_trace),
        printable(&started.without_findings),
    );
    Some(match (without_trace.as_str(), without_findings.as_str()) {
        (_, "--no-findings") => format!("Switched off by --no-findings: {which}."),
        ("", "") if started.mode == "scan" => "Not covered, because nothing is traced.".to_owned(),
        ("", "") => format!("Not covered by the attached hooks: {which}."),
        ("", why) => format!("Not covered ({why}): {which}."),
        (why, _) => format!("Not covered, because nothing is traced: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_events::Probe;

    fn started(purposes: &[&str], why: &str) -> Started {
        let probe = |purpose: &&str| Probe {
            purpose: (*purpose).to_owned(),
            ..Probe::default()
        };
        Started {
            mode: "trace".to_owned(),
            without_findings: why.to_owned(),
            probes: purposes.iter().map(probe).collect(),
            ..Started::default()
        }
    }

    #[test]
    fn kinds_without_hooks_are_named_with_the_reason() {
        let all = ["acquire", "copy", "fork", "mapping", "window"];
        assert_eq!(not_covered(&started(&all, "")), None);
        assert_eq!(not_covered(&Started::default()), None);
        let off = not_covered(&started(&["acquire"], "--no-findings"));
        let expected =
            "Switched off by --no-findings: all kinds except undeclared-longterm and pinned-not-exclusive.";
        assert_eq!(off.as_deref(), Some(expected));
        let unknown = not_covered(&started(&["acquire"], "struct vm_fault has no member pte"));
        let expected = "Not covered (struct vm_fault has no member pte): all kinds except undeclared-longterm and pinned-not-exclusive.";
        assert_eq!(unknown.as_deref(), Some(expected));
        let some = not_covered(&started(&["acquire", "copy", "mapping", "window"], ""));
        let expected = "Not covered by the attached hooks: fork-copied-pinned.";
        assert_eq!(some.as_deref(), Some(expected));
    }

    #[test]
    fn hooks_that_wait_or_came_late_have_a_note() {
        let note = |wait, late| FindingHooks { wait, late }.note();
        assert_eq!(note(false, None), None);
        assert!(note(true, None).unwrap().contains("when memory is pinned"));
        let late = note(true, Some(Nanos(12_000_001))).unwrap();
        assert!(late.contains("attached 13 ms after the first pin"), "{late}");
    }

    #[test]
    fn mode_scan_covers_no_kind() {
        let mut started = Started {
            mode: "scan".to_owned(),
            ..Started::default()
        };
        let wanted = not_covered(&started);
        assert_eq!(wanted.as_deref(), Some("Not covered, because nothing is traced."));
        started.without_trace = "this kernel has no BTF.".to_owned();
        let cannot = not_covered(&started).unwrap();
        assert!(cannot.ends_with("nothing is traced: this kernel has no BTF."));
    }
}
