//! The cache outside the checkout; an entry appears complete or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// The variable that overrides the folder of the cache.
pub(crate) const FOLDER_VARIABLE: &str = "PINTRACE_CACHE";

/// Returns the folder for kernels, Debian packages, package indexes and running guests.
pub(crate) fn root() -> Result<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let root = from(FOLDER_VARIABLE)
        .or_else(|| from("XDG_CACHE_HOME").map(|cache| cache.join("pintrace")))
        .or_else(|| from("HOME").map(|home| home.join(".cache/pintrace")))
        .with_context(|| format!("the cache has no folder: set {FOLDER_VARIABLE} to a folder"))?;
    folder(&root)?;
    Ok(root)
}

/// Creates the folder and its parents.
pub(crate) fn folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Takes a lock of the cache until the result is dropped, so that two processes do not fetch the same file.
pub(crate) fn lock(name: &str) -> Result<File> {
    let path = root()?.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Prefix of incomplete folders.
const PARTIAL: &str = ".partial-";

/// Fills `target` through `fill`, which works in a temporary folder. The folder gets its final name only after success.
/// The caller holds the lock, so other incomplete folders come from killed processes and are removed.
pub(crate) fn enter(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = target.parent().context("a cache entry lies in a folder")?;
    folder(parent)?;
    let staged = partial(parent)?;
    let content = staged.path().join("content");
    folder(&content)?;
    fill(&content)?;
    if target.exists() {
        fs::remove_dir_all(target).with_context(|| format!("cannot replace {}", target.display()))?;
    }
    fs::rename(&content, target).with_context(|| format!("cannot write {}", target.display()))
}

/// Creates a folder for an incomplete entry, and removes incomplete folders of killed processes.
pub(crate) fn partial(parent: &Path) -> Result<TempDir> {
    for entry in fs::read_dir(parent)
        .with_context(|| format!("cannot read {}", parent.display()))?
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    let staged = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(parent);
    staged.with_context(|| format!("cannot write to {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_entry_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("kernels/x");
        let result = enter(&target, |folder| {
            fs::write(folder.join("half"), "x")?;
            anyhow::bail!("no network")
        });
        assert!(result.is_err());
        assert_eq!(fs::read_dir(place.path().join("kernels")).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("kernels/.partial-1/content")).unwrap();
        enter(&place.path().join("kernels/x"), |_| Ok(())).unwrap();
        assert_eq!(fs::read_dir(place.path().join("kernels")).unwrap().count(), 1);
    }

    #[test]
    fn a_complete_entry_has_its_final_name() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("kernels/x");
        enter(&target, |folder| Ok(fs::write(folder.join("whole"), "x")?)).unwrap();
        assert!(target.join("whole").is_file());
        assert_eq!(fs::read_dir(place.path().join("kernels")).unwrap().count(), 1);
    }
}
