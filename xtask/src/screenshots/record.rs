//! Records the workloads of the pictures in a guest.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::vm::{self, GuestOptions};

const SCRIPT: &str = include_str!("record.sh");

/// Replaces the recording.
pub(super) fn run(recording: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut options = GuestOptions::new("6.12".parse().map_err(anyhow::Error::msg)?);
    options.modules = vec!["null_blk".to_owned()];
    options.out = Some(folder.path().to_owned());
    let outcome = options.prepare()?.run(SCRIPT, &mut io::stdout())?;
    if vm::explain(&outcome) != 0 {
        bail!("the workloads could not be recorded");
    }
    fs::copy(folder.path().join("demo.pintrace"), recording)
        .with_context(|| recording.display().to_string())?;
    Ok(())
}
