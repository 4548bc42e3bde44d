//! The file of a recording, given on the command line.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;

/// Opens a recording for reading.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    let remedy = "give a file that `pintrace record -o FILE` wrote";
    let file = File::open(path).with_context(|| format!("{}: cannot be opened; {remedy}", named(path)))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        anyhow::bail!("{}: is a folder; {remedy}", named(path));
    }
    Ok(file)
}

/// Returns a path with control characters escaped.
pub(super) fn named(path: &Path) -> String {
    pintrace_model::text::printable(&path.display().to_string())
}
