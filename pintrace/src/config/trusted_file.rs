//! Reads a file of the configuration, after a check of its owner.
//!
//! pintrace reads the file of a user with the privileges of root. So a link in the folder of the user must not lead to a
//! file that the user cannot read: messages would show parts of it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;

use pintrace_model::text::printable;

use super::environment::Environment;
use super::places::{Place, Trust};

/// The size above which a file is refused.
const LARGEST: u64 = 64 * 1024;

/// The owner and the permissions of a file or of a folder.
#[derive(Clone, Copy, Debug)]
struct Ownership {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Ownership {
    fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode,
        }
    }

    /// Returns why a file or a folder of this owner is not trusted.
    fn distrust(self, user: u32) -> Option<String> {
        if self.uid != user && self.uid != 0 {
            let root = if user == 0 { "root" } else { "this user or root" };
            return Some(format!("belongs to uid {}, and not to {root}", self.uid));
        }
        (self.mode & 0o022 != 0).then(|| "can be written by other users; chmod go-w helps".to_owned())
    }

    /// Returns true if a user can read a file.
    fn is_readable(self, user: u32, groups: &[u32]) -> bool {
        let by_group = self.mode & 0o040 != 0 && groups.contains(&self.gid);
        user == 0 || self.uid == user || by_group || self.mode & 0o004 != 0
    }
}

/// Reads a file. `None` if there is no such file at a place of its own. The error is a line for the user.
pub(super) fn read(place: &Place, environment: &Environment) -> Result<Option<String>, String> {
    let path = &place.path;
    let name = printable(&path.display().to_string());
    let file = match place.trust {
        Trust::Named => open_named(path, environment).map(Some),
        Trust::OwnedBy(user) => {
            open_owned(path, user).map_err(|why| format!("{why}; --no-config reads no configuration"))
        }
    };
    let file = file.map_err(|why| format!("{name}: {why}"))?;
    file.map(|file| content(file).map_err(|why| format!("{name}: {why}")))
        .transpose()
}

fn open_named(path: &Path, environment: &Environment) -> Result<File, String> {
    // A pipe is read as it is, such as that of a shell's <(...).
    let file = open(
        path,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY,
        Mode::empty(),
    )
    .map_err(text)?;
    let owner = Ownership::of(&fstat(&file).map_err(text)?);
    if owner.is_readable(environment.real_uid, &environment.groups) {
        Ok(file.into())
    } else {
        // A program with capabilities of its file can read more than its user.
        Err(text(Errno::ACCESS))
    }
}

fn open_owned(path: &Path, user: u32) -> Result<Option<File>, String> {
    let (Some(folder), Some(file_name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Some(folder) = existing(open(folder, flags, Mode::empty()))? else {
        return Ok(None);
    };
    // A pipe must not stop the start.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let Some(file) = existing(openat(&folder, file_name, flags, Mode::empty()))? else {
        return Ok(None);
    };
    let folder = Ownership::of(&fstat(&folder).map_err(text)?);
    if let Some(why) = folder.distrust(user) {
        return Err(format!("not read, because its folder {why}"));
    }
    let file: File = file.into();
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err("no file".to_owned());
    }
    let owner = Ownership::of(&fstat(&file).map_err(text)?);
    if let Some(why) = owner.distrust(user) {
        return Err(format!("not read, because it {why}"));
    }
    if !owner.is_readable(user, &[]) {
        return Err("not read, because it belongs to root, and other users cannot read it".to_owned());
    }
    Ok(Some(file))
}

/// Returns `None` for a file that does not exist.
fn existing<T>(opened: Result<T, Errno>) -> Result<Option<T>, String> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(text(error)),
    }
}

fn text(error: impl Into<std::io::Error>) -> String {
    error.into().to_string()
}

fn content(file: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("larger than 64 KiB, which is no configuration".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("no UTF-8 text at byte {}", error.utf8_error().valid_up_to()))
}

#[cfg(test)]
#[path = "trusted_file_tests.rs"]
mod tests;
