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
        Self {
            architecture: Architecture::of_this_machine(),
            ..self.clone()
        }
    }

    /// Returns the name of the tarball and of its folder.
    pub(super) fn name(&self) -> String {
        format!("pintrace-{}-{}", self.version, self.architecture.target())
    }

    /// Returns the folder of the build. The folder is kept, so that a second build takes less time.
    pub(super) fn build_folder(&self) -> PathBuf {
        if self.architecture == Architecture::of_this_machine() {
            folder("build")
        } else {
            folder(&format!("build-{}", self.architecture))
        }
    }

    /// Returns the folder of the files.
    pub(super) fn folder(&self) -> PathBuf {
        folder(self.architecture.as_str())
    }
}

/// Returns a folder of `dist`.
pub(super) fn folder(name: &str) -> PathBuf {
    workspace::root().join("target/dist").join(name)
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
