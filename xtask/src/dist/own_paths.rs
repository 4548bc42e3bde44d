//! Checks that a shipped file names no folder of the machine that built it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::build;
use crate::workspace;

/// Fails if the file contains the checkout, the folders of cargo and of the compiler, or the home folder.
pub(super) fn check(file: &Path) -> Result<()> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let folders = [
        workspace::root().to_owned(),
        build::cargo_home()?,
        workspace::sysroot()?,
    ];
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    for folder in folders.into_iter().chain(home) {
        if let Some(text) = found(&content, &folder) {
            bail!("{} contains a path of this machine: {text}", super::name(file));
        }
    }
    Ok(())
}

/// Returns the first text that begins with a path in the folder.
fn found(content: &[u8], folder: &Path) -> Option<String> {
    let folder = format!("{}/", folder.to_string_lossy().trim_end_matches('/'));
    // A folder `/` is no trace of a machine.
    if folder == "/" {
        return None;
    }
    let place = content
        .windows(folder.len())
        .position(|window| window == folder.as_bytes())?;
    let text = content[place..].iter().take_while(|byte| byte.is_ascii_graphic());
    Some(text.take(200).map(|byte| char::from(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_is_found() {
        let content = b"\0\x01/home/me/src/main.rs\0/usr/src/pintrace/lib.rs";
        assert_eq!(
            found(content, Path::new("/home/me")).unwrap(),
            "/home/me/src/main.rs"
        );
        assert_eq!(found(content, Path::new("/home/m")), None);
        assert_eq!(found(content, Path::new("/")), None);
    }

    #[test]
    fn a_file_with_the_path_of_the_checkout_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            file.path(),
            workspace::root().join("xtask").to_string_lossy().as_bytes(),
        )
        .unwrap();
        assert!(
            check(file.path())
                .unwrap_err()
                .to_string()
                .contains("path of this machine")
        );
        fs::write(file.path(), "/usr/src/pintrace/xtask").unwrap();
        check(file.path()).unwrap();
    }
}
