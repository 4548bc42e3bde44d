//! This checkout: the folder, and builds of the binaries.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::process;

/// The target of binaries for guests: static binaries run on any root file system.
pub(crate) const GUEST_TARGET: &str = "x86_64-unknown-linux-musl";

/// Time after which a build says that it runs.
const LONG_BUILD: Duration = Duration::from_secs(3);

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

/// Runs cargo with the arguments `words` and returns the executable of the target `name`. Says so if there is something to
/// build.
pub(crate) fn build(name: &str, words: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(words);
    command
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let (built, end) = mpsc::channel::<()>();
    let message = format!("xtask: building {name} (a first build takes some minutes)");
    thread::spawn(move || {
        if end.recv_timeout(LONG_BUILD) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{message}");
        }
    });
    let output = command
        .output()
        .with_context(|| process::cannot_start(&command))?;
    drop(built);
    if !output.status.success() {
        bail!("{name} does not build: `cargo {}` failed", words.join(" "));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let artifact = text.lines().filter_map(|line| executable(line, name)).next_back();
    artifact.ok_or_else(|| anyhow!("`cargo {}` built no executable {name}", words.join(" ")))
}

/// Builds a package's binary in release for guests.
pub(crate) fn build_for_guest(name: &str) -> Result<PathBuf> {
    build(
        name,
        &[
            "build",
            "--quiet",
            "--release",
            "--target",
            GUEST_TARGET,
            "--package",
            name,
            "--bin",
            name,
        ],
    )
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
