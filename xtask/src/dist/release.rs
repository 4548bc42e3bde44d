//! The release that the checkout is: version, time, folders.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::vm::architecture::Architecture;
use crate::{process, workspace};

/// A release for one processor.
#[derive(Clone, Debug)]
pub(super) struct Release {
    /// The version, which is that of xtask too.
    pub(super) version: &'static str,
    /// The processor.
    pub(super) architecture: Architecture,
    /// The time of all files, in seconds since 1970: that of the last commit, so that a later build gives the same files.
    pub(super) epoch: u64,
}

impl Release {
    /// Returns the release of this checkout. `SOURCE_DATE_EPOCH` overrides its time.
    pub(super) fn of_checkout(architecture: Architecture) -> Result<Self> {
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => text
                .parse()
                .with_context(|| format!("SOURCE_DATE_EPOCH={text} is no number of seconds"))?,
            Err(_) => time_of_commit()?,
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            architecture,
            epoch,
        })
    }

    /// Returns the same release for the processor of this machine.
    pub(super) fn for_this_machine(&self) -> Self {
        let architecture = if cfg!(target_arch = "aarch64") {
            Architecture::Arm
        } else {
            Architecture::X86
        };
        Self {
            architecture,
            ..self.clone()
        }
    }

    /// Returns the name of the tarball and of its folder.
    pub(super) fn name(&self) -> String {
        format!("pintrace-{}-{}", self.version, self.architecture.target())
    }

    /// Returns a folder of this release.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let folder = workspace::root().join("target/dist");
        folder.join(self.architecture.as_str()).join(name)
    }
}

fn time_of_commit() -> Result<u64> {
    let mut git = process::program("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(workspace::root());
    let time = process::stdout(&mut git)
        .context("the release has no time: set SOURCE_DATE_EPOCH outside of a git checkout")?;
    let time = time.trim();
    time.parse()
        .with_context(|| format!("git printed {time}, not a time"))
}
