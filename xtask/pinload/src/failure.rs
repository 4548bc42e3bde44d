//! Errors, each with a description, a remedy and an exit code.
//!
//! The exit codes are those of pintrace: 1 failed, 2 usage error, 3 not available on this kernel or machine, 4 the pin
//! counters of /proc/vmstat differ from the expected values.

use std::fmt::Display;

/// The result type of pinload.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// An error that ends pinload.
#[derive(Debug, thiserror::Error)]
#[error("{what}; {remedy}")]
pub(crate) struct Failure {
    /// Description of the error, with the name of the object.
    pub(crate) what: String,
    /// Remedy for the user.
    pub(crate) remedy: String,
    /// Exit code of the process.
    pub(crate) code: u8,
}

impl Failure {
    /// Returns a failure at run time.
    pub(crate) fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            code: 1,
        }
    }

    /// Returns a usage error: the options contradict each other.
    pub(crate) fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            code: 2,
        }
    }

    /// Returns the error that this kernel, or the configuration of this machine, does not offer an object.
    pub(crate) fn unavailable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            code: 3,
        }
    }

    /// Returns the error that the parent or the reader of the output has exited: the process ends with code 0 and
    /// prints nothing.
    pub(crate) fn peer_gone() -> Self {
        Self {
            what: "the parent or the reader of the output has ended".into(),
            remedy: "nothing to do".into(),
            code: 0,
        }
    }
}

/// Adds a description and a remedy to any error.
pub(crate) trait Explain<T> {
    /// Turns the error into a failure at run time.
    fn failing(self, what: &str, remedy: &str) -> Result<T>;
    /// Turns the error into "not available here".
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
    fn an_error_has_a_description_and_a_remedy() {
        let failure = Err::<(), _>("EPERM")
            .unavailable("cannot create a ring", "allow it")
            .unwrap_err();
        assert_eq!(failure.to_string(), "cannot create a ring: EPERM; allow it");
        assert_eq!(failure.code, 3);
    }
}
