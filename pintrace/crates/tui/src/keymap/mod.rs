//! The effect of keys on each screen, in one list for the input loop, the footer and the help screen.

mod bindings;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub(super) use self::bindings::GROUPS;

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Leave the program.
    Quit,
    /// Close the topmost of help, own cost, pin calls, finding, findings, process and filter. Leave the program if nothing is open.
    Back,
    /// Move the cursor by lines.
    Move(isize),
    /// Move the cursor by screens.
    Page(isize),
    /// Go to the first line.
    First,
    /// Go to the last line.
    Last,
    /// Show the process or finding under the cursor.
    Open,
    /// Show the other tab.
    Switch,
    /// Show or hide the findings.
    Findings,
    /// Show or hide the own cost.
    OwnCost,
    /// Show or hide the pin calls.
    PinCalls,
    /// Type a filter.
    Filter,
    /// Stop or resume taking new snapshots.
    Freeze,
    /// Show or hide processes that have ended.
    Ended,
    /// Order by the column with this id.
    Sort(&'static str),
    /// Reverse the order.
    Reverse,
    /// Show or hide the help.
    Help,
    /// Stop the process until the shell continues it.
    Suspend,
}

/// The screen on which a binding is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyScope {
    /// Every screen.
    Everywhere,
    /// The table of processes.
    ProcessTable,
    /// One process.
    ProcessDetail,
    /// The list of findings.
    FindingTable,
    /// The list of flush windows.
    WindowTable,
    /// One finding.
    FindingDetail,
    /// The own cost.
    OwnCost,
    /// The pin calls.
    PinCalls,
}

/// A key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoundKey {
    code: KeyCode,
    control: bool,
}

impl BoundKey {
    const fn char(char: char) -> Self {
        Self::code(KeyCode::Char(char))
    }

    const fn code(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    const fn control(char: char) -> Self {
        Self {
            code: KeyCode::Char(char),
            control: true,
        }
    }

    fn matches(self, event: &KeyEvent) -> bool {
        // A key with Alt is another key. Shift is already part of the character.
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        self.code == event.code && self.control == control && !alt
    }

    /// Returns the name on the screen.
    pub(super) fn label(self) -> String {
        match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(char) if self.control => format!("Ctrl-{}", char.to_ascii_uppercase()),
            KeyCode::Char(char) => char.to_string(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            code => format!("{code:?}"),
        }
    }
}

/// A key, its action, and the texts for help and footer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    key: BoundKey,
    /// Another key with the same action.
    alternative: Option<BoundKey>,
    pub(super) action: Action,
    /// Text for the help screen.
    pub(super) help: &'static str,
    /// Text for the footer, if the footer shows the binding.
    pub(super) hint: Option<&'static str>,
}

impl Binding {
    const fn new(key: BoundKey, action: Action, help: &'static str) -> Self {
        Self {
            key,
            alternative: None,
            action,
            help,
            hint: None,
        }
    }

    const fn or(mut self, key: BoundKey) -> Self {
        self.alternative = Some(key);
        self
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Returns the keys of the binding. The footer shows the first key.
    pub(super) fn keys(&self) -> impl Iterator<Item = BoundKey> {
        std::iter::once(self.key).chain(self.alternative)
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
pub(super) fn in_force(screen: KeyScope) -> impl Iterator<Item = &'static Binding> {
    let groups = GROUPS.iter();
    groups
        .filter(move |group| group.scope == KeyScope::Everywhere || group.scope == screen)
        .flat_map(|group| group.bindings)
}

/// Returns the action of a key on a screen.
pub(super) fn action(event: &KeyEvent, screen: KeyScope) -> Option<Action> {
    in_force(screen)
        .find(|binding| binding.keys().any(|key| key.matches(event)))
        .map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use KeyScope::{
        FindingDetail, FindingTable, OwnCost, PinCalls, ProcessDetail, ProcessTable, WindowTable,
    };

    #[test]
    fn no_key_has_two_actions_on_one_screen() {
        for screen in [
            ProcessTable,
            ProcessDetail,
            FindingTable,
            WindowTable,
            FindingDetail,
            OwnCost,
            PinCalls,
        ] {
            let keys: Vec<BoundKey> = in_force(screen).flat_map(Binding::keys).collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[index + 1..].contains(key), "{key:?} on {screen:?}");
            }
        }
    }

    #[test]
    fn control_and_shift_make_different_keys() {
        let press = |char, modifiers| action(&KeyEvent::new(KeyCode::Char(char), modifiers), ProcessTable);
        assert_eq!(press('c', KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press('c', KeyModifiers::NONE), None);
        assert_eq!(
            press('r', KeyModifiers::NONE),
            Some(Action::Sort("released_per_second"))
        );
        assert_eq!(press('R', KeyModifiers::SHIFT), Some(Action::Reverse));
        assert_eq!(press('q', KeyModifiers::ALT), None);
    }

    #[test]
    fn every_sort_key_names_a_column_that_exists() {
        let mut orders = 0;
        for group in GROUPS {
            for binding in group.bindings {
                if let Action::Sort(column) = binding.action {
                    orders += 1;
                    let known = match group.scope {
                        FindingTable => pintrace_model::field::finding_column::named(column).is_some(),
                        _ => pintrace_model::field::process::column(column).is_some(),
                    };
                    assert!(known, "{column}");
                }
            }
        }
        assert_eq!(orders, 17);
    }

    #[test]
    fn sort_keys_work_only_on_the_tables() {
        let key = KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE);
        assert_eq!(action(&key, ProcessTable), Some(Action::Sort("pages_held")));
        assert_eq!(action(&key, ProcessDetail), None);
    }
}
