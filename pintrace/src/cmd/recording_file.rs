//! The file of a recording, given on the command line.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use pintrace_record::{Existing, Recording};

use super::child::sudo_user;

/// Opens a recording for reading.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    let remedy = "give a file that `pintrace record -o FILE` wrote";
    let file = File::open(path).with_context(|| format!("{}: cannot be opened; {remedy}", named(path)))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        anyhow::bail!("{}: is a folder; {remedy}", named(path));
    }
    Ok(file)
}

/// Creates a recording. The file belongs to the user of sudo, if sudo has started pintrace. With `force`, a file that is no
/// recording is replaced.
pub(super) fn create(path: &Path, force: bool) -> anyhow::Result<Recording> {
    let existing = if force {
        Existing::Replace
    } else {
        Existing::KeepForeign
    };
    let mut recording = Recording::create(path, existing)?;
    if let Some((uid, gid)) = sudo_user() {
        recording
            .give_to(uid, gid)
            .with_context(|| format!("{}: cannot be given to the user of sudo", path.display()))?;
    }
    Ok(recording)
}

/// Returns a path with control characters escaped.
pub(super) fn named(path: &Path) -> String {
    pintrace_model::text::printable(&path.display().to_string())
}
