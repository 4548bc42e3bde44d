//! The table of holders: open files that hold long-term pins.

use std::cmp::Ordering;

use ratatui::text::Line;

use pintrace_events::FileId;
use pintrace_events::units::Pid;
use pintrace_model::field::Field;
use pintrace_model::field::holder;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::subsystem::Subsystem;
use pintrace_model::text;
use pintrace_model::views::holders::{self, Holder, HolderRow};

use super::super::filter::Filter;
use super::super::list::RowStyle;
use super::super::table::{self, Scene, TableRow};
use super::super::view::View;
use super::figures::{figures, heading, paragraph, sentence};

/// A holder.
#[derive(Clone, Debug)]
pub(crate) struct HolderTableRow(HolderRow);

/// What distinguishes holders: the kind, the file, and for a holder without a file its process and subsystem.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HolderIdentity {
    kind: &'static str,
    file: Option<FileId>,
    process: Option<(Pid, u32)>,
    subsystem: Option<Subsystem>,
}

impl TableRow for HolderTableRow {
    type Item = HolderRow;
    type Identity = HolderIdentity;

    const VIEW: View = View::Holders;
    const DEFAULT_SORT: &'static str = holder::DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<HolderRow>> {
        holder::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        holders::of(snapshot).into_iter().map(Self).collect()
    }

    fn item(&self) -> &HolderRow {
        &self.0
    }

    fn identity(&self) -> HolderIdentity {
        let file = self.0.file();
        let first = self.0.processes.first().map(|one| &one.process);
        let process = first.map(|process| (process.pid, process.earlier_processes));
        HolderIdentity {
            kind: self.0.kind(),
            file,
            // Another process may be the first one of a file at the next snapshot.
            process: process.filter(|_| file.is_none()),
            subsystem: self.0.subsystem().filter(|_| file.is_none()),
        }
    }

    fn rank(column: &Field<HolderRow>, one: &HolderRow, two: &HolderRow) -> Ordering {
        holder::rank(column, one, two)
    }

    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        let pids: Vec<Pid> = self.0.processes.iter().map(|one| one.process.pid).collect();
        filter.admits_row(&filter.queries().holders, &self.0, &pids, snapshot.time)
    }

    fn width(column: &Field<HolderRow>) -> usize {
        match column.id {
            "holder" | "pin_state" => 15,
            "evidence" => 14,
            _ => table::default_width(column),
        }
    }

    fn style(&self, scene: &Scene<'_>) -> RowStyle {
        match self.0.holder {
            Holder::File { released: true, .. } => RowStyle {
                mark: "!",
                style: scene.theme.plain(),
            },
            _ => RowStyle::default(),
        }
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let row = &self.0;
        let mut lines = vec![Line::styled(row.kind(), theme.strong())];
        let columns: Vec<_> = holder::COLUMNS.iter().collect();
        lines.extend(figures(&columns, row, snapshot.time, width, theme));
        lines.extend(sentence(meaning(row), width, theme));
        lines.extend(heading("Pinned by", theme));
        for one in &row.processes {
            let process = &one.process;
            let through = match one.descriptor {
                Some(descriptor) => format!(" on descriptor {descriptor}"),
                None => String::new(),
            };
            let ended = if process.ended.is_some() { ", ended" } else { "" };
            let words = format!("{}{through}{ended}", text::printable(&process.comm));
            lines.extend(paragraph(&process.pid.0.to_string(), &words, width, theme));
        }
        let shares = row.subsystems.iter();
        let shares = shares.map(|(subsystem, pages)| format!("{subsystem} {pages}"));
        let words = shares.collect::<Vec<_>>().join(", ");
        lines.extend(paragraph("pages", &words, width, theme));
        lines
    }

    fn empty(_scene: &Scene<'_>) -> String {
        "No open file and no process holds long-term pins. Short-term pins, such as those of direct I/O, are held by the \
         call that took them."
            .to_owned()
    }
}

/// Returns when the pins go away.
fn meaning(row: &HolderRow) -> &'static str {
    match row.holder {
        Holder::File { released: true, .. } => {
            "The last reference to the file is gone, and the kernel has not released the pages yet."
        }
        Holder::File { .. } if row.evidence.is_some() && row.sums.oldest_since.is_none() => {
            "A scan found the pins in the kernel's table of this open file: they are older than this session, and their age \
             and call stack are not known. The pins stay until the program unregisters the memory, or until the last \
             reference to the file is gone. `pintrace scan` lists every process that has the file open."
        }
        Holder::File { .. } => {
            "The pins stay until the program unregisters the memory, or until the last reference to this open file is \
             gone: a child or another process may have a reference too. `pintrace scan` lists every process that has the \
             file open."
        }
        Holder::Process => {
            "The open file is not known. The pins stay until the subsystem releases them, at the latest when the process \
             has ended and closed its files."
        }
        Holder::Scan(_) => {
            "A scan of memory found the pins: they are older than this session. Their age and call stack are not known. \
             `pintrace scan` has the evidence for each holder."
        }
    }
}
