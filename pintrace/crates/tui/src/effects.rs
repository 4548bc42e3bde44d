//! The effects of actions outside the view: the clipboard of the terminal, and files.

use std::io::{self, Write};

use crossterm::QueueableCommand;
use crossterm::clipboard::CopyToClipboard;

use super::SaveSnapshot;
use super::app::{App, Effect};

/// Does what the last action has asked for.
pub(super) fn apply(app: &mut App, save: Option<SaveSnapshot>) -> io::Result<()> {
    match app.effect.take() {
        None => {}
        Some(Effect::Copy(text)) => {
            let mut stdout = io::stdout();
            stdout.queue(CopyToClipboard::to_clipboard_from(text))?.flush()?;
        }
        Some(Effect::Save(path)) => {
            let saved = save.map(|save| save(&app.shown, path.as_deref()));
            app.notice = Some(match saved {
                None => "Nothing can be saved here.".to_owned(),
                Some(Ok(path)) => format!("Saved {}.", path.display()),
                Some(Err(error)) => format!("Not saved: {error}."),
            });
        }
    }
    Ok(())
}
