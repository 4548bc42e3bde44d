//! The one list of key bindings: the input loop, the footer and the help screen all read it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Leave the program.
    Quit,
    /// Leave what is open: help, findings, detail, filter; then the program.
    Back,
    /// Move the cursor by lines.
    Move(isize),
    /// Move the cursor by screens.
    Page(isize),
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Show the process or finding under the cursor.
    Open,
    /// The other list of the screen.
    Switch,
    /// Show or hide the view of findings.
    Findings,
    /// Type a filter.
    Filter,
    /// Hold the picture, or let it go.
    Freeze,
    /// Show or hide processes that have ended.
    Ended,
    /// Order by the column of that id.
    Sort(&'static str),
    /// Turn the order around.
    Reverse,
    /// Show or hide the help.
    Help,
    /// Give the terminal back to the shell until it says `fg`.
    Suspend,
}

/// Where a binding is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// On every screen.
    Everywhere,
    /// On the table of processes.
    Table,
    /// On the detail of a process.
    Detail,
    /// On the list of findings.
    Findings,
    /// On the list of pending-flush windows.
    Windows,
    /// On one finding.
    Finding,
}

/// One key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    code: KeyCode,
    control: bool,
}

impl Key {
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
        // Alt is a different key; Shift is part of the character already.
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        self.code == event.code && self.control == control && !alt
    }

    /// The name on the help screen.
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

/// Some keys, what they do, and how the help says it.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) keys: &'static [Key],
    pub(super) action: Action,
    pub(super) scope: Scope,
    /// For the help screen.
    pub(super) help: &'static str,
    /// For the footer, if it stands there.
    pub(super) hint: Option<&'static str>,
}

const fn bind(keys: &'static [Key], action: Action, scope: Scope, help: &'static str) -> Binding {
    Binding {
        keys,
        action,
        scope,
        help,
        hint: None,
    }
}

const fn hint(mut binding: Binding, hint: &'static str) -> Binding {
    binding.hint = Some(hint);
    binding
}

use Scope::{Detail, Everywhere, Finding, Findings, Table, Windows};

/// Every binding, in the order of help and footer.
pub(super) const BINDINGS: &[Binding] = &[
    hint(
        bind(
            &[Key::char('q'), Key::control('c')],
            Action::Quit,
            Everywhere,
            "quit",
        ),
        "quit",
    ),
    bind(
        &[Key::code(KeyCode::Esc)],
        Action::Back,
        Everywhere,
        "close, clear the filter, or quit",
    ),
    hint(
        bind(
            &[Key::char('?'), Key::code(KeyCode::F(1))],
            Action::Help,
            Everywhere,
            "this help",
        ),
        "help",
    ),
    bind(
        &[Key::code(KeyCode::Down), Key::char('j')],
        Action::Move(1),
        Everywhere,
        "down",
    ),
    bind(
        &[Key::code(KeyCode::Up), Key::char('k')],
        Action::Move(-1),
        Everywhere,
        "up",
    ),
    bind(
        &[Key::code(KeyCode::PageDown), Key::control('f')],
        Action::Page(1),
        Everywhere,
        "a screen down",
    ),
    bind(
        &[Key::code(KeyCode::PageUp), Key::control('b')],
        Action::Page(-1),
        Everywhere,
        "a screen up",
    ),
    bind(
        &[Key::code(KeyCode::Home), Key::char('g')],
        Action::First,
        Everywhere,
        "to the top, and stay there",
    ),
    bind(
        &[Key::code(KeyCode::End), Key::char('G')],
        Action::Last,
        Everywhere,
        "to the end",
    ),
    hint(
        bind(
            &[Key::code(KeyCode::Enter)],
            Action::Open,
            Table,
            "extents, stacks and threads",
        ),
        "detail",
    ),
    hint(
        bind(
            &[Key::code(KeyCode::Tab)],
            Action::Switch,
            Detail,
            "extents or threads",
        ),
        "extents/threads",
    ),
    hint(
        bind(
            &[Key::char('/')],
            Action::Filter,
            Table,
            "filter by command or pid",
        ),
        "filter",
    ),
    hint(
        bind(
            &[Key::code(KeyCode::Enter)],
            Action::Open,
            Findings,
            "all of the finding: both sides with their stacks, and what to do",
        ),
        "whole",
    ),
    hint(
        bind(
            &[Key::code(KeyCode::Enter)],
            Action::Back,
            Finding,
            "from one finding: the list again",
        ),
        "list",
    ),
    hint(
        bind(
            &[Key::code(KeyCode::Tab)],
            Action::Switch,
            Findings,
            "write protections that wait for their TLB flush",
        ),
        "windows",
    ),
    hint(
        bind(
            &[Key::code(KeyCode::Tab)],
            Action::Switch,
            Windows,
            "from the windows: findings",
        ),
        "findings",
    ),
    hint(
        bind(
            &[Key::char('/')],
            Action::Filter,
            Findings,
            "filter by command, pid, finding or severity",
        ),
        "filter",
    ),
    hint(
        bind(
            &[Key::char('f')],
            Action::Findings,
            Everywhere,
            "findings and pending flushes, and back",
        ),
        "findings",
    ),
    hint(
        bind(
            &[Key::char('z'), Key::char(' ')],
            Action::Freeze,
            Everywhere,
            "freeze the picture",
        ),
        "freeze",
    ),
    hint(
        bind(
            &[Key::char('e')],
            Action::Ended,
            Table,
            "show or hide ended processes",
        ),
        "ended",
    ),
    bind(
        &[Key::char('p')],
        Action::Sort("pages_held"),
        Table,
        "by pages held",
    ),
    bind(
        &[Key::char('b')],
        Action::Sort("bytes_held"),
        Table,
        "by bytes held",
    ),
    bind(
        &[Key::char('l')],
        Action::Sort("longterm_share"),
        Table,
        "by long-term share",
    ),
    bind(
        &[Key::char('a')],
        Action::Sort("acquired_per_second"),
        Table,
        "by pages acquired a second",
    ),
    bind(
        &[Key::char('r')],
        Action::Sort("released_per_second"),
        Table,
        "by pages released a second",
    ),
    bind(&[Key::char('o')], Action::Sort("oldest"), Table, "by oldest pin"),
    bind(&[Key::char('n')], Action::Sort("comm"), Table, "by command name"),
    bind(&[Key::char('i')], Action::Sort("pid"), Table, "by pid"),
    bind(
        &[Key::char('s')],
        Action::Sort("subsystem"),
        Table,
        "by main subsystem",
    ),
    bind(&[Key::char('R')], Action::Reverse, Table, "turn the order around"),
    bind(
        &[Key::char('s')],
        Action::Sort("severity"),
        Findings,
        "worst first, then latest first",
    ),
    bind(&[Key::char('t')], Action::Sort("last"), Findings, "latest first"),
    bind(&[Key::char('p')], Action::Sort("pages"), Findings, "by pages"),
    bind(&[Key::char('c')], Action::Sort("count"), Findings, "by how often"),
    bind(
        &[Key::char('d')],
        Action::Sort("kind"),
        Findings,
        "by kind of finding",
    ),
    bind(&[Key::char('a')], Action::Sort("address"), Findings, "by address"),
    bind(
        &[Key::char('n')],
        Action::Sort("comm"),
        Findings,
        "by command name",
    ),
    bind(&[Key::char('i')], Action::Sort("pid"), Findings, "by pid"),
    bind(
        &[Key::char('R')],
        Action::Reverse,
        Findings,
        "turn the order around",
    ),
    bind(
        &[Key::control('z')],
        Action::Suspend,
        Everywhere,
        "suspend, back with fg",
    ),
];

/// What a key does on a screen.
pub(super) fn action(event: &KeyEvent, screen: Scope) -> Option<Action> {
    BINDINGS
        .iter()
        .filter(|binding| binding.scope == Everywhere || binding.scope == screen)
        .find(|binding| binding.keys.iter().any(|key| key.matches(event)))
        .map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_on_one_screen() {
        for (index, one) in BINDINGS.iter().enumerate() {
            for other in &BINDINGS[index + 1..] {
                let apart = one.scope != other.scope && one.scope != Everywhere && other.scope != Everywhere;
                let shared = one.keys.iter().any(|key| other.keys.contains(key));
                assert!(apart || !shared, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn control_and_shift_make_different_keys() {
        let press = |char, modifiers| action(&KeyEvent::new(KeyCode::Char(char), modifiers), Table);
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
    fn every_order_is_by_a_column_that_exists() {
        for binding in BINDINGS {
            if let Action::Sort(column) = binding.action {
                let known = match binding.scope {
                    Findings => pintrace_model::field::finding_column::named(column).is_some(),
                    _ => pintrace_model::field::process::column(column).is_some(),
                };
                assert!(known, "{column}");
            }
        }
    }

    #[test]
    fn sorting_is_of_the_table_alone() {
        let key = KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE);
        assert_eq!(action(&key, Table), Some(Action::Sort("pages_held")));
        assert_eq!(action(&key, Detail), None);
    }
}
