//! The tarballs. Order, owners, times and modes of their files do not depend on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::release::Release;
use super::stage;
use crate::process;

/// Packs the files of the release.
pub(super) fn program(release: &Release, output: &Path) -> Result<PathBuf> {
    let file = output.join(format!("{}.tar.xz", release.name()));
    let mut command = tar(release, &file, &release.name());
    process::run(command.arg("-C").arg(stage::folder()).arg("."))?;
    Ok(file)
}

/// Packs the debug file.
pub(super) fn debug(release: &Release, debug: &Path, output: &Path) -> Result<PathBuf> {
    let name = format!("{}-debug", release.name());
    let file = output.join(format!("{name}.tar.xz"));
    let mut command = tar(release, &file, &name);
    let folder = debug.parent().unwrap_or(Path::new("."));
    process::run(
        command
            .arg("-C")
            .arg(folder)
            .arg(format!("./{}", super::name(debug))),
    )?;
    Ok(file)
}

/// Returns tar, which packs into `file`, below the folder `name`.
fn tar(release: &Release, file: &Path, name: &str) -> Command {
    let mut command = process::program("tar");
    command
        .args(["--create", "--format=ustar", "--sort=name", "--numeric-owner"])
        .args(["--owner=0", "--group=0", "--mode=u+rw,go-w"])
        .arg(format!("--mtime=@{}", release.epoch))
        // Two threads would cut the file into blocks.
        .arg("--use-compress-program=xz -6 -T1")
        .arg(format!("--transform=s,^\\.,{name},"))
        .arg("--file")
        .arg(file);
    command
}
