//! `cargo xtask others`: programs that nobody wrote for pintrace, under `pintrace check`. None of them may raise an alarm,
//! and what is found besides is explained in docs/findings.md.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::vm::guest::Outcome;
use crate::vm::series::Wanted;
use crate::vm::{self, GuestOptions};

const SCRIPT: &str = include_str!("others.sh");

/// What brings the programs. Debian 13 and sid have versions that use io_uring.
const PACKAGES: [&str; 7] = [
    "fio",
    "stress-ng",
    "postgresql-18/sid",
    "postgresql-client-18/sid",
    "tzdata/sid",
    "golang-1.24-go/trixie",
    "golang-1.24-src/trixie",
];

/// Findings that are no mistake of ours, by program and kind: docs/findings.md says why.
const EXPLAINED: [(&str, &str); 1] = [("PostgreSQL", "mapping-touched")];

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

impl Others {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut options = GuestOptions::new(self.kernel);
        options.package.extend(PACKAGES.map(str::to_owned));
        // A compiler and a database lie in memory.
        "4G".clone_into(&mut options.mem);
        "2G".clone_into(&mut options.disk);
        options.timeout = std::time::Duration::from_mins(30);
        let mut printed = Vec::new();
        let outcome = options.prepare()?.run(SCRIPT, &mut printed)?;
        let text = String::from_utf8_lossy(&printed);
        if !matches!(outcome, Outcome::Exited(0)) {
            bail!("broke off with exit code {}: {text}", vm::explain(&outcome));
        }
        let mut unexplained = 0;
        for run in runs(&text)? {
            for line in run.lines() {
                println!("{line}");
            }
            unexplained += run.unexplained().count();
        }
        Ok(if unexplained == 0 {
            ExitCode::SUCCESS
        } else {
            println!("{unexplained} findings that are alarms, or explained nowhere");
            ExitCode::FAILURE
        })
    }
}

impl Run {
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
                finding["touch"]["what"].as_str().unwrap_or("-"),
                finding["pages"],
                finding["count"],
                text("comm"),
                finding["pid"]
            )
        }));
        lines
    }
}

fn runs(text: &str) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for line in text.lines() {
        let mut fields = line.trim_end().splitn(3, '\t');
        if let (Some("report"), Some(name), Some(json)) = (fields.next(), fields.next(), fields.next()) {
            runs.push(Run {
                name: name.to_owned(),
                report: serde_json::from_str(json).with_context(|| format!("the report of {name}"))?,
            });
        }
    }
    if runs.is_empty() {
        bail!("nothing ran: {text}");
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, severity: &str) -> Run {
        let json = format!(
            r#"{{"command_exit_code":0,"losses":[],"findings":[{{"severity":"{severity}","kind":"mapping-touched","pid":7}}]}}"#
        );
        runs(&format!("noise\nreport\t{name}\t{json}\n"))
            .unwrap()
            .remove(0)
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
        assert!(runs("nothing").is_err());
    }
}
