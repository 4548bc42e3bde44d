//! The sums that agree in every document of pintrace: over the processes, over the subsystems, and those of the ledger.

use serde_json::Value;

/// The figures with a sum: the key of a process and of a subsystem, and the key of the balance.
const FIGURES: [(&str, &str); 3] = [
    ("acquired", "ledger_acquired"),
    ("released", "ledger_released"),
    ("pages_held", "ledger_held"),
];

/// Losses that change no figure of pins.
pub(crate) const HARMLESS: [&str; 5] = [
    "name_unread",
    "stack_lost",
    "mm_event_missed",
    "mm_event_table_full",
    "window_missed",
];

/// Returns the sums that disagree in the JSON of `report` or `top`; empty if all agree.
///
/// The sums over processes and over subsystems agree always. They also agree with the ledger, with three exceptions. pintrace
/// reads the totals of the ledger before the accounts ([`is_moving`]). After a loss, the accounts have been corrected and
/// the totals have not ([`is_corrected`]). In mode `scan`, only held pages are known of a process.
pub(crate) fn disagreements(document: &Value) -> Vec<String> {
    let mut found = between_views(document);
    if is_moving(document) || is_corrected(document) {
        return found;
    }
    for (key, of_ledger) in FIGURES {
        if document["mode"] == "scan" && key != "pages_held" {
            continue;
        }
        let processes = sum(elements(&document["processes"]), key);
        let ledger = ledger(&document["balance"], of_ledger);
        if processes != ledger {
            found.push(format!(
                "{key}: the processes have {processes}, the ledger {ledger}"
            ));
        }
    }
    found
}

/// Returns the sums over processes that are not the sums over subsystems.
pub(crate) fn between_views(document: &Value) -> Vec<String> {
    let compared = FIGURES.iter().filter_map(|(key, _)| {
        let processes = sum(elements(&document["processes"]), key);
        let subsystems = sum(elements(&document["subsystems"]), key);
        let differ = processes != subsystems;
        differ.then(|| format!("{key}: the processes have {processes}, the subsystems {subsystems}"))
    });
    compared.collect()
}

/// Returns the sums that disagree in the text of /metrics, which has no metric of a process.
pub(crate) fn disagreements_of_metrics(text: &str) -> Vec<String> {
    let samples = |metric: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(metric));
        let lines = lines.filter(|rest| rest.starts_with([' ', '{']));
        lines
            .filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum::<f64>()
    };
    let held = samples("pintrace_held_pages");
    let ledger = samples("pintrace_ledger_held_pages") + samples("pintrace_preexisting_held_pages");
    let lost = samples("pintrace_lost_total") + samples("pintrace_reconciled_pages_total");
    // Preexisting pins without a known holder belong to no subsystem.
    let agrees = held <= ledger || lost > 0.0;
    let mut found = Vec::new();
    if !agrees {
        found.push(format!("the subsystems hold {held} pages, the ledger {ledger}"));
    }
    found
}

/// Returns true if pages were pinned or released while pintrace took the sample.
fn is_moving(document: &Value) -> bool {
    let moved = |process: &Value| {
        ["acquired_per_second", "released_per_second"]
            .iter()
            .any(|key| process[*key].as_f64().is_some_and(|rate| rate > 0.0))
    };
    document["balance"]["in_flight"] != 0 || elements(&document["processes"]).any(moved)
}

/// Returns true if a loss falsified the totals, or if a reconciliation has changed the accounts.
fn is_corrected(document: &Value) -> bool {
    let losses = document["loss"].as_object();
    let mut losses = losses.into_iter().flatten();
    losses.any(|(reason, count)| !HARMLESS.contains(&reason.as_str()) && *count != 0)
        || document["balance"]["reconciled"] != 0
}

fn ledger(balance: &Value, key: &str) -> i64 {
    let mut total = balance[key].as_i64().unwrap_or_default();
    // Attributed preexisting pins count as held pages of a process, and their releases not as its releases.
    if key == "ledger_held" {
        total += balance["preexisting_attributed"].as_i64().unwrap_or_default();
    }
    total
}

/// Returns the elements of a list, or the values of an object.
fn elements(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(object) => Box::new(object.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Acquired and released pages are `null` for pins that only a scan found.
fn sum<'v>(values: impl Iterator<Item = &'v Value>, key: &str) -> i64 {
    values.map(|value| value[key].as_i64().unwrap_or_default()).sum()
}
