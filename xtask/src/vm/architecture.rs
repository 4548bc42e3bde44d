//! The processors for which pintrace is built.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::setup;

/// The compiler for the C code in programs for 64-bit Arm.
const ARM_COMPILER: &str = "aarch64-linux-gnu-gcc";
/// A header of the C library for 64-bit Arm.
const ARM_HEADERS: &str = "/usr/aarch64-linux-gnu/include/stdio.h";

/// A processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// x86-64, on which pintrace traces
    #[default]
    #[value(name = "x86_64")]
    X86,
    /// 64-bit Arm, on which pintrace traces pins and releases only (docs/arm64.md)
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

    /// Returns the processor of this machine.
    pub(crate) const fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Arm
        } else {
            Self::X86
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

    /// Installs what a build of static programs for this processor needs.
    pub(crate) fn install_compiler(self) -> Result<()> {
        setup::rust_target(self.target())?;
        match self {
            Self::X86 => setup::programs(&[(setup::MUSL_COMPILER, "musl-tools")]),
            Self::Arm => {
                setup::programs(&[(ARM_COMPILER, "gcc-aarch64-linux-gnu")])?;
                if !Path::new(ARM_HEADERS).exists() {
                    setup::install(&["libc6-dev-arm64-cross"])?;
                }
                Ok(())
            }
        }
    }

    /// Sets the compiler of C code and the linker of a cargo command, which are not those that cargo finds by itself.
    pub(crate) fn set_compiler(self, command: &mut Command) {
        if self == Self::Arm {
            let target = self.target().replace('-', "_");
            command.env(format!("CC_{target}"), ARM_COMPILER).env(
                format!("CARGO_TARGET_{}_LINKER", target.to_uppercase()),
                ARM_COMPILER,
            );
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
