//! Tests of whole screens, most of them compared with snapshots. `INSTA_UPDATE=always cargo test` rewrites the snapshots.

mod look;
mod typed;
mod views;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use pintrace_events::units::Pid;
use pintrace_model::locked_memory::LockedMemory;
use pintrace_model::snapshot::Snapshot;

use super::app::App;
use super::theme::Theme;
use super::view::View;
use super::{fixture, screen};

/// Returns the screen after some keys. `⏎`, `⎋`, `⇥` and the arrows are keys.
pub(super) fn screen(snapshot: Snapshot, size: (u16, u16), keys: &str, color: bool) -> Buffer {
    screen_of(snapshot, size, keys, Theme::new(color))
}

/// Returns the same limit for each process.
#[expect(clippy::unnecessary_wraps, reason = "a reader has one type")]
fn locked_memory(_: Pid) -> Option<LockedMemory> {
    Some(LockedMemory {
        limit: Some(64 << 20),
        pinned: 4 << 20,
        ..LockedMemory::default()
    })
}

fn screen_of(snapshot: Snapshot, (width, height): (u16, u16), keys: &str, theme: Theme) -> Buffer {
    let mut app = App::new(Arc::new(snapshot), Vec::new());
    app.locked_memory = Some(locked_memory);
    let mut terminal = ratatui::Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| screen::draw(&mut app, frame, theme))
        .unwrap();
    for key in keys.chars() {
        let code = match key {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '⇥' => KeyCode::Tab,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            char => KeyCode::Char(char),
        };
        app.press(&KeyEvent::new(code, KeyModifiers::NONE));
        terminal
            .draw(|frame| screen::draw(&mut app, frame, theme))
            .unwrap();
    }
    terminal.backend().buffer().clone()
}

pub(super) fn rows(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let row = |cells: &[ratatui::buffer::Cell]| {
        let mut text = String::new();
        let mut covered = 0_usize;
        for cell in cells {
            // The cell after a wide character contains a space that the terminal does not show.
            if covered == 0 {
                text.push_str(cell.symbol());
                covered = pintrace_text::width(cell.symbol()).max(1);
            }
            covered -= 1;
        }
        text.trim_end().to_owned()
    };
    buffer.content().chunks(width).map(row).collect()
}

pub(super) fn assert_screen(name: &str, buffer: &Buffer) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, rows(buffer).join("\n")));
}

pub(super) const CLASSIC: (u16, u16) = (80, 24);
const SMALL: (u16, u16) = (40, 10);
const WIDE: (u16, u16) = (120, 40);
/// The sizes at which every view is compared.
const SIZES: [(u16, u16); 4] = [SMALL, CLASSIC, WIDE, (200, 60)];

/// Returns the text of a screen.
pub(super) fn text(snapshot: Snapshot, size: (u16, u16), keys: &str) -> String {
    rows(&screen(snapshot, size, keys, true)).join("\n")
}

/// Compares the screens at every size with one snapshot.
fn assert_sizes(name: &str, snapshot: &Snapshot, keys: &str) {
    let screens = SIZES.map(|(width, height)| {
        let text = text(snapshot.clone(), (width, height), keys);
        format!(
            "{width}x{height}\n{}\n{}\n",
            "=".repeat(usize::from(width)),
            text.trim_end()
        )
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, screens.join("\n")));
}

/// Compares every view of a snapshot at every size.
fn assert_views(name: &str, snapshot: &Snapshot) {
    for view in View::ALL {
        let title = view.title().to_lowercase().replace(' ', "-");
        assert_sizes(&format!("{title}-{name}"), snapshot, &view.digit().to_string());
    }
}
