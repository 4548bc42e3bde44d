//! The palette: a line on which commands are typed, with completion and history.

use crossterm::event::{KeyCode, KeyEvent};

use super::app::COMMANDS;
use super::keymap::{self, BoundKey, KeyScreen, Remapped};
use super::typed_line::TypedLine;

/// Commands that are remembered.
const REMEMBERED: usize = 100;

/// The palette.
#[derive(Debug, Default)]
pub(super) struct Palette {
    /// The typed line, while the palette is open.
    line: Option<TypedLine>,
    /// The selected candidate.
    pub(super) cursor: usize,
    /// The commands that were run, the latest last.
    history: Vec<String>,
    /// Number of steps back in the history.
    recalled: usize,
}

/// The effect of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PaletteStep {
    /// The palette has taken the key.
    Open,
    /// Run this command. The palette is closed; an empty command is none.
    Run(String),
    /// The key is not for the palette.
    NotForPalette,
}

/// A command that the typed text may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) command: &'static str,
    /// The argument that the command takes; empty for none.
    pub(super) argument: &'static str,
    pub(super) help: &'static str,
    /// The keys with the same effect.
    pub(super) keys: String,
}

impl Palette {
    /// Opens the palette.
    pub(super) fn open(&mut self) {
        self.line = Some(TypedLine::default());
        self.cursor = 0;
        self.recalled = 0;
    }

    /// Returns true while commands are typed.
    pub(super) fn is_open(&self) -> bool {
        self.line.is_some()
    }

    /// Returns the typed text.
    pub(super) fn text(&self) -> &str {
        self.line.as_ref().map_or("", TypedLine::text)
    }

    /// Returns the text before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        self.line.as_ref().map_or("", TypedLine::before_cursor)
    }

    /// Acts on a key.
    pub(super) fn press(&mut self, key: &KeyEvent, screen: KeyScreen, keys: &Remapped) -> PaletteStep {
        let mut line = self.line.clone().unwrap_or_default();
        match key.code {
            KeyCode::Esc => {
                self.line = None;
                return PaletteStep::Run(String::new());
            }
            KeyCode::Enter => return PaletteStep::Run(self.finish(screen, keys)),
            KeyCode::Tab => {
                if let Some(candidate) = self.candidates(screen, keys).get(self.cursor) {
                    let space = if candidate.argument.is_empty() { "" } else { " " };
                    line = TypedLine::new(format!("{}{space}", candidate.command));
                }
            }
            KeyCode::Down => {
                let last = self.candidates(screen, keys).len().saturating_sub(1);
                self.cursor = (self.cursor + 1).min(last);
                return PaletteStep::Open;
            }
            KeyCode::Up if self.cursor > 0 => {
                self.cursor -= 1;
                return PaletteStep::Open;
            }
            KeyCode::Up => match self.recall() {
                Some(command) => line = TypedLine::new(command),
                None => return PaletteStep::Open,
            },
            KeyCode::Backspace if line.text().is_empty() => {
                self.line = None;
                return PaletteStep::Run(String::new());
            }
            _ if line.press(key) => {}
            _ => return PaletteStep::NotForPalette,
        }
        if line.text() != self.text() {
            self.cursor = 0;
        }
        self.line = Some(line);
        PaletteStep::Open
    }

    /// Closes the palette and returns the command: the typed text if it is one, else the selected candidate.
    fn finish(&mut self, screen: KeyScreen, keys: &Remapped) -> String {
        let candidates = self.candidates(screen, keys);
        let typed = self.line.take().unwrap_or_default().text().trim().to_owned();
        let name = typed.split_whitespace().next().unwrap_or_default();
        let takes_argument = COMMANDS.iter().any(|command| command.name == name);
        let is_command = takes_argument || candidates.iter().any(|candidate| candidate.command == typed);
        let selected = candidates.get(self.cursor).filter(|_| !typed.is_empty());
        let command = match selected {
            Some(candidate) if !is_command && candidate.argument.is_empty() => candidate.command.to_owned(),
            _ => typed,
        };
        if !command.is_empty() && self.history.last() != Some(&command) {
            self.history.push(command.clone());
            if self.history.len() > REMEMBERED {
                self.history.remove(0);
            }
        }
        command
    }

    /// Returns the command before the one that was recalled last.
    fn recall(&mut self) -> Option<String> {
        let index = self.history.len().checked_sub(self.recalled + 1)?;
        self.recalled += 1;
        self.history.get(index).cloned()
    }

    /// Returns the commands that contain the typed letters in their order, those that begin with the text first.
    pub(super) fn candidates(&self, screen: KeyScreen, keys: &Remapped) -> Vec<Candidate> {
        let typed = self.text().trim_start().to_lowercase();
        let bound = keymap::in_force(screen).map(|binding| Candidate {
            command: binding.command,
            argument: "",
            help: binding.help,
            keys: labels(&keys.keys_of(binding)),
        });
        let arguments = COMMANDS.iter().map(|command| Candidate {
            command: command.name,
            argument: command.argument,
            help: command.help,
            keys: String::new(),
        });
        let mut found: Vec<Candidate> = bound
            .chain(arguments)
            .filter(|candidate| has_letters(candidate.command, &typed))
            .collect();
        found.sort_by_key(|candidate| !candidate.command.starts_with(typed.trim_end()));
        found
    }
}

fn labels(keys: &[BoundKey]) -> String {
    let labels: Vec<String> = keys.iter().map(|key| key.label()).collect();
    labels.join(" ")
}

/// Returns true if a command has the letters in their order. The argument of a typed command is left out.
fn has_letters(command: &str, typed: &str) -> bool {
    if let Some(rest) = typed.strip_prefix(command)
        && (rest.is_empty() || rest.starts_with(' '))
    {
        return true;
    }
    let mut letters = command.chars();
    typed
        .trim_end()
        .chars()
        .all(|wanted| letters.any(|letter| letter == wanted))
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::super::view::View;
    use super::*;

    const SCREEN: KeyScreen = KeyScreen {
        view: View::Processes,
        is_open: false,
    };

    fn typed(palette: &mut Palette, keys: &str) -> PaletteStep {
        let mut step = PaletteStep::Open;
        for char in keys.chars() {
            let code = match char {
                '⏎' => KeyCode::Enter,
                '⇥' => KeyCode::Tab,
                '↑' => KeyCode::Up,
                char => KeyCode::Char(char),
            };
            let key = KeyEvent::new(code, KeyModifiers::NONE);
            step = palette.press(&key, SCREEN, &Remapped::default());
        }
        step
    }

    fn run(palette: &mut Palette, keys: &str) -> String {
        palette.open();
        match typed(palette, keys) {
            PaletteStep::Run(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_candidate_completes_a_command() {
        let mut palette = Palette::default();
        assert_eq!(run(&mut palette, "vpin⏎"), "view pins");
        assert_eq!(run(&mut palette, "sort old⇥⏎"), "sort oldest");
        assert_eq!(run(&mut palette, "at -90s⏎"), "at -90s");
        assert_eq!(run(&mut palette, "no such thing⏎"), "no such thing");
        assert_eq!(run(&mut palette, "⏎"), "");
    }

    #[test]
    fn commands_are_remembered() {
        let mut palette = Palette::default();
        for command in ["quit⏎", "at -5s⏎"] {
            run(&mut palette, command);
        }
        assert_eq!(run(&mut palette, "↑⏎"), "at -5s");
        assert_eq!(run(&mut palette, "↑↑⏎"), "quit");
    }

    #[test]
    fn every_binding_is_a_candidate_with_its_keys() {
        let mut palette = Palette::default();
        palette.open();
        let candidates = palette.candidates(SCREEN, &Remapped::default());
        for binding in keymap::in_force(SCREEN) {
            let found = candidates
                .iter()
                .find(|candidate| candidate.command == binding.command);
            assert!(
                found.is_some_and(|found| !found.keys.is_empty()),
                "{}",
                binding.command
            );
        }
    }
}
