//! What can go wrong, as two sentences (what happened, what to do) and an exit code.
//!
//! Knows nothing of pins. The exit codes are the project's: 1 failed, 2 usage, 3 this kernel or machine does
//! not handshake it, 4 the kernel's books differ from what was expected.

use std::fmt::Display;

/// The result type of everything in pinload.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why pinload ends early.
#[derive(Debug, thiserror::Error)]
#[error("{what}; {remedy}")]
pub(crate) struct Failure {
    /// What happened, naming the object.
    pub(crate) what: String,
    /// What the user can do about it.
    pub(crate) remedy: String,
    /// The process's exit code.
    pub(crate) code: u8,
}

impl Failure {
    /// Failed at run time.
    pub(crate) fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            code: 1,
        }
    }

    /// The options contradict one another.
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            code: 2,
        }
    }

    /// This kernel, or this machine's configuration, does not handshake what was asked for.
    pub(crate) fn unavailable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            code: 3,
        }
    }

    /// Whoever this process worked for is gone, its parent or the reader of its lines: no failure, but the
    /// end, about which nobody wants to hear.
    pub(crate) fn peer_gone() -> Self {
        Self {
            what: "the parent or the reader of the output has ended".into(),
            remedy: "nothing to do".into(),
            code: 0,
        }
    }
}

/// Gives any error a sentence and a remedy.
pub(crate) trait Explain<T> {
    /// The error becomes a failure at run time.
    fn failing(self, what: &str, remedy: &str) -> Result<T>;
    /// The error becomes "not available here".
    fn unavailable(self, what: &str, remedy: &str) -> Result<T>;
}

impl<T, E: Display> Explain<T> for std::result::Result<T, E> {
    fn failing(self, what: &str, remedy: &str) -> Result<T> {
        self.map_err(|error| Failure::failed(format!("{what}: {error}"), remedy))
    }

    fn unavailable(self, what: &str, remedy: &str) -> Result<T> {
        self.map_err(|error| Failure::unavailable(format!("{what}: {error}"), remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_carries_what_and_remedy() {
        let failure = Err::<(), _>("EPERM")
            .unavailable("cannot create a ring", "allow it")
            .unwrap_err();
        assert_eq!(failure.to_string(), "cannot create a ring: EPERM; allow it");
        assert_eq!(failure.code, 3);
    }
}
