//! `cargo xtask others`: programs that nobody wrote for pintrace, under `pintrace check`. None of them may raise an alarm,
//! and what is found besides is explained in docs/findings.md.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use crate::vm::guest::Outcome;
use crate::vm::series::Wanted;
use crate::vm::{self, GuestOptions};

const SCRIPT: &str = include_str!("others.sh");

/// What brings the programs: a PostgreSQL that uses io_uring is in sid alone.
const PACKAGES: [&str; 7] = [
    "fio",
    "stress-ng",
    "postgresql-18/sid",
    "postgresql-client-18/sid",
    "tzdata/sid",
    "golang-1.24-go/trixie",
    "golang-1.24-src/trixie",
];

/// What the script runs: one that is not heard of has failed.
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

/// Findings that are no mistake of ours, by program and kind: docs/findings.md says why.
const EXPLAINED: [(&str, &str); 2] = [
    ("fio io_uring fixedbufs", "mapping-touched"),
    ("PostgreSQL", "mapping-touched"),
];

/// The options of `others`.
#[derive(Args)]
pub(crate) struct Others {
    /// Kernel series
    #[arg(long, value_name = "SERIES", default_value = "6.12")]
    kernel: Wanted,
}

/// What one program did under `check`.
struct Run {
    name: String,
    report: Value,
}

/// Takes what the guest prints, and tells of each program as soon as it has ended.
#[derive(Default)]
struct Teller {
    /// Since the last whole line.
    rest: Vec<u8>,
    runs: Vec<Run>,
    /// What is no report: why a program failed.
    said: String,
}

impl Write for Teller {
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

impl Teller {
    fn line(&mut self, line: &str) -> io::Result<()> {
        let mut fields = line.splitn(3, '\t');
        if let (Some("report"), Some(name), Some(json)) = (fields.next(), fields.next(), fields.next()) {
            let run = Run {
                name: name.to_owned(),
                report: serde_json::from_str(json)?,
            };
            for line in run.lines() {
                println!("{line}");
            }
            if run.failed() {
                print!("{}", self.said);
            }
            self.said.clear();
            self.runs.push(run);
        } else {
            self.said += line;
            self.said.push('\n');
        }
        Ok(())
    }
}

impl Others {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut options = GuestOptions::new(self.kernel);
        options.package.extend(PACKAGES.map(str::to_owned));
        // A compiler and a database lie in memory.
        "4G".clone_into(&mut options.mem);
        "2G".clone_into(&mut options.disk);
        options.timeout = std::time::Duration::from_mins(30);
        let mut teller = Teller::default();
        let outcome = options.prepare()?.run(SCRIPT, &mut teller)?;
        if !matches!(outcome, Outcome::Exited(0)) {
            bail!(
                "broke off with exit code {}: {}",
                vm::explain(&outcome),
                teller.said
            );
        }
        let well = |program: &&str| {
            teller
                .runs
                .iter()
                .any(|run| run.name == **program && !run.failed())
        };
        let failed: Vec<_> = PROGRAMS
            .iter()
            .copied()
            .filter(|program| !well(program))
            .collect();
        let unexplained: usize = teller.runs.iter().map(|run| run.unexplained().count()).sum();
        println!(
            "{} of {} programs ended well; {unexplained} findings are alarms, or explained nowhere",
            PROGRAMS.len() - failed.len(),
            PROGRAMS.len()
        );
        if failed.is_empty() && unexplained == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if !failed.is_empty() {
            println!("not well, or not at all: {}", failed.join(", "));
        }
        Ok(ExitCode::FAILURE)
    }
}

impl Run {
    /// The program itself did not do what it was to do: then nothing is proven.
    fn failed(&self) -> bool {
        self.report["command_exit_code"] != 0
    }

    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.report["findings"].as_array().into_iter().flatten()
    }

    /// Alarms, and hazards that docs/findings.md does not explain.
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

    fn run(name: &str, severity: &str) -> Run {
        let json = format!(
            r#"{{"command_exit_code":0,"losses":[],"findings":[{{"severity":"{severity}","kind":"mapping-touched","pid":7}}]}}"#
        );
        let mut teller = Teller::default();
        // As it comes: cut anywhere.
        for bytes in format!("noise\nreport\t{name}\t{json}\n").as_bytes().chunks(7) {
            teller.write_all(bytes).unwrap();
        }
        teller.runs.remove(0)
    }

    #[test]
    fn alarms_count_and_so_do_hazards_that_nobody_explained() {
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
    fn what_is_no_report_is_kept_for_the_next() {
        let mut teller = Teller::default();
        teller.write_all(b"it failed\n").unwrap();
        assert_eq!((teller.runs.len(), teller.said.as_str()), (0, "it failed\n"));
        assert!(teller.write_all(b"report\tfio\tno json\n").is_err());
        teller
            .write_all(b"report\tfio\t{\"command_exit_code\":2}\n")
            .unwrap();
        assert!(teller.runs[0].failed() && teller.said.is_empty());
    }
}
