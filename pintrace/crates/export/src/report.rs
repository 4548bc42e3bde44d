//! Renders the text of `report`.

use std::sync::Arc;

use pintrace_model::field::header::figure;
use pintrace_model::field::process::{DEFAULT_SORT, ProcessColumn, column, rank, signal_name};
use pintrace_model::field::{grid, subsystem};
use pintrace_model::shed;
use pintrace_model::snapshot::{Process, Snapshot, SubsystemTotals};
use pintrace_model::text;
use pintrace_text::counted;

use super::not_seen::not_seen;
use super::{findings, header, pin_calls};

/// Columns of the table of processes: totals, and no rates.
const COLUMNS: [&str; 10] = [
    "pid",
    "acquired",
    "released",
    "pages_held",
    "bytes_held",
    "longterm_share",
    "oldest",
    "subsystem",
    "state",
    "comm",
];
/// Most processes whose end the report describes; the table lists all processes.
const ENDS: usize = 20;

/// Returns the report, with a line end after each line. `complete` is false for a stream without a last event.
#[must_use]
pub fn render(snapshot: &Snapshot, complete: bool, width: usize) -> String {
    let mut lines = origin(snapshot, complete);
    lines.push(String::new());
    lines.extend(balance(snapshot));
    lines.extend(lost(snapshot));
    lines.extend(subsystems(snapshot, width));
    lines.extend(processes(snapshot, width));
    lines.extend(ends(snapshot));
    lines.extend(pin_calls::section(snapshot, width));
    lines.extend(findings::section(snapshot, width));
    lines.extend(findings::windows(snapshot, width));
    lines.join("\n") + "\n"
}

fn origin(snapshot: &Snapshot, complete: bool) -> Vec<String> {
    let started = &snapshot.started;
    let host = text::printable(&started.host);
    let tool = text::printable(&started.tool);
    let mut lines = vec![
        format!(
            "Recorded on {host}, {}, by pintrace {tool}",
            header::kernel(snapshot)
        ),
        format!(
            "{} from {}, {}",
            text::span(snapshot.duration),
            text::utc(started.wall_ns),
            if complete {
                "complete"
            } else {
                "CUT SHORT: later events are unknown"
            },
        ),
    ];
    if !started.command.is_empty() {
        let code = snapshot.ending.as_ref().and_then(|ending| ending.exit_code);
        let code = code
            .map(|code| format!(" (exit code {code})"))
            .unwrap_or_default();
        lines.push(format!(
            "Command: {}{code}",
            text::printable(&started.command.join(" "))
        ));
    }
    lines.push(format!(
        "Mode: {}, {}",
        text::printable(&started.mode),
        header::probes(snapshot)
    ));
    lines.extend(snapshot.finding_hooks.note());
    lines.extend(shed::note(&snapshot.shed));
    let not_seen = not_seen(&started.missing).into_iter();
    lines.extend(not_seen.map(|text| format!("Not seen: {text}")));
    lines
}

fn balance(snapshot: &Snapshot) -> Vec<String> {
    let shown = |id| figure(id).map_or_else(String::new, |figure| (figure.value)(snapshot).exact());
    let row = |name: &str, acquired, released, held| {
        format!(
            "  {name:<11}{:>12}{:>12}{:>12}",
            shown(acquired),
            shown(released),
            shown(held)
        )
    };
    let lost_pins = match snapshot.balance.lost_pin_released {
        0 => String::new(),
        _ => format!(", lost_pin_released {}", shown("lost_pin_released")),
    };
    let not_in_vmstat = match snapshot.balance.not_in_vmstat {
        0 => String::new(),
        _ => format!(", not_in_vmstat {}", shown("not_in_vmstat")),
    };
    vec![
        format!(
            "{:<13}{:>12}{:>12}{:>12}",
            "Pages", "acquired", "released", "held"
        ),
        row("vmstat", "vmstat_acquired", "vmstat_released", "vmstat_held"),
        row("ledger", "ledger_acquired", "ledger_released", "ledger_held"),
        format!(
            "  {:<11}{:>12}{:>12}{:>12}",
            "preexisting",
            "",
            shown("preexisting_released"),
            shown("preexisting_held")
        ),
        format!(
            "  unaccounted {}, gup_retry {}, ambiguous_owner {}{not_in_vmstat}{lost_pins}",
            shown("unaccounted"),
            shown("gup_retry"),
            shown("ambiguous_owner")
        ),
    ]
}

fn lost(snapshot: &Snapshot) -> Vec<String> {
    let text = if snapshot.lost() == 0 {
        "Nothing was lost.".into()
    } else {
        header::lost(snapshot)
    };
    vec![format!("  {text}")]
}

fn subsystems(snapshot: &Snapshot, width: usize) -> Vec<String> {
    if snapshot.subsystems.is_empty() {
        return Vec::new();
    }
    let columns: Vec<&subsystem::SubsystemColumn> = subsystem::COLUMNS.iter().collect();
    let rows: Vec<&SubsystemTotals> = snapshot.subsystems.iter().collect();
    let mut lines = vec![String::new()];
    lines.extend(grid::lines(
        &columns,
        &rows,
        snapshot.time,
        width,
        grid::Digits::All,
    ));
    lines
}

fn processes(snapshot: &Snapshot, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rows: Vec<&Process> = snapshot.processes.iter().map(Arc::as_ref).collect();
    if let Some(selection) = &snapshot.selection {
        lines.extend(grid::fitted(&selection.sentence(), width));
        if rows.is_empty() {
            return lines;
        }
        lines.push(String::new());
    }
    if rows.is_empty() {
        lines.push("No process pinned memory.".into());
        return lines;
    }
    if let Some(by) = column(DEFAULT_SORT) {
        rows.sort_by(|one, two| rank(by, one, two));
    }
    let columns: Vec<&ProcessColumn> = COLUMNS.iter().filter_map(|id| column(id)).collect();
    lines.extend(grid::lines(
        &columns,
        &rows,
        snapshot.time,
        width,
        grid::Digits::All,
    ));
    lines
}

/// Processes that ended while they held pins, largest first.
fn ends(snapshot: &Snapshot) -> Vec<String> {
    let mut ended: Vec<(u64, &Process)> = snapshot
        .processes
        .iter()
        .map(Arc::as_ref)
        .filter_map(|process| Some((process.ended?.pages_held, process)))
        .filter(|(pages_held, _)| *pages_held > 0)
        .collect();
    ended.sort_by_key(|(pages_held, process)| (std::cmp::Reverse(*pages_held), process.pid));
    let mut lines: Vec<String> = ended
        .iter()
        .take(ENDS)
        .filter_map(|(_, process)| end(process))
        .collect();
    if ended.len() > ENDS {
        lines.push(format!(
            "... and {} ended while holding pages.",
            counted((ended.len() - ENDS) as u64, "more process")
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

fn end(process: &Process) -> Option<String> {
    let ended = process.ended?;
    let how = match ended.signal {
        0 => format!("ended with status {}", ended.status),
        signal => format!("was killed by {}", signal_name(signal)),
    };
    let after = match process.pages_held {
        0 => "all pages were released later".into(),
        held => format!("still held: {}", counted(held, "page")),
    };
    let comm = text::printable(&process.comm);
    Some(format!(
        "{comm} ({}) {how} while holding {}; {after}.",
        process.pid.0,
        counted(ended.pages_held, "page")
    ))
}
