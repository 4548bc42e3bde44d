//! The options of the view.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use pintrace_events::units::Pid;
use pintrace_model::locked_memory::LockedMemory;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text::printable;

use super::app::COMMANDS;
use super::keymap::{self, BoundKey};
use super::look::Look;
use super::recorder::Recorder;
use super::view::View;

/// The options of the view.
#[derive(Clone, Debug)]
pub struct ViewOptions {
    /// Show only these processes. Empty shows all.
    pub pids: Vec<Pid>,
    /// The query with which the view begins. Empty shows all.
    pub filter: String,
    /// Begin with the ended processes.
    pub with_ended: bool,
    /// The first view.
    pub view: View,
    /// The columns to show of a view. Other views begin with the columns of their own.
    pub columns: Vec<(View, Vec<&'static str>)>,
    /// The first order of a view.
    pub sort: Vec<(View, Sort)>,
    /// Keys beside those of the list.
    pub keys: Vec<KeyBinding>,
    /// The colours and characters.
    pub look: Look,
    /// React to the mouse. Otherwise, the terminal keeps the mouse.
    pub mouse: bool,
    /// Tells whether the view with the own cost is open.
    pub own_cost_open: Option<watch::Sender<bool>>,
    /// Reads what a process may still pin.
    pub locked_memory: Option<ReadLockedMemory>,
    /// Writes a snapshot to a file.
    pub save: Option<SaveSnapshot>,
    /// Records the session.
    pub recorder: Option<Arc<dyn Recorder>>,
}

/// Reads the limit of a process that lives and what is used of it; `None` if the process has ended.
pub type ReadLockedMemory = fn(Pid) -> Option<LockedMemory>;

/// Writes a snapshot to a new file, and returns its path. Without a path, the function chooses one.
pub type SaveSnapshot = fn(&Snapshot, Option<&Path>) -> io::Result<PathBuf>;

impl Default for ViewOptions {
    fn default() -> Self {
        Self {
            pids: Vec::new(),
            filter: String::new(),
            with_ended: false,
            view: View::default(),
            columns: Vec::new(),
            sort: Vec::new(),
            keys: Vec::new(),
            look: Look::default(),
            mouse: true,
            own_cost_open: None,
            locked_memory: None,
            save: None,
            recorder: None,
        }
    }
}

/// The column that orders a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The id of the column.
    pub column: &'static str,
    /// The rows that are first otherwise are last.
    pub reversed: bool,
}

/// A key and its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBinding {
    key: BoundKey,
    command: String,
}

/// A key cannot be bound to a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMistake {
    /// The text names no key.
    #[error("no such key: use a character such as x, Ctrl-X, F5, Enter, Space, Tab, Up, PgDn or Home")]
    Key,
    /// The text is no command.
    #[error("no such command")]
    Command,
    /// The command needs an argument.
    #[error("the command needs an argument: {0} {1}")]
    NoArgument(&'static str, &'static str),
}

impl KeyBinding {
    /// Binds a key to a command of the palette.
    pub fn parse(key: &str, command: &str) -> Result<Self, KeyMistake> {
        // A character that cannot be seen would spoil the lists of keys.
        if printable(key) != key {
            return Err(KeyMistake::Key);
        }
        let key = key.parse::<BoundKey>().map_err(|_| KeyMistake::Key)?;
        let command = command.trim();
        if !keymap::is_command(command) {
            let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
            let known = COMMANDS.iter().find(|known| known.name == name);
            let known = known.ok_or(KeyMistake::Command)?;
            // `filter` and `at` mean something without an argument; `save` chooses a name of its own.
            if argument.is_empty() && ["sort", "column"].contains(&name) {
                return Err(KeyMistake::NoArgument(known.name, known.argument));
            }
        }
        Ok(Self {
            key,
            command: command.to_owned(),
        })
    }

    /// Returns the name of the key.
    #[must_use]
    pub fn key(&self) -> String {
        self.key.label()
    }

    /// Returns the command.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    pub(super) fn remapped(&self) -> (BoundKey, String) {
        (self.key, self.command.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bound_only_to_a_command() {
        let mistake = |key, command| KeyBinding::parse(key, command).unwrap_err();
        assert_eq!(mistake("Escape", "quit"), KeyMistake::Key);
        assert_eq!(mistake("\u{202e}", "quit"), KeyMistake::Key);
        assert_eq!(mistake("x", "view everything"), KeyMistake::Command);
        assert_eq!(mistake("x", "sort"), KeyMistake::NoArgument("sort", "COLUMN"));
        assert_eq!(KeyBinding::parse("Up", "up").unwrap().key(), "↑");
        assert_eq!(
            KeyBinding::parse("Ctrl-D", "sort oldest").unwrap().command(),
            "sort oldest"
        );
    }
}
