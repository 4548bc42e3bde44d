//! This checkout: the folder, and builds of the binaries.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::process;
use crate::vm::architecture::Architecture;

/// The target of binaries for guests: static binaries run on any root file system.
pub(crate) const GUEST_TARGET: &str = "x86_64-unknown-linux-musl";

/// Time after which a build says that it runs.
const LONG_BUILD: Duration = Duration::from_secs(3);
/// Time after which it says so again.
const NEXT_REPORT: Duration = Duration::from_mins(1);

/// Returns the top folder of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Returns cargo as a command in the top folder of the checkout.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = process::program("cargo");
    command.args(words).current_dir(root());
    command
}

/// Runs cargo with the arguments `words` and returns the executable of the target `name`. On a terminal, cargo shows its
/// progress. Elsewhere a build that takes longer than a moment prints a line when it begins, a line each minute, and a line
/// with its time when it has ended.
pub(crate) fn build(name: &str, words: &[&str]) -> Result<PathBuf> {
    built(name, cargo(words))
}

/// Runs a command of cargo, as [`build`] does.
fn built(name: &str, mut command: Command) -> Result<PathBuf> {
    command
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = if std::io::stderr().is_terminal() {
        command.output()
    } else {
        let start = Instant::now();
        let reports = report(name.to_owned());
        let output = command.arg("--quiet").output();
        drop(reports);
        if start.elapsed() >= LONG_BUILD {
            eprintln!("xtask: built {name} in {} s", start.elapsed().as_secs());
        }
        output
    };
    let output = output.with_context(|| process::cannot_start(&command))?;
    if !output.status.success() {
        bail!("{name} does not build: `{}` failed", process::line(&command));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let artifact = text.lines().filter_map(|line| executable(line, name)).next_back();
    artifact.ok_or_else(|| anyhow!("`{}` built no executable {name}", process::line(&command)))
}

/// Prints that the build of `name` runs, until the result is dropped.
fn report(name: String) -> mpsc::Sender<()> {
    let (built, end) = mpsc::channel();
    thread::spawn(move || {
        let start = Instant::now();
        let mut next = LONG_BUILD;
        let mut note = " (a first build takes some minutes)".to_owned();
        while end.recv_timeout(next) == Err(RecvTimeoutError::Timeout) {
            eprintln!("xtask: building {name}{note}");
            next = NEXT_REPORT;
            note = format!(", for {} s", (start.elapsed() + next).as_secs());
        }
    });
    built
}

/// Builds a package's binary in release for guests with this processor.
pub(crate) fn build_for_guest(name: &str, architecture: Architecture) -> Result<PathBuf> {
    let target = architecture.target();
    let words = [
        "build",
        "--release",
        "--target",
        target,
        "--package",
        name,
        "--bin",
        name,
    ];
    let mut command = cargo(&words);
    architecture.set_compiler(&mut command);
    built(name, command)
}

/// Returns the folder of the pinned compiler.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let mut rustc = process::program("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(root());
    Ok(PathBuf::from(process::stdout(&mut rustc)?.trim()))
}

/// Returns the folders of all packages of the workspace.
pub(crate) fn package_folders() -> Result<Vec<PathBuf>> {
    let metadata = process::stdout(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` printed no JSON")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifests = packages.filter_map(|package| package["manifest_path"].as_str());
    let folders = manifests.filter_map(|path| Path::new(path).parent());
    Ok(folders.map(Path::to_owned).collect())
}

/// Returns the names of the packages in pintrace/crates.
pub(crate) fn crates() -> Result<Vec<String>> {
    let metadata = process::stdout(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let names = packages_in(&root().join("pintrace/crates"), &metadata)?;
    if names.is_empty() {
        bail!("pintrace/crates has no package");
    }
    Ok(names)
}

fn packages_in(folder: &Path, metadata: &str) -> Result<Vec<String>> {
    let metadata: Value = serde_json::from_str(metadata).context("`cargo metadata` printed no JSON")?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let is_inside = |package: &&Value| {
        let manifest = package["manifest_path"].as_str();
        manifest.is_some_and(|path| Path::new(path).starts_with(folder))
    };
    let names = packages
        .filter(is_inside)
        .filter_map(|package| package["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn executable(line: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    (message["target"]["name"] == name).then_some(())?;
    message["executable"].as_str().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"guest"},"executable":"/x/guest-1"}"#;
        assert_eq!(executable(line, "guest"), Some(PathBuf::from("/x/guest-1")));
        assert_eq!(executable(line, "other"), None);
        assert_eq!(
            executable(r#"{"target":{"name":"guest"},"executable":null}"#, "guest"),
            None
        );
    }

    #[test]
    fn packages_are_listed_by_folder() {
        let metadata = r#"{"packages":[{"name":"a","manifest_path":"/x/crates/a/Cargo.toml"},
            {"name":"top","manifest_path":"/x/Cargo.toml"}]}"#;
        assert_eq!(packages_in(Path::new("/x/crates"), metadata).unwrap(), ["a"]);
        assert!(packages_in(Path::new("/x"), "no JSON").is_err());
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file());
    }
}
