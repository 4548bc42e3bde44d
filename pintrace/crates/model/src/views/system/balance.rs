//! Every term of the balance, in the order of the equation, then the sums behind the terms.

use crate::field::header;
use crate::field::header::{Figure, figure};
use crate::snapshot::Snapshot;

use super::{SystemGroup, SystemRow};

/// The terms: vmstat = preexisting + ledger + `in_flight` + unaccounted.
const TERMS: [(&str, &str); 5] = [
    ("", "vmstat_held"),
    ("= ", "preexisting_held"),
    ("+ ", "ledger_held"),
    ("+ ", "in_flight"),
    ("+ ", "unaccounted"),
];
/// The terms in mode scan. A scan does not know which pins are older than the session.
const TERMS_OF_SCAN: [(&str, &str); 3] = [("", "vmstat_held"), ("= ", "ledger_held"), ("+ ", "unaccounted")];
/// Figures of the header that are no part of the balance.
const OTHERS: [&str; 4] = ["duration", "processes", "oldest", "lost"];

pub(super) fn rows(snapshot: &Snapshot) -> Vec<SystemRow> {
    if snapshot.started.mode == "scan" {
        // A scan counts no pins and releases, and the counters of the kernel are then those since boot.
        let terms = TERMS_OF_SCAN.iter();
        return terms.filter_map(|(sign, id)| term(sign, id, snapshot)).collect();
    }
    let is_term = |id: &str| TERMS.iter().any(|(_, term)| *term == id);
    let sums = header::FIGURES
        .iter()
        .filter(|sum| !is_term(sum.id) && !OTHERS.contains(&sum.id));
    let terms = TERMS.iter().filter_map(|(sign, id)| term(sign, id, snapshot));
    terms
        .chain(sums.map(|sum| row("", sum, snapshot).part()))
        .collect()
}

fn term(sign: &str, id: &str, snapshot: &Snapshot) -> Option<SystemRow> {
    let balance = &snapshot.balance;
    let is_alarm = id == "unaccounted" && (!balance.vmstat_readable || balance.unaccounted != 0);
    Some(row(sign, figure(id)?, snapshot).alarm_if(is_alarm))
}

fn row(sign: &str, figure: &Figure, snapshot: &Snapshot) -> SystemRow {
    let scans = snapshot.started.mode == "scan";
    let (title, help) = match figure.id {
        "ledger_held" if scans => ("scan", "Pages that the latest scan found pinned."),
        _ => (figure.title, figure.help),
    };
    SystemRow::new(
        SystemGroup::Balance,
        format!("{sign}{title}"),
        (figure.value)(snapshot).into_owned(),
        help,
    )
}
