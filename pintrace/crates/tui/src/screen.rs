//! Divides the screen: header, body, footer. Draws whatever is open.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::app::App;
use super::theme::Theme;
use super::{detail, findings, footer, header, help, table};

/// Below this nothing useful fits.
const SMALLEST: (u16, u16) = (40, 10);

/// Draws all of the screen; tells the app how far a page reaches.
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, frame.buffer_mut(), theme);
        return;
    }
    let buffer = frame.buffer_mut();
    let width = usize::from(area.width);
    let header = header::lines(&app.shown, app.frozen, width, usize::from(area.height / 3), theme);
    let mut y = area.y;
    for line in &header {
        buffer.set_line(area.x, y, line, area.width);
        y += 1;
    }
    if area.height >= 16 {
        y += 1;
    }
    let last = area.bottom() - 1;
    let body = Rect {
        y,
        height: last - y,
        ..area
    };
    if app.help.is_some() {
        app.page = scrolled(app, body, buffer, theme);
    } else if app.findings.shown {
        let paper = (body, &mut *buffer);
        app.page = findings::draw(&mut app.findings, &app.shown, &app.filter, paper, theme);
    } else if app.detail.is_some() {
        app.page = detail::draw(app, body, buffer, theme);
    } else {
        app.page = table::draw(app, body, buffer, theme);
    }
    buffer.set_line(area.x, last, &footer::line(app, width, theme), area.width);
}

/// The help, from the line that it is scrolled to.
fn scrolled(app: &mut App, area: Rect, buffer: &mut Buffer, theme: Theme) -> usize {
    let lines = help::lines(&app.shown, usize::from(area.width), theme);
    let room = usize::from(area.height);
    let first = app.help.unwrap_or(0).min(lines.len().saturating_sub(room));
    app.help = Some(first);
    app.help_lines = lines.len();
    for (y, line) in (area.y..).zip(lines.iter().skip(first).take(room)) {
        buffer.set_line(area.x, y, line, area.width);
    }
    room
}

fn too_small(area: Rect, buffer: &mut Buffer, theme: Theme) {
    let (width, height) = SMALLEST;
    let messages = [
        "terminal too small".to_owned(),
        format!("needs {width}x{height}, q quits"),
    ];
    for (y, message) in (area.y..area.bottom()).zip(messages) {
        buffer.set_line(area.x, y, &Line::styled(message, theme.plain()), area.width);
    }
}
