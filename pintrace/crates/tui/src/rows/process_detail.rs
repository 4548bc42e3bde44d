//! One process: name, figures, pages over time, findings, holders, call sites, extents and threads.

use std::sync::Arc;

use ratatui::text::{Line, Span};

use pintrace_model::field::process::{COLUMNS, signal_name};
use pintrace_model::field::{Field, holder, pin};
use pintrace_model::locked_memory;
use pintrace_model::snapshot::{Process, Snapshot, Thread};
use pintrace_model::text;
use pintrace_model::views::holders::{self, HolderRow};
use pintrace_model::views::pin_list::PinRow;
use pintrace_text::{counted, cut};

use super::super::flow::{self, pair};
use super::super::stack;
use super::super::table::Scene;
use super::super::theme::Theme;
use super::figures::{self, figures, heading, over_time, paragraph};
use super::hold_times;

/// Most extents, threads and stacks that are listed.
const MOST: usize = 50;
/// Most frames of a stack that are listed.
const FRAMES: usize = 12;

/// Returns the lines about a process, the most important first.
pub(super) fn lines(process: &Arc<Process>, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let Scene {
        snapshot,
        history,
        theme,
        ..
    } = *scene;
    let now = snapshot.time;
    let mut lines = vec![title(process, snapshot, theme)];
    lines.extend(findings(process, scene, width));
    let until_now = history.of_process(process).filter(|sample| sample.time <= now);
    lines.extend(over_time(until_now, width, theme));
    let columns: Vec<_> = COLUMNS.iter().collect();
    lines.extend(figures(&columns, process, now, width, theme));
    lines.extend(shares(process, width, theme));
    for words in [&process.cmdline, &process.cgroup] {
        if !words.is_empty() {
            let words = text::printable(words);
            lines.push(Line::styled(cut(&words, width).into_owned(), theme.dim()));
        }
    }
    lines.extend(limit(process, scene, width));
    // A process may hold very many extents, and each of these parts looks at all of them. Rows that do not fit are not
    // made.
    let parts: [&dyn Fn(usize) -> Vec<Line<'static>>; 5] = [
        &|rows| held_through(process, snapshot, rows, width, theme),
        &|rows| extents(process, scene, rows, width),
        &|_| hold_times::lines(process, now, width, theme),
        &|_| stacks(process, width, theme),
        &|_| threads(process, width, theme),
    ];
    for part in parts {
        // A note takes the place of the last visible line if there are more.
        if let Some(room) = scene.visible.checked_sub(lines.len()) {
            lines.extend(part(MOST.min(room.saturating_add(1))));
        }
    }
    lines
}

fn title(process: &Process, snapshot: &Snapshot, theme: Theme) -> Line<'static> {
    let mut title = vec![
        Span::styled(text::printable(&process.comm), theme.strong()),
        Span::styled(format!("  pid {}", process.pid.0), theme.plain()),
    ];
    if let Some(uid) = process.uid {
        title.push(Span::styled(format!("  uid {uid}"), theme.plain()));
    }
    if let Some(ended) = process.ended {
        let how = if ended.signal == 0 {
            format!("exit {}", ended.status)
        } else {
            signal_name(ended.signal).into()
        };
        let ago = text::span(snapshot.time.since(ended.time));
        let held = counted(ended.pages_held, "page");
        title.push(Span::styled(
            format!("  † ended {ago} ago, {how}, held {held} then"),
            theme.strong(),
        ));
    }
    Line::from(title)
}

/// Returns a line for each kind of finding about the process.
fn findings(process: &Process, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let Scene { snapshot, theme, .. } = *scene;
    let key = scene.keys.key_of("findings of row");
    let of_process = snapshot.findings.iter().filter(|found| found.pid == process.pid);
    let mut titles: Vec<(String, Line<'static>)> = Vec::new();
    for found in of_process {
        let title = found.title();
        if titles.iter().all(|(shown, _)| *shown != title) {
            let severity = found.severity.as_str();
            let words = format!(" {title} ({key})");
            let words = cut(&words, width.saturating_sub(severity.len() + 2)).into_owned();
            let line = Line::from(vec![
                Span::styled(format!("! {severity}"), theme.severity(found.severity)),
                Span::styled(words, theme.plain()),
            ]);
            titles.push((title, line));
        }
    }
    titles.into_iter().map(|(_, line)| line).collect()
}

/// Returns the pages by subsystem and by evidence.
fn shares(process: &Process, width: usize, theme: Theme) -> Vec<Line<'static>> {
    // A subsystem through which the process pinned before, and that holds nothing now, is not a holder.
    let held = process.subsystems.iter().filter(|(_, pages)| **pages > 0);
    let held: Vec<_> = held
        .map(|(subsystem, pages)| pair(&subsystem.to_string(), pages.to_string(), theme))
        .collect();
    let evidence = process.evidence.iter();
    let evidence: Vec<_> = evidence
        .map(|(evidence, pages)| pair(&format!("by {}", evidence.name()), pages.to_string(), theme))
        .collect();
    let mut lines = flow::lines(&held, width);
    lines.extend(flow::lines(&evidence, width));
    lines
}

/// Returns what the process may still pin; nothing for an ended process, and for a moment of the past.
fn limit(process: &Process, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let read = scene.locked_memory.filter(|_| process.ended.is_none());
    let Some(memory) = read.and_then(|read| read(process.pid)) else {
        return Vec::new();
    };
    let words = locked_memory::words(memory, process, scene.snapshot);
    paragraph("memlock", &words, width, scene.theme)
}

/// Returns the holders of the process's long-term pins.
fn held_through(
    process: &Process,
    snapshot: &Snapshot,
    most: usize,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    if process.open_extents.is_empty() && process.held_accounts.is_empty() {
        return Vec::new();
    }
    let rows: Vec<HolderRow> = holders::of_process(snapshot, process);
    let rows: Vec<&HolderRow> = rows.iter().take(most).collect();
    let columns: Vec<_> = holder::COLUMNS
        .iter()
        .filter(|column| !["pid", "comm"].contains(&column.id))
        .collect();
    table("Holders", &columns, &rows, snapshot, width, theme)
}

fn extents(process: &Arc<Process>, scene: &Scene<'_>, most: usize, width: usize) -> Vec<Line<'static>> {
    let Scene { snapshot, theme, .. } = *scene;
    let rows: Vec<PinRow> = process
        .open_extents
        .iter()
        .take(most)
        .map(|extent| PinRow {
            process: Arc::clone(process),
            extent: extent.clone(),
        })
        .collect();
    let rows: Vec<&PinRow> = rows.iter().collect();
    let columns: Vec<_> = pin::COLUMNS
        .iter()
        .filter(|column| !["pid", "comm"].contains(&column.id))
        .collect();
    let mut lines = table("Extents", &columns, &rows, snapshot, width, theme);
    if process.open_extents.len() > MOST {
        let key = scene.keys.key_of("view pins");
        let more = format!(
            "… {} more ({key} shows all pins)",
            process.open_extents.len() - MOST
        );
        lines.push(Line::styled(more, theme.dim()));
    }
    lines
}

/// Returns the different stacks of the extents, with the extents of each.
fn stacks(process: &Process, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut stacks: Vec<(&[String], u64, u64)> = Vec::new();
    for extent in process.open_extents.iter() {
        let is_known =
            |frames: &[String]| std::ptr::eq(frames, &raw const *extent.stack) || *frames == *extent.stack;
        let known = stacks.iter_mut().find(|(frames, ..)| is_known(frames));
        if let Some((_, extents, pages)) = known {
            *extents += 1;
            *pages = pages.saturating_add(extent.pages_held);
        } else if stacks.len() < MOST {
            stacks.push((&extent.stack, 1, extent.pages_held));
        }
    }
    let mut lines = Vec::new();
    for (frames, extents, pages) in stacks {
        let words = format!(
            "{} of {}, pinned by",
            counted(pages, "page"),
            counted(extents, "extent")
        );
        lines.extend(heading(&words, theme));
        if frames.is_empty() {
            lines.push(Line::styled("  stack unknown", theme.dim()));
        }
        let shown = frames.get(..FRAMES).unwrap_or(frames);
        lines.extend(stack::lines(shown, 2, width, theme));
    }
    lines
}

fn threads(process: &Process, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let pinning = |thread: &&Thread| thread.acquired > 0 || thread.pages_held > 0;
    let threads: Vec<_> = process.threads.iter().filter(pinning).take(MOST).collect();
    if threads.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<Line<'static>> = heading("Threads", theme).into();
    for thread in threads {
        let words = format!(
            "{} holds {}, acquired {}, released {}",
            text::printable(&thread.comm),
            counted(thread.pages_held, "page"),
            thread.acquired,
            thread.released
        );
        lines.extend(paragraph(&thread.tid.0.to_string(), &words, width, theme));
    }
    lines
}

/// Returns a table under a heading; nothing without rows.
fn table<T>(
    title: &str,
    columns: &[&'static Field<T>],
    rows: &[&T],
    snapshot: &Snapshot,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<Line<'static>> = heading(title, theme).into();
    lines.extend(figures::table(columns, rows, snapshot.time, width, theme));
    lines
}
