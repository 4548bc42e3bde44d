//! Divides the screen into header, body and footer, and draws the open screen as body.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::app::App;
use super::theme::Theme;
use super::{findings, footer, header, help, own_cost, pin_calls, processes};

/// Minimum number of columns and lines.
const SMALLEST: (u16, u16) = (40, 10);
/// From this height on, an empty line separates header and body.
const SPACIOUS: u16 = 16;

/// Draws the screen and sets [`App::page`].
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>, theme: Theme) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, buffer, theme);
        return;
    }
    let width = usize::from(area.width);
    let header = header::lines(&app.shown, app.frozen, width, usize::from(area.height / 3), theme);
    let header_height = u16::try_from(header.len()).unwrap_or(u16::MAX);
    let gap = u16::from(area.height >= SPACIOUS);
    let [header_area, _, body, footer_area] = Layout::vertical([
        Constraint::Length(header_height),
        Constraint::Length(gap),
        Constraint::Fill(1),
        Constraint::Length(footer::height(app)),
    ])
    .areas(area);
    Paragraph::new(header).render(header_area, buffer);
    let canvas = (body, &mut *buffer);
    app.page = if let Some(position) = &mut app.help {
        let lines = |width| help::lines(&app.shown, width, theme);
        position.draw(lines, body, buffer, theme)
    } else if let Some(position) = &mut app.own_cost {
        let lines = |width| own_cost::lines(&app.shown, width, theme);
        position.draw(lines, body, buffer, theme)
    } else if let Some(position) = &mut app.pin_calls {
        let lines = |width| pin_calls::lines(&app.shown, &app.filter, width, theme);
        position.draw(lines, body, buffer, theme)
    } else if app.findings.shown {
        findings::draw(&mut app.findings, &app.shown, &app.filter, canvas, theme)
    } else if app.processes.open.is_some() {
        processes::draw_detail(&app.processes, &app.shown, canvas, theme)
    } else {
        processes::draw_table(&app.processes, &app.shown, &app.filter, canvas, theme)
    };
    Paragraph::new(footer::lines(app, width, theme)).render(footer_area, buffer);
}

fn too_small(area: Rect, buffer: &mut Buffer, theme: Theme) {
    let (width, height) = SMALLEST;
    let message = format!("terminal too small\nneeds {width}x{height}, q quits");
    let paragraph = Paragraph::new(message).wrap(Wrap { trim: true });
    paragraph.style(theme.plain()).render(area, buffer);
}
