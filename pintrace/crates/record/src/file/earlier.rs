//! The place of an earlier recording: FILE.old, as for `perf record`.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::CreateError;
use super::output::{Content, content};

/// Returns the path to which an earlier recording goes.
///
/// # Errors
///
/// Returns an error if the path has a file that is no recording: nothing may replace it.
pub(super) fn place(path: &Path) -> Result<PathBuf, CreateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    let place = PathBuf::from(name);
    let found = match File::open(&place) {
        Ok(mut file) => content(&mut file),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Content::Nothing),
        Err(error) => Err(error),
    };
    match found {
        Ok(Content::Nothing | Content::Recording) => Ok(place),
        Ok(Content::Foreign) | Err(_) => Err(CreateError::NoPlace {
            path: path.into(),
            place,
        }),
    }
}
