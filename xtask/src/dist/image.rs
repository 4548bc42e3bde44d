//! The container image: built by the recipe of the tarball, and its program run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::process;

/// The storage of images, in a temporary folder.
struct ImageStorage(TempDir);

impl ImageStorage {
    /// Returns a command of buildah. The driver needs no rights but those of root: it copies files.
    fn buildah(&self, words: &[&str]) -> Command {
        let folder = self.0.path();
        let mut command = process::program("buildah");
        command
            .args(["--storage-driver", "vfs", "--root"])
            .arg(folder.join("images"))
            .arg("--runroot")
            .arg(folder.join("run"))
            .args(words);
        command
    }

    fn stdout(&self, words: &[&str]) -> Result<String> {
        let text = process::stdout(&mut self.buildah(words))?;
        Ok(text.trim().to_owned())
    }
}

/// Builds the image in the unpacked tarball, and checks its start and its only file.
pub(super) fn check(tarball: &Path) -> Result<String> {
    let storage = ImageStorage(tempfile::tempdir().context("cannot write to the folder of temporary files")?);
    let unpacked = storage.0.path().join("unpacked");
    std::fs::create_dir(&unpacked)?;
    let mut tar = process::program("tar");
    process::run(
        tar.arg("-xf")
            .arg(tarball)
            .args(["--strip-components=1", "-C"])
            .arg(&unpacked),
    )?;
    let mut build = storage.buildah(&["build", "--quiet", "--isolation", "chroot", "--tag", "pintrace"]);
    process::stdout(build.current_dir(&unpacked).arg("."))?;
    let inspected: Value =
        serde_json::from_str(&storage.stdout(&["inspect", "--type", "image", "pintrace"])?)?;
    let config = &inspected["OCIv1"]["config"];
    if config["Entrypoint"] != serde_json::json!(["/usr/bin/pintrace"])
        || config["Cmd"] != serde_json::json!(["serve"])
    {
        bail!("the image starts {} {}", config["Entrypoint"], config["Cmd"]);
    }
    let container = storage.stdout(&["from", "pintrace"])?;
    let program = ["/usr/bin/pintrace", "--version"];
    let version =
        storage.stdout(&[&["run", "--isolation", "chroot", &container, "--"], &program[..]].concat())?;
    let expected = concat!("pintrace ", env!("CARGO_PKG_VERSION"));
    if version != expected {
        bail!("the container printed {version}");
    }
    Ok("built, --version runs in it".to_owned())
}
