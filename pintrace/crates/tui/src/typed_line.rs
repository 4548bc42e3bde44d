//! A line that is typed: its text, its cursor, and the keys that edit it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

/// A line that is typed.
#[derive(Clone, Debug, Default)]
pub(super) struct TypedLine(Input);

impl TypedLine {
    /// Returns a line with a text, and the cursor at its end.
    pub(super) fn new(text: String) -> Self {
        Self(Input::new(text))
    }

    /// Returns the text.
    pub(super) fn text(&self) -> &str {
        self.0.value()
    }

    /// Returns the text before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        let text = self.text();
        let place = text.char_indices().nth(self.0.cursor());
        place.map_or(text, |(byte, _)| text.get(..byte).unwrap_or_default())
    }

    /// Acts on a key. Returns false if the key is not one of the line.
    pub(super) fn press(&mut self, key: &KeyEvent) -> bool {
        let request = request(key);
        if let Some(request) = request {
            self.0.handle(request);
        }
        request.is_some()
    }
}

/// Returns the edit of a key, with the keys of a shell.
fn request(key: &KeyEvent) -> Option<InputRequest> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    Some(match key.code {
        KeyCode::Backspace if alt || control => InputRequest::DeletePrevWord,
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left if alt || control => InputRequest::GoToPrevWord,
        KeyCode::Right if alt || control => InputRequest::GoToNextWord,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        KeyCode::Char('a') if control => InputRequest::GoToStart,
        KeyCode::Char('e') if control => InputRequest::GoToEnd,
        KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
        KeyCode::Char('u') if control => InputRequest::DeleteFromStart,
        KeyCode::Char('k') if control => InputRequest::DeleteTillEnd,
        KeyCode::Char('b') if alt => InputRequest::GoToPrevWord,
        KeyCode::Char('f') if alt => InputRequest::GoToNextWord,
        KeyCode::Char('d') if alt => InputRequest::DeleteNextWord,
        KeyCode::Char(char) if !control && !alt && !char.is_control() => InputRequest::InsertChar(char),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(line: &mut TypedLine, code: KeyCode, modifiers: KeyModifiers) -> bool {
        line.press(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_edit_at_the_cursor() {
        let mut line = TypedLine::new("comm = fio".to_owned());
        let none = KeyModifiers::NONE;
        assert!(pressed(&mut line, KeyCode::Left, KeyModifiers::CONTROL));
        assert_eq!(line.before_cursor(), "comm = ");
        pressed(&mut line, KeyCode::Char('日'), none);
        pressed(&mut line, KeyCode::Left, none);
        assert_eq!(line.before_cursor(), "comm = ");
        pressed(&mut line, KeyCode::Delete, none);
        assert_eq!(line.text(), "comm = fio");
        pressed(&mut line, KeyCode::Home, none);
        pressed(&mut line, KeyCode::Char('k'), KeyModifiers::CONTROL);
        assert_eq!(line.text(), "");
    }

    #[test]
    fn other_keys_are_not_for_the_line() {
        let mut line = TypedLine::default();
        for (code, modifiers) in [
            (KeyCode::PageDown, KeyModifiers::NONE),
            (KeyCode::Char('z'), KeyModifiers::CONTROL),
            (KeyCode::Up, KeyModifiers::NONE),
        ] {
            assert!(!pressed(&mut line, code, modifiers), "{code:?}");
        }
    }
}
