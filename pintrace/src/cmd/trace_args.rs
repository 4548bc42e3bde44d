//! The options that all tracing commands share, and the start of a session from these options.

use std::path::PathBuf;
use std::time::Duration;

use crate::pipeline::budget::{Budget, longer};
use crate::pipeline::own_cost::watch::LatestCost;
use crate::pipeline::session::Session;
use crate::pipeline::start::{Mode, SessionOptions};
use pintrace_events::{Detail, Event};
use pintrace_kernel::facts::Roots;
use pintrace_probes::options::{FindingsFrom, LoadOptions, WantedFindings};

use super::cannot_trace::CannotTrace;

/// Options of each command that traces.
#[derive(Clone, Debug, clap::Args)]
pub struct TraceArgs {
    /// Read the kernel's types from this raw BTF file instead of /sys/kernel/btf/vmlinux.
    #[arg(long, value_name = "PATH")]
    pub btf: Option<PathBuf>,
    /// The source of the figures. `trace`: hook the kernel's pin functions and see each pin and release. `scan`: read all
    /// struct pages every few seconds and see which pins are held. `auto`: trace, or scan where the kernel refuses
    /// tracing programs.
    #[arg(long, value_name = "MODE", default_value = "auto", value_parser = mode)]
    pub mode: Mode,
    /// The share of one CPU that scans may take: a longer scan is repeated less often.
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = percent)]
    pub scan_budget: f64,
    /// The share of one CPU that pintrace may take, its BPF programs included, such as 1%. Above the budget pintrace gives up
    /// detail until it ends, and says so: first samples are further apart, then the hooks of findings that the kernel calls
    /// often are detached. The totals stay exact.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub budget: Option<f64>,
    /// Do not look for findings: attach no hooks on faults, forks, mapping changes and TLB flushes, and save the cost of
    /// these hooks.
    #[arg(long, conflicts_with_all = ["short_term", "foll_get", "all_windows"])]
    pub no_findings: bool,
    /// The time from which the hooks of findings are attached. `start`: with all other hooks. `pins`: when memory is pinned;
    /// until then the hooks cost nothing, and events during their attachment are not seen. Default: `start` with a command,
    /// else `pins`.
    #[arg(long, value_name = "WHEN", value_parser = findings_from, conflicts_with = "no_findings")]
    pub findings_from: Option<FindingsFrom>,
    /// Findings that need extra hooks.
    #[command(flatten)]
    pub extra: ExtraFindings,
    /// Do not restrict pintrace once its hooks are attached. Without this option, the kernel then refuses pintrace all files
    /// but those of /proc and /sys, new sockets and programs, and dangerous system calls (docs/privileges.md). For a system
    /// on which these restrictions break something: please report it.
    #[arg(long)]
    pub no_sandbox: bool,
    /// Print the debug messages of the eBPF programs to stderr.
    #[cfg(feature = "bpf-log")]
    #[arg(long)]
    pub bpf_log: bool,
    /// Set the number of entries of a map (bytes for RING), such as RING=4096: for tests.
    #[arg(long, value_name = "MAP=N", hide = true, value_parser = map_entries)]
    pub map_entries: Vec<(&'static str, u32)>,
}

impl TraceArgs {
    /// Returns the budget of a session that samples every `interval`, if there is one.
    pub(super) fn budget(&self, interval: Duration, cost: LatestCost) -> Option<Budget> {
        let has = |detail: &Detail| match detail {
            Detail::Samples => longer(interval) > interval,
            Detail::Findings => !self.no_findings,
        };
        let details = Detail::ALL.into_iter().filter(has).collect();
        Some(Budget::new(self.budget?, cost, details))
    }
}

/// Findings that cost more than all other findings.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ExtraFindings {
    /// Keep the addresses of short-term pins too, and find mapping changes of short-term pins. Each short-term pin call
    /// then costs an extent and two records, which slows down direct I/O at full speed.
    #[arg(long)]
    pub short_term: bool,
    /// Follow FOLL_GET references too, which are no pins (vmsplice, MSG_ZEROCOPY, direct I/O up to 6.4), and find pages
    /// that are copied on write while such a reference is held (get-not-pin). The cost is a walk over the pages of each
    /// call that takes FOLL_GET references, and 4 MiB of memory.
    #[arg(long)]
    pub foll_get: bool,
    /// Count the flush windows of processes that have not pinned memory too. Each mprotect of such a process then takes
    /// twice as long.
    #[arg(long)]
    pub all_windows: bool,
}

/// The maps whose size may be set.
const SIZABLE: &[&str] = &[
    "RING",
    "CHUNKS",
    "MULTI_OWNER_FOLIOS",
    "ACCOUNT_IDS",
    "ACCOUNTS",
    "EXTENTS",
    "LONGTERM_CALLS",
    "STACKS",
    "MORE_STACKS",
];

/// Parses a map and its number of entries.
pub(super) fn map_entries(text: &str) -> Result<(&'static str, u32), String> {
    let (name, entries) = text.split_once('=').ok_or("expected MAP=N")?;
    let name = SIZABLE
        .iter()
        .find(|known| **known == name)
        .ok_or_else(|| format!("no map is named {name}; the maps are {}", SIZABLE.join(", ")))?;
    Ok((
        name,
        entries
            .parse()
            .map_err(|_| format!("{entries} is not a number"))?,
    ))
}

/// Parses a duration such as `500ms`, `2s`, `1.5s` or `10m`. A number without a unit counts seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit {unit}; use ms, s, m or h")),
    };
    let seconds = number
        .parse::<f64>()
        .map_err(|_| "expected a duration such as 2s or 500ms".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds * scale)
        .map_err(|_| "expected a duration that is not so long".to_owned())?;
    if duration.is_zero() {
        return Err("expected a duration above zero".to_owned());
    }
    Ok(duration)
}

fn mode(name: &str) -> Result<Mode, String> {
    match name {
        "auto" => Ok(Mode::Auto),
        "trace" => Ok(Mode::Trace),
        "scan" => Ok(Mode::Scan),
        _ => Err("the modes are auto, trace and scan".to_owned()),
    }
}

fn findings_from(name: &str) -> Result<FindingsFrom, String> {
    match name {
        "start" => Ok(FindingsFrom::Start),
        "pins" => Ok(FindingsFrom::Pins),
        _ => Err("expected start or pins".to_owned()),
    }
}

/// Parses a share in per cent, with or without the sign %. Returns a number from 0 to 1.
fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .trim_end_matches('%')
        .parse()
        .map_err(|_| "expected a share such as 5 or 0.5%".to_owned())?;
    if number > 0.0 && number <= 100.0 {
        Ok(number / 100.0)
    } else {
        Err("expected a share above 0 and up to 100 per cent".to_owned())
    }
}

/// Starts a session. The error says why the session cannot start, and names a remedy.
pub fn start(args: &TraceArgs, command: Vec<String>) -> Result<(Session, Vec<Event>), CannotTrace> {
    // A command may pin and then fork at once. References and the windows of other processes do not wait for pins.
    let at_once = !command.is_empty() || args.extra.foll_get || args.extra.all_windows;
    let default_from = if at_once {
        FindingsFrom::Start
    } else {
        FindingsFrom::Pins
    };
    let load = LoadOptions {
        findings: (!args.no_findings).then_some(WantedFindings {
            short_term: args.extra.short_term,
            foll_get: args.extra.foll_get,
            all_windows: args.extra.all_windows,
        }),
        findings_from: args.findings_from.unwrap_or(default_from),
        map_entries: args.map_entries.clone(),
        left_out: Vec::new(),
        #[cfg(feature = "bpf-log")]
        bpf_log: args.bpf_log,
        #[cfg(not(feature = "bpf-log"))]
        bpf_log: false,
    };
    let options = SessionOptions {
        load,
        mode: args.mode,
        scan_budget: args.scan_budget,
        command,
    };
    let roots = Roots::with_btf(args.btf.as_deref());
    Ok(Session::start(&roots, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "0", "2d", "s", "1e400s", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        let long = format!("{}s", "9".repeat(30));
        assert_eq!(
            duration(&long),
            Err("expected a duration that is not so long".to_owned())
        );
    }

    #[test]
    fn shares_are_per_cent() {
        assert_eq!(percent("5"), Ok(0.05));
        assert_eq!(percent("0.5%"), Ok(0.005));
        for bad in ["0", "-1", "101", "x", "nan"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_known_maps_can_be_sized() {
        assert_eq!(map_entries("RING=4096"), Ok(("RING", 4096)));
        assert!(map_entries("RINGS=1").is_err());
        assert!(map_entries("RING").is_err());
    }
}
