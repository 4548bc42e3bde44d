//! The processors for which pintrace is built.

use clap::ValueEnum;

/// A processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// x86-64, on which pintrace traces
    #[default]
    #[value(name = "x86_64")]
    X86,
    /// 64-bit Arm, on which pintrace does not trace yet (docs/arm64.md)
    #[value(name = "aarch64")]
    Arm,
}

impl Architecture {
    /// Returns the name in Rust's targets, which RPM uses too.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// Returns the name in Debian's packages.
    pub(crate) const fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    /// Returns Rust's target of static programs.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::X86 => "x86_64-unknown-linux-musl",
            Self::Arm => "aarch64-unknown-linux-musl",
        }
    }
}
