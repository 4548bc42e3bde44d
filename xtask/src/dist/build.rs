//! The release build: a static program that names no path of this machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::release::Release;
use crate::vm::architecture::Architecture;
use crate::{process, workspace};

/// The folder of the sources in debug information, where debuggers look for it.
const SOURCES: &str = "/usr/src/pintrace";
/// The folder of the sources of dependencies.
const DEPENDENCIES: &str = "/usr/src/registry";

/// Builds the program in `folder` and returns its path.
pub(super) fn program(release: &Release, folder: &Path) -> Result<PathBuf> {
    let target = release.architecture.target();
    let remaps = remaps(folder)?;
    let words = [
        "build",
        "--locked",
        "--release",
        "--target",
        target,
        "--package",
        "pintrace",
        "--bin",
        "pintrace",
        "--target-dir",
    ];
    let mut command = workspace::cargo(&words);
    command
        .arg(folder)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(&remaps))
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    compiler(release.architecture, &remaps, &mut command);
    process::run(&mut command)?;
    Ok(folder.join(target).join("release/pintrace"))
}

/// A folder of this machine, and the folder that takes its place in the program.
struct Remap {
    from: PathBuf,
    to: String,
}

/// Returns the folders whose names may end up in the program. A later one wins over an earlier one.
fn remaps(build: &Path) -> Result<Vec<Remap>> {
    let remap = |from: PathBuf, to: String| Remap { from, to };
    let mut remaps = vec![
        remap(workspace::root().to_owned(), SOURCES.to_owned()),
        remap(build.to_owned(), format!("{SOURCES}/target")),
    ];
    let registry = cargo_home()?.join("registry/src");
    let mut registries = fs::read_dir(&registry)
        .with_context(|| format!("cannot read {}", registry.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    registries.sort();
    remaps.extend(
        registries
            .into_iter()
            .map(|folder| remap(folder, DEPENDENCIES.to_owned())),
    );
    // The standard library of the component rust-src, by the name that the precompiled library has.
    let sources = workspace::sysroot()?.join("lib/rustlib/src/rust");
    remaps.push(remap(sources, format!("/rustc/{}", compiler_commit()?)));
    Ok(remaps)
}

fn rustflags(remaps: &[Remap]) -> OsString {
    let mut flags = OsString::new();
    for Remap { from, to } in remaps {
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
        flags.push("\x1f");
    }
    // The id by which debuggers find the debug file.
    flags.push("-Clink-arg=-Wl,--build-id=sha1");
    flags
}

/// Sets the compiler of C code and the linker.
fn compiler(architecture: Architecture, remaps: &[Remap], command: &mut Command) {
    let flags: Vec<String> = remaps
        .iter()
        .filter(|remap| remap.to == DEPENDENCIES)
        .map(|remap| format!("-ffile-prefix-map={}={}", remap.from.display(), remap.to))
        .collect();
    let target = architecture.target().replace('-', "_");
    command.env(format!("CFLAGS_{target}"), flags.join(" "));
    architecture.set_compiler(command);
}

/// Returns the folder of cargo's downloads and programs.
pub(super) fn cargo_home() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").filter(|folder| !folder.is_empty());
    let in_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    named
        .map(PathBuf::from)
        .or_else(in_home)
        .context("cargo has no folder: set CARGO_HOME")
}

fn compiler_commit() -> Result<String> {
    let mut rustc = process::program("rustc");
    rustc.arg("-vV").current_dir(workspace::root());
    let text = process::stdout(&mut rustc)?;
    let commit = text.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    commit.map(str::to_owned).context("rustc names no commit")
}
