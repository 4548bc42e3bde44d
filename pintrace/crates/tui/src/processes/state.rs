//! The listed processes, the cursor, and the open process.

use std::sync::Arc;

use pintrace_events::units::Pid;
use pintrace_model::snapshot::{Process, Snapshot};

use super::super::cursor::{Cursor, moved};
use super::super::filter::Filter;
use super::super::keymap::KeyScope;
use super::super::order::{self, Order};

/// The identity of a process across snapshots: the n-th process with a pid, because the kernel reuses pids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessIdentity {
    pid: Pid,
    nth: usize,
}

/// The tab of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProcessTab {
    #[default]
    Extents,
    Threads,
}

/// The open process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenProcess {
    process: ProcessIdentity,
    pub(crate) tab: ProcessTab,
    pub(crate) cursor: usize,
}

/// The state of the screens about processes.
#[derive(Debug, Default)]
pub(crate) struct ProcessesView {
    pub(crate) order: Order,
    /// Indexes into the processes of the snapshot.
    pub(crate) rows: Vec<usize>,
    pub(crate) cursor: Cursor<ProcessIdentity>,
    pub(crate) open: Option<OpenProcess>,
}

impl ProcessesView {
    /// Returns the screen whose keys are in force.
    pub(crate) fn scope(&self) -> KeyScope {
        if self.open.is_some() {
            KeyScope::ProcessDetail
        } else {
            KeyScope::ProcessTable
        }
    }

    /// Closes the open process. Returns false if no process was open.
    pub(crate) fn back(&mut self) -> bool {
        self.open.take().is_some()
    }

    /// Opens the process under the cursor.
    pub(crate) fn open(&mut self, snapshot: &Snapshot) {
        let process = self.identity(snapshot, self.cursor.row);
        self.open = process.map(|process| OpenProcess {
            process,
            tab: ProcessTab::default(),
            cursor: 0,
        });
        // The cursor of the table is on the same process after the return.
        self.cursor.follow(process);
    }

    /// Shows the other tab of the open process.
    pub(crate) fn switch(&mut self) {
        if let Some(open) = &mut self.open {
            open.tab = match open.tab {
                ProcessTab::Extents => ProcessTab::Threads,
                ProcessTab::Threads => ProcessTab::Extents,
            };
            open.cursor = 0;
        }
    }

    /// Moves the cursor of the visible list.
    pub(crate) fn go(&mut self, lines: isize, snapshot: &Snapshot) {
        let entries = self.entries(snapshot);
        if let Some(open) = &mut self.open {
            open.cursor = moved(open.cursor, lines, entries);
        } else {
            let mut cursor = self.cursor;
            cursor.go(lines, self.rows.len(), |row| self.identity(snapshot, row));
            self.cursor = cursor;
        }
    }

    /// Chooses and orders the rows for a snapshot. The cursor follows its process.
    pub(crate) fn arrange(&mut self, snapshot: &Snapshot, filter: &Filter) {
        self.rows = order::processes(snapshot, filter, self.order);
        let mut cursor = self.cursor;
        cursor.arrange(self.rows.len(), |row| self.identity(snapshot, row));
        self.cursor = cursor;
        if self.opened(snapshot).is_some() {
            let entries = self.entries(snapshot);
            if let Some(open) = &mut self.open {
                open.cursor = moved(open.cursor, 0, entries);
            }
        }
    }

    /// Returns the open process, if the snapshot still has the process.
    pub(crate) fn opened<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Process> {
        let identity = self.open?.process;
        let same_pid = |process: &&Process| process.pid == identity.pid;
        let processes = snapshot.processes.iter().map(Arc::as_ref);
        processes.filter(same_pid).nth(identity.nth)
    }

    /// Returns the number of entries in the visible tab of the open process.
    fn entries(&self, snapshot: &Snapshot) -> usize {
        let opened = self.opened(snapshot).zip(self.open);
        opened.map_or(0, |(process, open)| match open.tab {
            ProcessTab::Extents => process.open_extents.len(),
            ProcessTab::Threads => process.threads.len(),
        })
    }

    fn identity(&self, snapshot: &Snapshot, row: usize) -> Option<ProcessIdentity> {
        let index = *self.rows.get(row)?;
        let pid = snapshot.processes.get(index)?.pid;
        // Processes are in order of pid, so processes with the same pid are adjacent.
        let before = (0..index).rev().map_while(|index| snapshot.processes.get(index));
        Some(ProcessIdentity {
            pid,
            nth: before.take_while(|process| process.pid == pid).count(),
        })
    }
}
