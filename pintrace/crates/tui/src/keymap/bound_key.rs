//! A key of the keyboard, as bindings name it.

use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoundKey {
    code: KeyCode,
    control: bool,
}

/// The named keys, as [`BoundKey::label`] and the configuration write them.
const NAMED: [(&str, KeyCode); 15] = [
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("BackTab", KeyCode::BackTab),
    ("Backspace", KeyCode::Backspace),
    ("↑", KeyCode::Up),
    ("↓", KeyCode::Down),
    ("←", KeyCode::Left),
    ("→", KeyCode::Right),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Delete", KeyCode::Delete),
];

/// The names of arrows that can be typed.
const ARROWS: [(&str, &str); 4] = [("Up", "↑"), ("Down", "↓"), ("Left", "←"), ("Right", "→")];

impl BoundKey {
    pub(super) const fn char(char: char) -> Self {
        Self::code(KeyCode::Char(char))
    }

    pub(super) const fn code(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    pub(super) const fn control(char: char) -> Self {
        Self {
            code: KeyCode::Char(char),
            control: true,
        }
    }

    pub(super) fn matches(self, event: &KeyEvent) -> bool {
        // A key with Alt is another key. Shift is already part of the character.
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        self.code == event.code && self.control == control && !alt
    }

    /// Returns the name on the screen.
    pub(crate) fn label(self) -> String {
        match self.code {
            KeyCode::Char(char) if self.control => format!("Ctrl-{}", char.to_ascii_uppercase()),
            KeyCode::F(number) => format!("F{number}"),
            code => match NAMED.iter().find(|(_, named)| *named == code) {
                Some((name, _)) => (*name).to_owned(),
                None => match code {
                    KeyCode::Char(char) => char.to_string(),
                    code => format!("{code:?}"),
                },
            },
        }
    }
}

/// A text is not the name of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a key: use a character such as x, Ctrl-X, F5, Enter, Space, Tab, Up, PgDn or Home")]
pub(crate) struct UnknownKey(pub(crate) String);

impl FromStr for BoundKey {
    type Err = UnknownKey;

    fn from_str(name: &str) -> Result<Self, UnknownKey> {
        let unknown = || UnknownKey(name.to_owned());
        let arrow = ARROWS.iter().find(|(typed, _)| *typed == name);
        let name = arrow.map_or(name, |(_, shown)| shown);
        if let Some((_, code)) = NAMED.iter().find(|(known, _)| *known == name) {
            return Ok(Self::code(*code));
        }
        let mut chars = name.chars();
        if let (Some(char), None) = (chars.next(), chars.next())
            && !char.is_control()
        {
            return Ok(Self::char(char));
        }
        if let Some(char) = name.strip_prefix("Ctrl-") {
            let mut chars = char.chars();
            return match (chars.next(), chars.next()) {
                (Some(char), None) if char.is_ascii_alphabetic() => {
                    Ok(Self::control(char.to_ascii_lowercase()))
                }
                _ => Err(unknown()),
            };
        }
        if let Some(number) = name.strip_prefix('F') {
            return match number.parse() {
                Ok(number @ 1..=12) => Ok(Self::code(KeyCode::F(number))),
                _ => Err(unknown()),
            };
        }
        Err(unknown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_its_key() {
        let keys = [
            "x", "R", "Ctrl-Z", "F5", "Space", "Enter", "↑", "PgDn", "BackTab", ":",
        ];
        for name in keys {
            assert_eq!(name.parse::<BoundKey>().unwrap().label(), name);
        }
        assert_eq!("Up".parse::<BoundKey>().unwrap().label(), "↑");
        assert_eq!("↑".parse(), "Up".parse::<BoundKey>());
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "xy", "Ctrl-", "Ctrl-Enter", "F0", "F13", "Escape", "\x1b"] {
            assert_eq!(text.parse::<BoundKey>(), Err(UnknownKey(text.to_owned())));
        }
    }
}
