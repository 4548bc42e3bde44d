//! `cargo xtask third-party`: runs third-party programs under `pintrace check`. No program may cause an alarm;
//! docs/findings.md explains the other findings.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use crate::vm::guest::GuestExit;
use crate::vm::series::SeriesChoice;
use crate::vm::{self, GuestOptions};

const SCRIPT: &str = include_str!("third_party.sh");

/// The Debian packages of the programs: only sid has a PostgreSQL that uses io_uring.
const PACKAGES: [&str; 7] = [
    "fio",
    "stress-ng",
    "postgresql-18/sid",
    "postgresql-client-18/sid",
    "tzdata/sid",
    "golang-1.24-go/trixie",
    "golang-1.24-src/trixie",
];

/// The programs that the script runs: a program without a report has failed.
const PROGRAMS: [&str; 12] = [
    "fio io_uring",
    "fio libaio",
    "fio psync",
    "fio io_uring fixedbufs",
    "stress-ng vm",
    "stress-ng userfaultfd",
    "stress-ng fork",
    "stress-ng mmap",
    "stress-ng io-uring",
    "stress-ng vm-splice",
    "PostgreSQL",
    "go build",
];

/// Findings that are correct, by program and kind; docs/findings.md explains them.
const EXPLAINED: [(&str, &str); 2] = [
    ("fio io_uring fixedbufs", "mapping-touched"),
    ("PostgreSQL", "mapping-touched"),
];

/// The options of `third-party`.
#[derive(Args)]
pub(crate) struct ThirdPartyTask {
    /// Kernel series
    #[arg(long, value_name = "SERIES", default_value = "6.12")]
    kernel: SeriesChoice,
}

/// The report of `check` on one program.
struct ProgramReport {
    name: String,
    report: Value,
}

/// Reads the output of the guest, and prints the report of each program as soon as the program has ended.
#[derive(Default)]
struct ReportReader {
    /// The bytes after the last complete line.
    rest: Vec<u8>,
    runs: Vec<ProgramReport>,
    /// The lines that are no report, which contain the reason if a program failed.
    other_output: String,
}

impl Write for ReportReader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReportReader {
    fn line(&mut self, line: &str) -> io::Result<()> {
        let mut fields = line.splitn(3, '\t');
        if let (Some("report"), Some(name), Some(json)) = (fields.next(), fields.next(), fields.next()) {
            let run = ProgramReport {
                name: name.to_owned(),
                report: serde_json::from_str(json)?,
            };
            for line in run.lines() {
                println!("{line}");
            }
            if run.failed() {
                print!("{}", self.other_output);
            }
            self.other_output.clear();
            self.runs.push(run);
        } else {
            self.other_output += line;
            self.other_output.push('\n');
        }
        Ok(())
    }
}

impl ThirdPartyTask {
    /// Runs the programs.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut options = GuestOptions::new(self.kernel);
        options.package.extend(PACKAGES.map(str::to_owned));
        // The guest's memory holds a compiler and a database.
        "4G".clone_into(&mut options.mem);
        "2G".clone_into(&mut options.disk);
        options.timeout = std::time::Duration::from_mins(30);
        let mut reader = ReportReader::default();
        let outcome = options.prepare()?.run(SCRIPT, &mut reader)?;
        if !matches!(outcome, GuestExit::Exited(0)) {
            bail!(
                "the run ended early with exit code {}: {}",
                vm::explain(&outcome),
                reader.other_output
            );
        }
        let succeeded = |program: &&str| {
            reader
                .runs
                .iter()
                .any(|run| run.name == **program && !run.failed())
        };
        let failed: Vec<_> = PROGRAMS
            .iter()
            .copied()
            .filter(|program| !succeeded(program))
            .collect();
        let unexplained: usize = reader.runs.iter().map(|run| run.unexplained().count()).sum();
        println!(
            "{} of {} programs succeeded; {unexplained} findings are alarms or not explained in docs/findings.md",
            PROGRAMS.len() - failed.len(),
            PROGRAMS.len()
        );
        if failed.is_empty() && unexplained == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if !failed.is_empty() {
            println!("failed, or did not run: {}", failed.join(", "));
        }
        Ok(ExitCode::FAILURE)
    }
}

impl ProgramReport {
    /// Returns true if the program itself failed. The report of a failed program proves nothing.
    fn failed(&self) -> bool {
        self.report["command_exit_code"] != 0
    }

    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.report["findings"].as_array().into_iter().flatten()
    }

    /// Returns the alarms, and the hazards that docs/findings.md does not explain.
    fn unexplained(&self) -> impl Iterator<Item = &Value> {
        self.findings()
            .filter(|finding| match finding["severity"].as_str() {
                Some("note") => false,
                Some("hazard") => {
                    let kind = finding["kind"].as_str().unwrap_or_default();
                    !EXPLAINED.contains(&(self.name.as_str(), kind))
                }
                _ => true,
            })
    }

    fn lines(&self) -> Vec<String> {
        let losses = self.report["losses"].as_array().into_iter().flatten();
        let losses: Vec<_> = losses
            .map(|loss| format!("{} {}", loss["name"].as_str().unwrap_or("?"), loss["amount"]))
            .collect();
        let count = self.findings().count();
        let mut lines = vec![format!(
            "{:<22} exit code {}, {count} findings{}{}",
            self.name,
            self.report["command_exit_code"],
            if losses.is_empty() { "" } else { ", lost: " },
            losses.join(", ")
        )];
        lines.extend(self.findings().map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or("?").to_owned();
            format!(
                "    {} {} ({}): {} pages, {} times, {}[{}]",
                text("severity"),
                text("kind"),
                finding["trigger"]["operation"].as_str().unwrap_or("-"),
                finding["pages"],
                finding["count"],
                text("comm"),
                finding["pid"]
            )
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, severity: &str) -> ProgramReport {
        let json = format!(
            r#"{{"command_exit_code":0,"losses":[],"findings":[{{"severity":"{severity}","kind":"mapping-touched","pid":7}}]}}"#
        );
        let mut reader = ReportReader::default();
        // The output arrives in pieces of any length.
        for bytes in format!("noise\nreport\t{name}\t{json}\n").as_bytes().chunks(7) {
            reader.write_all(bytes).unwrap();
        }
        reader.runs.remove(0)
    }

    #[test]
    fn alarms_and_unexplained_hazards_count() {
        for (name, severity, expected) in [
            ("fio", "note", 0),
            ("fio", "hazard", 1),
            ("PostgreSQL", "hazard", 0),
            ("PostgreSQL", "alarm", 1),
            ("PostgreSQL", "unheard of", 1),
        ] {
            assert_eq!(
                run(name, severity).unexplained().count(),
                expected,
                "{name} {severity}"
            );
        }
        assert!(run("fio", "hazard").lines()[1].contains("hazard mapping-touched"));
        assert!(!run("fio", "hazard").failed());
    }

    #[test]
    fn lines_that_are_no_report_are_kept_until_the_next_report() {
        let mut reader = ReportReader::default();
        reader.write_all(b"it failed\n").unwrap();
        assert_eq!(
            (reader.runs.len(), reader.other_output.as_str()),
            (0, "it failed\n")
        );
        assert!(reader.write_all(b"report\tfio\tno json\n").is_err());
        reader
            .write_all(b"report\tfio\t{\"command_exit_code\":2}\n")
            .unwrap();
        assert!(reader.runs[0].failed() && reader.other_output.is_empty());
    }
}
