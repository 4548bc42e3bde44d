//! The files of a release in one folder, from which tarball, deb and rpm are made. The manifest of `pintrace` names the
//! places of these files in a deb and in an rpm, so the folder is the same for each processor.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::release::{self, Release};
use crate::{process, workspace};

/// The maintainer of the packages, as in the manifest of `pintrace`.
const MAINTAINER: &str = "The pintrace authors <pintrace@pintrace.invalid>";

/// Files of the checkout, and their names in the folder.
const COPIED: [(&str, &str); 8] = [
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("dashboards/pintrace.json", "dashboards/pintrace.json"),
    ("dashboards/alerts.yml", "dashboards/alerts.yml"),
    ("packaging/Containerfile", "Containerfile"),
    ("packaging/pintrace.default", "pintrace.default"),
];

/// The ends of the files of the book that are copied.
const PAGES: [&str; 3] = ["md", "svg", "pintrace"];

/// The shells, and the names of their completions.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "pintrace.bash"),
    ("zsh", "_pintrace"),
    ("fish", "pintrace.fish"),
];

/// Returns the folder.
pub(super) fn folder() -> PathBuf {
    release::folder("stage")
}

/// Returns the folder of the files that only one of the files of a release contains.
pub(super) fn beside() -> PathBuf {
    release::folder("beside")
}

/// Fills the folder, in which the program lies already. `generator` is the same program for this machine.
pub(super) fn fill(release: &Release, generator: &Path) -> Result<()> {
    let stage = folder();
    for (source, name) in COPIED {
        super::copy(&workspace::root().join(source), &stage.join(name))?;
    }
    copy_pages(&workspace::root().join("docs"), &stage.join("docs"))?;
    let units = workspace::root().join("packaging/systemd");
    let entries = fs::read_dir(&units).with_context(|| format!("cannot read {}", units.display()))?;
    for unit in entries {
        let unit = unit?;
        super::copy(&unit.path(), &stage.join("systemd").join(unit.file_name()))?;
    }
    let mut man = process::program(generator);
    process::run(man.args(["generate", "man", "--output"]).arg(stage.join("man")))?;
    for (shell, name) in COMPLETIONS {
        let text = process::stdout(process::program(generator).args(["generate", "completions", shell]))?;
        write(&stage.join("completions").join(name), &text)?;
    }
    let configuration = process::stdout(process::program(generator).args(["generate", "config"]))?;
    write(&stage.join("config.toml"), &configuration)?;
    write(&beside().join("changelog.Debian"), &changelog(release)?)?;
    set_modes(&stage)
}

/// Copies the pages of the book, their pictures, and the recording of the pictures.
fn copy_pages(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = super::name(&path);
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        if path.is_dir() {
            copy_pages(&path, &to.join(name))?;
        } else if PAGES.contains(&end) {
            super::copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

/// Returns a changelog in Debian's format, which names the version of the package.
fn changelog(release: &Release) -> Result<String> {
    let mut date = process::program("date");
    date.args(["-u", "-R", "-d"])
        .arg(format!("@{}", release.epoch))
        .env("LC_ALL", "C");
    Ok(format!(
        "pintrace ({}-1) unstable; urgency=medium\n\n  * Version {}.\n\n -- {}  {}\n",
        release.version,
        release.version,
        MAINTAINER,
        process::stdout(&mut date)?.trim()
    ))
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Sets the modes that do not depend on the umask of this machine.
fn set_modes(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_folder = path.is_dir();
        let is_program = super::name(&path) == "pintrace";
        let mode = if is_folder || is_program { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot change the mode of {}", path.display()))?;
        if is_folder {
            set_modes(&path)?;
        }
    }
    Ok(())
}
