//! Writes a snapshot of the live view to a file.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pintrace_export::json;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;

/// Writes a snapshot as JSON to a new file, and returns its path. An existing file is never replaced. Without a path, the
/// file is in the current folder, or in the folder for temporary files if the current one cannot be written: pintrace has
/// given up the right to write everywhere.
pub(super) fn save(snapshot: &Snapshot, path: Option<&Path>) -> io::Result<PathBuf> {
    let document = json::render(snapshot, true).map_err(io::Error::other)?;
    if let Some(path) = path {
        return write(path, &document);
    }
    let name = file_name("json");
    match write(Path::new(&name), &document) {
        Err(error)
            if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) =>
        {
            write(&std::env::temp_dir().join(name), &document)
        }
        done => done,
    }
}

/// Like [`save`], for a process that may create files only in the current folder and in the folder for temporary files.
pub(super) fn save_in_sandbox(snapshot: &Snapshot, path: Option<&Path>) -> io::Result<PathBuf> {
    save(snapshot, path).map_err(|error| {
        if error.kind() == ErrorKind::PermissionDenied {
            io::Error::new(
                ErrorKind::PermissionDenied,
                format!("{error}; {}", sandbox_remedy()),
            )
        } else {
            error
        }
    })
}

/// Returns where a process in the sandbox may create files, and the remedy.
pub(super) fn sandbox_remedy() -> String {
    format!(
        "pintrace may create files in the current folder and in {} only (`--no-sandbox` lifts this)",
        std::env::temp_dir().display()
    )
}

fn write(path: &Path, document: &str) -> io::Result<PathBuf> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(document.as_bytes())?;
    Ok(path.to_owned())
}

/// Returns a name with the time in UTC and an extension.
pub(super) fn file_name(extension: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    let time = text::utc(nanoseconds).replace([' ', ':'], "-");
    format!("pintrace-{time}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot.json");
        assert_eq!(save(&Snapshot::default(), Some(&path)).unwrap(), path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with('{'), "{text}");
        let again = save(&Snapshot::default(), Some(&path)).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn the_name_has_no_character_that_shells_treat_specially() {
        let name = file_name("json");
        let plain = |char: char| char.is_ascii_alphanumeric() || "-.".contains(char);
        assert!(name.chars().all(plain), "{name}");
    }
}
