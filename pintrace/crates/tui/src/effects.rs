//! The effects of actions outside the view: the clipboard of the terminal, and files.

use std::io::{self, Write};
use std::path::Path;

use crossterm::QueueableCommand;
use crossterm::clipboard::CopyToClipboard;

use pintrace_model::text;
use pintrace_text::counted;

use super::app::{App, Effect};
use super::options::ViewOptions;
use super::recorder::Recorder;

/// Does what the last action has asked for.
pub(super) fn apply(app: &mut App, options: &ViewOptions) -> io::Result<()> {
    let recorder = options.recorder.as_deref();
    match app.effect.take() {
        None => {}
        Some(Effect::Copy(text)) => {
            let mut stdout = io::stdout();
            stdout.queue(CopyToClipboard::to_clipboard_from(text))?.flush()?;
        }
        Some(Effect::Save(path)) => {
            let saved = options.save.map(|save| save(&app.shown, path.as_deref()));
            app.notice = Some(match saved {
                None => "Nothing can be saved here.".to_owned(),
                Some(Ok(path)) => format!("Saved {}.", path.display()),
                Some(Err(error)) => format!("Not saved: {error}."),
            });
        }
        Some(Effect::Record(path)) => {
            app.notice = Some(record(app, path.as_deref(), recorder));
        }
    }
    match recorder.map(Recorder::file).transpose() {
        Ok(file) => app.recording = file.flatten(),
        Err(why) => {
            app.recording = None;
            app.notice = Some(format!("The recording has ended: {why}."));
        }
    }
    Ok(())
}

/// Begins a recording, or ends the one that is being written, and returns the words for the user.
fn record(app: &App, path: Option<&Path>, recorder: Option<&dyn Recorder>) -> String {
    let Some(recorder) = recorder else {
        return "Only a live session can be recorded.".to_owned();
    };
    let name = |path: &Path| text::printable(&path.display().to_string());
    match (app.recording.is_some(), path) {
        (true, Some(_)) => format!(
            "A recording is being written: {} ends it.",
            app.keys.key_of("record")
        ),
        (true, None) => match recorder.stop() {
            Ok(file) if file.missing != 0 => format!(
                "Recorded {}, without {} that could not be written.",
                name(&file.path),
                counted(file.missing, "event")
            ),
            Ok(file) => format!(
                "Recorded {} ({}). `pintrace replay` shows it.",
                name(&file.path),
                text::bytes(file.bytes)
            ),
            Err(why) => format!("The recording has ended: {why}."),
        },
        (false, path) => match recorder.start(path) {
            Ok(path) => format!("Recording to {}, from the start of this session on.", name(&path)),
            Err(why) => format!("Not recorded: {why}."),
        },
    }
}
