//! The deb and the rpm. The manifest of `pintrace` says which file goes where.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::release::Release;
use crate::{process, workspace};

/// Makes the package for Debian.
pub(super) fn deb(release: &Release, output: &Path) -> Result<PathBuf> {
    let (version, architecture) = (release.version, release.architecture.debian());
    let file = output.join(format!("pintrace_{version}-1_{architecture}.deb"));
    let mut command = cargo(release, &["deb", "--quiet", "--package", "pintrace"]);
    command
        .args([
            "--no-build",
            "--no-strip",
            "--no-separate-debug-symbols",
            "--output",
        ])
        .arg(&file);
    // cargo-deb prints the path of the package.
    process::stdout(&mut command)?;
    Ok(file)
}

/// Makes the package for RPM systems.
pub(super) fn rpm(release: &Release, output: &Path) -> Result<PathBuf> {
    let (version, architecture) = (release.version, release.architecture.as_str());
    let file = output.join(format!("pintrace-{version}-1.{architecture}.rpm"));
    let mut command = cargo(release, &["generate-rpm", "--package", "pintrace"]);
    // The program is static, so it requires nothing.
    command.args(["--auto-req", "disabled", "--output"]).arg(&file);
    process::run(&mut command)?;
    Ok(file)
}

fn cargo(release: &Release, words: &[&str]) -> Command {
    let mut command = workspace::cargo(words);
    command
        .args(["--target", release.architecture.target()])
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    command
}
