//! Which kinds of findings a stream can have: not every kernel lets every hook be attached, nor does every user want it.

use crate::text::printable;
use pintrace_events::Started;

use super::FindingKind;

impl FindingKind {
    /// Purposes of probes, each of which it takes at least one of to be found.
    #[must_use]
    pub const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::CowAfterPin => &["acquire", "copy"],
            Self::ForkCopiedPinned => &["acquire", "copy", "fork"],
            Self::MappingTouched | Self::PinOutlivesMm => &["acquire", "mapping"],
            Self::UndeclaredLongterm => &["acquire"],
            Self::GetNotPin => &["copy", "reference"],
            Self::PinInFlushWindow => &["acquire", "window"],
            Self::FaultInFlushWindow => &["copy", "window"],
            Self::CowInFlushWindow => &["acquire", "copy", "window"],
        }
    }

    /// Whether something looks for it.
    #[must_use]
    pub fn is_covered(self, started: &Started) -> bool {
        let has = |purpose: &&str| started.probes.iter().any(|probe| probe.purpose == **purpose);
        self.needs().iter().all(has)
    }
}

/// Which findings are not looked for, and why, in a sentence; `None` if all are, or nothing is known of the stream.
#[must_use]
pub fn not_covered(started: &Started) -> Option<String> {
    let (covered, not): (Vec<_>, Vec<_>) = FindingKind::ALL
        .iter()
        .copied()
        // Whoever does not ask for it does not miss it.
        .filter(|kind| *kind != FindingKind::GetNotPin)
        .partition(|kind| kind.is_covered(started));
    if not.is_empty() || started.mode.is_empty() {
        return None;
    }
    let kinds = |kinds: &[FindingKind]| {
        let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
        names.join(", ")
    };
    // Whichever list is shorter.
    let which = match (covered.as_slice(), not.len() > covered.len()) {
        ([], _) => String::new(),
        (covered, true) => format!(", all but {}", kinds(covered)),
        (_, false) => format!(": {}", kinds(&not)),
    };
    let (without_trace, without_findings) = (
        printable(&started.without_trace),
        printable(&started.without_findings),
    );
    Some(match (without_trace.as_str(), without_findings.as_str()) {
        (_, "--no-findings") => format!("Switched off by --no-findings{which}."),
        ("", "") if started.mode == "scan" => "Not looked for, because nothing is traced.".to_owned(),
        ("", "") => format!("Not looked for here{which}."),
        ("", why) => format!("Not looked for here{which} ({why})."),
        (why, _) => format!("Not looked for, because nothing is traced: {why}"),
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
            mode: "both".to_owned(),
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
        let expected = "Switched off by --no-findings, all but undeclared-longterm.";
        assert_eq!(off.as_deref(), Some(expected));
        let unknown = not_covered(&started(&["acquire"], "struct vm_fault has no member pte"));
        let expected =
            "Not looked for here, all but undeclared-longterm (struct vm_fault has no member pte).";
        assert_eq!(unknown.as_deref(), Some(expected));
        let some = not_covered(&started(&["acquire", "copy", "mapping", "window"], ""));
        assert_eq!(some.as_deref(), Some("Not looked for here: fork-copied-pinned."));
    }

    #[test]
    fn a_scan_finds_none() {
        let mut started = Started {
            mode: "scan".to_owned(),
            ..Started::default()
        };
        let wanted = not_covered(&started);
        assert_eq!(
            wanted.as_deref(),
            Some("Not looked for, because nothing is traced.")
        );
        started.without_trace = "this kernel has no BTF.".to_owned();
        let cannot = not_covered(&started).unwrap();
        assert!(cannot.ends_with("nothing is traced: this kernel has no BTF."));
    }
}
