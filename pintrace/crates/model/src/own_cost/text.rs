//! The own cost as labels and words, the same in every view.

use pintrace_events::units::Nanos;
use pintrace_text::counted;

use super::share::{as_float, percent, ratio, shares};
use super::{OwnCost, ProgramPurpose, Runs, SAMPLED_EVERY, SAMPLED_FOR, Statistics};
use crate::snapshot::Snapshot;
use crate::text::{bytes, printable, rate, span};

/// The losses that count skipped calls.
const SKIPPED: [&str; 2] = ["recursion_missed", "mm_event_missed"];

/// A label with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The label.
    pub label: String,
    /// True for a part of the entry above.
    pub is_part: bool,
    /// The words, at most a few sentences.
    pub words: String,
}

impl Entry {
    fn new(label: &str, words: String) -> Self {
        Self {
            label: label.to_owned(),
            is_part: false,
            words,
        }
    }

    fn part(label: &str, words: String) -> Self {
        Self {
            is_part: true,
            ..Self::new(label, words)
        }
    }
}

/// Returns the own cost of a snapshot, with the `most_maps` largest maps.
#[must_use]
pub fn entries(snapshot: &Snapshot, most_maps: usize) -> Vec<Entry> {
    let Some(cost) = &snapshot.own_cost else {
        return vec![Entry::new(
            "own cost",
            "Not measured: a live session has figures after a second, and a recording has none.".to_owned(),
        )];
    };
    let mut entries = Vec::new();
    entries.extend(together(cost));
    entries.extend(run_time(cost, snapshot.time));
    entries.push(process(cost));
    entries.extend(ring(cost));
    entries.push(skipped(snapshot));
    entries.extend(maps(cost, most_maps));
    entries
}

/// Returns the sum of programs and process, as soon as both are known.
fn together(cost: &OwnCost) -> Option<Entry> {
    let measured = cost.run_time.latest.as_ref()?;
    let process = ratio(cost.process.cpu_of_interval, cost.process.interval)?;
    let share = ratio(measured.hooks().time, measured.over)? + process;
    Some(Entry::new("total", shares(share, cost.cpus)))
}

fn run_time(cost: &OwnCost, now: Nanos) -> Vec<Entry> {
    let run_time = &cost.run_time;
    let why = match &run_time.statistics {
        Statistics::Refused(why) => Some(printable(why)),
        _ => None,
    };
    let Some(latest) = &run_time.latest else {
        let (time, period) = (span(SAMPLED_FOR), span(SAMPLED_EVERY));
        let words = match &why {
            Some(why) => format!("Not measured: {why}"),
            None => format!(
                "Not measured yet. The kernel's BPF statistics are on for {time} in every {period} while someone looks."
            ),
        };
        return vec![Entry::new("programs", words)];
    };
    let over = span(latest.over);
    let when = match run_time.statistics {
        Statistics::Continuous => format!("measured without a break, here over {over}"),
        _ => format!("measured over {over}, {}", ago(now.since(run_time.ended))),
    };
    let hooks = ratio(latest.hooks().time, latest.over).unwrap_or_default();
    let mut entries = vec![Entry::new(
        "programs",
        format!("{}; {when}", shares(hooks, cost.cpus)),
    )];
    entries.extend(latest.runs.iter().map(|(purpose, runs)| {
        let words = of_purpose(*purpose, *runs, latest.over);
        Entry::part(purpose.as_str(), words)
    }));
    entries.extend(why.map(|why| Entry::part("from now on", format!("Not measured: {why}"))));
    entries
}

fn ago(since: Nanos) -> String {
    if since.0 < 1_000_000_000 {
        return "just now".to_owned();
    }
    format!("{} ago", span(since))
}

fn of_purpose(purpose: ProgramPurpose, runs: Runs, over: Nanos) -> String {
    if runs.count == 0 {
        return "no run".to_owned();
    }
    let per_run = span(Nanos(runs.time.0 / runs.count));
    let share = percent(ratio(runs.time, over).unwrap_or_default());
    let inside = if purpose.is_hook() {
        ""
    } else {
        ", inside the process"
    };
    format!(
        "{share} of one CPU{inside}, {} runs/s, {per_run} per run",
        rate(as_float(runs.count) / over.as_secs())
    )
}

fn process(cost: &OwnCost) -> Entry {
    let process = &cost.process;
    let share = ratio(process.cpu_of_interval, process.interval)
        .map(|share| format!("{} of one CPU, ", percent(share)))
        .unwrap_or_default();
    let memory = match process.resident {
        Some(resident) => format!("{} resident", bytes(resident)),
        None => "resident memory unknown".to_owned(),
    };
    Entry::new(
        "process",
        format!(
            "{share}{} of CPU time since its start, {memory}",
            span(process.cpu)
        ),
    )
}

fn ring(cost: &OwnCost) -> Option<Entry> {
    let ring = cost.ring?;
    Some(Entry::new(
        "ring buffer",
        format!(
            "{} of {} in use, {} at most since the start",
            bytes(ring.used),
            bytes(ring.size),
            bytes(ring.most)
        ),
    ))
}

fn maps(cost: &OwnCost, most: usize) -> Vec<Entry> {
    let Some(all) = cost.map_bytes() else {
        let words = format!("Memory unknown: {}", printable(&cost.maps_unread));
        return vec![Entry::new("maps", words)];
    };
    let count = cost.maps.values().map(|map| u64::from(map.maps)).sum();
    let mut entries = vec![Entry::new(
        "maps",
        format!("{} in {}", bytes(all), counted(count, "map")),
    )];
    let mut maps: Vec<_> = cost.maps.iter().collect();
    // Maps of one size stay in the order of their names.
    maps.sort_by_key(|(_, map)| std::cmp::Reverse(map.bytes));
    let largest = maps.into_iter().take(most);
    entries.extend(largest.map(|(name, map)| Entry::part(&printable(name), bytes(map.bytes))));
    entries
}

/// Returns the calls that the kernel skipped, which the losses count.
fn skipped(snapshot: &Snapshot) -> Entry {
    let counts = snapshot.loss.iter().filter(|(name, _)| SKIPPED.contains(name));
    let counts: Vec<_> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    Entry::new("skipped", format!("{} (see the losses)", counts.join(", ")))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
