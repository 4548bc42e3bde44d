//! The effect of keys on each screen, in one list for the input loop, the footer, the help and the palette.

mod bindings;
mod bound_key;

use crossterm::event::KeyEvent;

pub(super) use self::bindings::GROUPS;
pub(super) use self::bound_key::BoundKey;
use super::view::View;

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Leave the program.
    Quit,
    /// Close what is open: help, chooser, open row, zoom, filter. Never leaves the program.
    Back,
    /// Move the cursor by lines.
    Move(isize),
    /// Move the cursor by screens.
    Page(isize),
    /// Go to the first line.
    First,
    /// Go to the last line.
    Last,
    /// Show all of the row under the cursor, or close the open row.
    Open,
    /// Show a view.
    Show(View),
    /// Show the own cost, at the end of the view of the system.
    OwnCost,
    /// Show the view that is some tabs to the right.
    Beside(isize),
    /// Type a query for the rows, or a text to find in the help.
    Filter,
    /// Type a command.
    Palette,
    /// Stop or resume taking new snapshots.
    Freeze,
    /// Show a snapshot that is some steps later, and stop taking new ones.
    Step(isize),
    /// Mark the snapshot on the screen as baseline, or forget the baseline.
    Baseline,
    /// Show or hide processes that have ended.
    Ended,
    /// Order by the column with this id, or reverse the order if the column is the sort column.
    Sort(&'static str),
    /// Order by the column that is some columns to the right.
    SortBeside(isize),
    /// Reverse the order.
    Reverse,
    /// Choose the columns.
    Columns,
    /// Hide or show the cgroups inside the cgroup under the cursor.
    Fold(bool),
    /// Show the cgroup under the cursor alone, or the whole tree.
    Zoom,
    /// Show the findings of the process under the cursor.
    FindingsOfRow,
    /// Copy the row under the cursor to the clipboard of the terminal, as text.
    CopyText,
    /// The same, as JSON.
    CopyJson,
    /// Write the snapshot to a file.
    Save,
    /// Begin or end a recording.
    Record,
    /// Show or hide the help.
    Help,
    /// Draw every cell again.
    Redraw,
    /// Stop the process until the shell continues it.
    Suspend,
}

/// Where a binding is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyScope {
    /// Every screen.
    Everywhere,
    /// Every table.
    Tables,
    /// An open row.
    OpenRow,
    /// The table of one view.
    Of(View),
}

impl KeyScope {
    /// Returns true if bindings of the scope are in force on a screen.
    pub(super) fn contains(self, screen: KeyScreen) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Tables => !screen.is_open && screen.view != View::System,
            Self::OpenRow => screen.is_open,
            Self::Of(view) => !screen.is_open && screen.view == view,
        }
    }
}

/// The screen on which keys are pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyScreen {
    pub(super) view: View,
    /// A row fills the screen.
    pub(super) is_open: bool,
}

/// A key, its action, the command with the same effect, and the texts for help and footer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    /// The words of the palette.
    pub(super) command: &'static str,
    keys: [Option<BoundKey>; 2],
    pub(super) action: Action,
    /// Text for the help screen.
    pub(super) help: &'static str,
    /// Text for the footer, if the footer shows the binding.
    pub(super) hint: Option<&'static str>,
}

impl Binding {
    const fn new(command: &'static str, key: BoundKey, action: Action, help: &'static str) -> Self {
        Self {
            command,
            keys: [Some(key), None],
            action,
            help,
            hint: None,
        }
    }

    const fn or(mut self, key: BoundKey) -> Self {
        self.keys[1] = Some(key);
        self
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Returns the keys of the binding. The footer shows the first key.
    pub(super) fn keys(&self) -> impl Iterator<Item = BoundKey> {
        self.keys.into_iter().flatten()
    }
}

/// Bindings that belong together.
#[derive(Debug)]
pub(super) struct BindingGroup {
    /// Heading on the help screen.
    pub(super) title: &'static str,
    pub(super) scope: KeyScope,
    pub(super) bindings: &'static [Binding],
}

/// Returns the bindings that are in force on a screen, in the order of the footer.
pub(super) fn in_force(screen: KeyScreen) -> impl Iterator<Item = &'static Binding> {
    let groups = GROUPS.iter();
    groups
        .filter(move |group| group.scope.contains(screen))
        .flat_map(|group| group.bindings)
}

/// Returns true for a command of the list, on any screen.
pub(super) fn is_command(text: &str) -> bool {
    let mut groups = GROUPS.iter();
    groups.any(|group| group.bindings.iter().any(|binding| binding.command == text))
}

/// The keys that the configuration gives to commands, beside those of the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Remapped(pub(super) Vec<(BoundKey, String)>);

/// The effect of a key on a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyEffect<'a> {
    /// An action of the list.
    Act(Action),
    /// A command that the list lacks: a command with its argument.
    Run(&'a str),
}

impl Remapped {
    /// Returns the effect of a key on a screen. A key that is remapped has no other effect.
    pub(super) fn effect(&self, event: &KeyEvent, screen: KeyScreen) -> Option<KeyEffect<'_>> {
        if let Some((_, command)) = self.0.iter().find(|(key, _)| key.matches(event)) {
            return match in_force(screen).find(|binding| binding.command == *command) {
                Some(binding) => Some(KeyEffect::Act(binding.action)),
                None if is_command(command) => None,
                None => Some(KeyEffect::Run(command)),
            };
        }
        in_force(screen)
            .find(|binding| binding.keys().any(|key| key.matches(event)))
            .map(|binding| KeyEffect::Act(binding.action))
    }

    /// Returns true for a key of tables on the screen that has none.
    pub(super) fn needs_table(&self, event: &KeyEvent, screen: KeyScreen) -> bool {
        // The flush windows have the keys of every table and no keys of their own.
        let table = KeyScreen {
            view: View::FlushWindows,
            is_open: false,
        };
        let does_nothing = self.effect(event, screen).is_none();
        screen.view == View::System && does_nothing && self.effect(event, table).is_some()
    }

    /// Returns the keys that run a command with its argument.
    pub(super) fn with_argument(&self) -> impl Iterator<Item = (BoundKey, &str)> {
        let own = self.0.iter().filter(|(_, command)| !is_command(command));
        own.map(|(key, command)| (*key, command.as_str()))
    }

    /// Returns the first key of a command of the list, for texts that name a key; the command itself if it has no key.
    pub(super) fn key_of(&self, command: &str) -> String {
        let mut bindings = GROUPS.iter().flat_map(|group| group.bindings);
        let binding = bindings.find(|binding| binding.command == command);
        let key = binding.and_then(|binding| self.keys_of(binding).first().copied());
        key.map_or_else(|| format!(":{command}"), BoundKey::label)
    }

    /// Returns the same after the word `key`, for a text in which a digit alone would be taken for a figure.
    pub(super) fn named_key_of(&self, command: &str) -> String {
        let key = self.key_of(command);
        if key.len() > 1 && key.starts_with(':') {
            key
        } else {
            format!("key {key}")
        }
    }

    /// Returns the keys of a binding, those of the configuration first.
    pub(super) fn keys_of(&self, binding: &Binding) -> Vec<BoundKey> {
        let own = self.0.iter().filter(|(_, command)| *command == binding.command);
        let own: Vec<BoundKey> = own.map(|(key, _)| *key).collect();
        let taken = |key: &BoundKey| self.0.iter().any(|(own, _)| own == key);
        own.iter()
            .copied()
            .chain(binding.keys().filter(|key| !taken(key)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
