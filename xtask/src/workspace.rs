//! This checkout: its folder, and the builds of its binaries.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::process;

/// The target of binaries for guests: static, so that they run on any root file system.
pub(crate) const GUEST_TARGET: &str = "x86_64-unknown-linux-musl";

/// The top folder of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Cargo, run in the top folder of the checkout.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = process::program("cargo");
    command.args(words).current_dir(root());
    command
}

/// Runs cargo with these words and returns the executable of the target with this name.
pub(crate) fn build(name: &str, words: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(words);
    command
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .with_context(|| process::cannot_start(&command))?;
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
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file());
    }
}
