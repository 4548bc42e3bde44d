//! The file of the report. `check` opens the file before the command starts, and changes the file only to write a
//! report.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A file that a report will be written to.
pub(super) struct ReportFile {
    path: PathBuf,
    file: File,
    /// This process created the file, so the file is removed if no report is written.
    created: bool,
    written: bool,
}

impl ReportFile {
    /// Opens the file and keeps its content.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        let opened = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                options.open(path).map(|file| (file, false))
            }
            other => other.map(|file| (file, true)),
        };
        let named = || {
            format!(
                "{}: cannot be written; choose another file with --report-file FILE",
                path.display()
            )
        };
        let (file, created) = opened.with_context(named)?;
        Ok(Self {
            path: path.into(),
            file,
            created,
            written: false,
        })
    }

    /// Replaces the content of the file by the report.
    pub(super) fn write(mut self, report: &str) -> anyhow::Result<()> {
        let written = self.replace(report);
        written.with_context(|| format!("{}: the report cannot be written", self.path.display()))?;
        self.written = true;
        Ok(())
    }

    fn replace(&mut self, report: &str) -> io::Result<()> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(report.as_bytes())
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if self.created && !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
