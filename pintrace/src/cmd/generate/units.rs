//! The systemd units. The program contains the files of packaging/systemd as they are at its build: a unit is changed there,
//! and `generate unit` and all packages have the change.

/// A unit of packaging/systemd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// pintrace.service: serves metrics
    #[default]
    Serve,
    /// pintrace-record@.service: records into a file
    #[value(name = "record@")]
    Record,
}

impl Unit {
    /// Returns the text of the unit.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Serve => include_str!("../../../../packaging/systemd/pintrace.service"),
            Self::Record => include_str!("../../../../packaging/systemd/pintrace-record@.service"),
        }
    }
}
