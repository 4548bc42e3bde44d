//! The result of a test of one path, from the pages that the hooks saw.

use super::path::Path;

/// Pages of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Number of pages that pintrace pinned and released.
    pub expected: u64,
    /// Number of pages that the hooks saw pinned.
    pub acquired: u64,
    /// Number of pages that the hooks saw released.
    pub released: u64,
}

impl Figures {
    /// Returns the figures as a clause.
    pub fn text(self) -> String {
        let Self {
            expected,
            acquired,
            released,
        } = self;
        format!("pages pinned and released: {expected}; the hooks saw {acquired} pinned, {released} released")
    }
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The hooks saw each pin and each release.
    Seen,
    /// The hooks saw the pins, and not each release.
    ReleaseNotSeen,
    /// The hooks did not see each pin.
    PinNotSeen,
    /// The path was not tested, for this reason.
    Skipped(String),
}

impl Outcome {
    /// Returns the name in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::ReleaseNotSeen => "release_not_seen",
            Self::PinNotSeen => "pin_not_seen",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Returns true if pins or releases on the path do not reach a hook.
    pub const fn is_unseen(&self) -> bool {
        matches!(self, Self::ReleaseNotSeen | Self::PinNotSeen)
    }

    /// Returns the outcome with its reason or its consequence.
    pub fn text(&self, path: Path, figures: Figures) -> String {
        match (self, self.lost(path)) {
            (Self::Skipped(why), _) => format!("skipped: {why}"),
            (_, Some(lost)) => format!("{lost} ({})", figures.text()),
            (_, None) => format!("seen: {}", figures.text()),
        }
    }

    /// Returns the events that pintrace does not see, and the consequence; `None` if nothing is known to be unseen.
    pub fn lost(&self, path: Path) -> Option<String> {
        let path = path.as_str();
        match self {
            Self::Seen | Self::Skipped(_) => None,
            Self::ReleaseNotSeen => Some(format!(
                "releases by {path} do not reach a hook on this kernel: such pins are shown although they are gone"
            )),
            Self::PinNotSeen => Some(format!(
                "pins by {path} do not reach a hook on this kernel: such pins are not shown"
            )),
        }
    }
}

/// Returns the outcome for the pages that the hooks saw.
pub(super) fn judge(figures: Figures) -> Outcome {
    let Figures {
        expected,
        acquired,
        released,
    } = figures;
    if acquired < expected {
        Outcome::PinNotSeen
    } else if released < acquired {
        Outcome::ReleaseNotSeen
    } else {
        Outcome::Seen
    }
}

/// Returns the reason why a path is not judged on which the hooks saw no pin and on which the kernel may take references
/// instead of pins. `before` and `after` are `nr_foll_pin_acquired` around the attempt.
pub(super) fn without_pins(path: Path, before: Option<u64>, after: Option<u64>) -> String {
    let path = path.as_str();
    match (before, after) {
        (Some(before), Some(after)) if before == after => {
            format!("{path} takes no pins here: nr_foll_pin_acquired does not change")
        }
        (Some(_), Some(_)) => format!(
            "the hooks saw no pin, and other processes pinned meanwhile, so it is unknown whether {path} takes pins here"
        ),
        _ => format!(
            "the hooks saw no pin, and vmstat cannot be read, so it is unknown whether {path} takes pins here"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(acquired: u64, released: u64) -> Outcome {
        judge(Figures {
            expected: 4,
            acquired,
            released,
        })
    }

    #[test]
    fn a_path_is_seen_if_all_pages_are_pinned_and_released() {
        assert_eq!(of(4, 4), Outcome::Seen);
        assert_eq!(of(4, 4).lost(Path::ProcessVm), None);
        // The kernel may pin a page more than once.
        assert_eq!(of(8, 8), Outcome::Seen);
    }

    #[test]
    fn a_release_without_a_hook_leaves_pins_that_are_gone() {
        for outcome in [of(4, 0), of(4, 3), of(8, 4)] {
            assert_eq!(outcome, Outcome::ReleaseNotSeen);
        }
        assert_eq!(
            of(4, 0).lost(Path::ProcessVm).unwrap(),
            "releases by process_vm_readv do not reach a hook on this kernel: such pins are shown although they are \
             gone"
        );
    }

    #[test]
    fn a_pin_without_a_hook_is_not_shown() {
        for outcome in [of(0, 0), of(0, 4), of(3, 3)] {
            assert_eq!(outcome, Outcome::PinNotSeen);
        }
        assert_eq!(
            of(0, 0).lost(Path::IoUring).unwrap(),
            "pins by io_uring do not reach a hook on this kernel: such pins are not shown"
        );
    }

    #[test]
    fn a_path_without_pins_is_told_from_a_path_of_unknown_pins() {
        let why = |before, after| without_pins(Path::DirectRead, before, after);
        assert_eq!(
            why(Some(7), Some(7)),
            "direct I/O takes no pins here: nr_foll_pin_acquired does not change"
        );
        assert!(why(Some(7), Some(8)).contains("it is unknown whether direct I/O takes pins here"));
        assert!(why(None, None).contains("vmstat cannot be read"));
    }

    #[test]
    fn a_skipped_path_claims_nothing() {
        let skipped = Outcome::Skipped("no direct I/O".to_owned());
        assert!(!skipped.is_unseen());
        assert_eq!(skipped.lost(Path::DirectRead), None);
    }
}
