//! The files that each guest of the tests needs. The programs are as they were when the tests began: a change of the sources gives
//! no later guest other programs than its tests.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::promtool;
use crate::vm::GuestFile;
use crate::vm::architecture::Architecture;
use crate::workspace;

/// The folder of README.md and the book, whose commands a test runs.
const BOOK: &str = "usr/local/share/book";

/// The files, in a temporary folder.
pub(super) struct GuestPrograms {
    files: Vec<GuestFile>,
    /// Keeps the copies.
    _folder: TempDir,
}

impl GuestPrograms {
    /// Builds the programs, with Prometheus if a test runs it.
    pub(super) fn build(with_prometheus: bool) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot write to the folder of temporary files")?;
        let copied = |program: &Path, name: &str| -> Result<GuestFile> {
            let copy = folder.path().join(name);
            std::fs::copy(program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
            Ok(GuestFile::new(copy, &format!("usr/local/bin/{name}")))
        };
        let of_pintrace = |name: &str, words: &[&str]| -> Result<GuestFile> {
            let static_pintrace = [
                "--release",
                "--target",
                workspace::GUEST_TARGET,
                "--package",
                "pintrace",
            ];
            copied(
                &workspace::build(name, &[words, &static_pintrace].concat())?,
                name,
            )
        };
        let program = |name: &str| copied(&workspace::build_for_guest(name, Architecture::X86)?, name);
        let mut files = vec![
            of_pintrace("guest", &["test", "--no-run", "--test", "guest"])?,
            of_pintrace("panicking_top", &["build", "--example", "panicking_top"])?,
            program("pintrace")?,
            program("pinload")?,
            GuestFile::new(promtool::obtain()?, "usr/local/bin/promtool"),
            GuestFile::new(workspace::root().join("README.md"), &format!("{BOOK}/README.md")),
            GuestFile::new(workspace::root().join("docs"), &format!("{BOOK}/docs")),
        ];
        if with_prometheus {
            files.push(GuestFile::new(
                promtool::prometheus()?,
                "usr/local/bin/prometheus",
            ));
        }
        Ok(Self {
            files,
            _folder: folder,
        })
    }

    /// Returns the files.
    pub(super) fn files(&self) -> &[GuestFile] {
        &self.files
    }
}
