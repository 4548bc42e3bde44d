//! Divides the screen into header, tabs, body and footer, and draws the view, or what covers it, as body.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph, Widget, Wrap};

use pintrace_text::{cut, pad_right};

use super::app::App;
use super::header::HeaderScene;
use super::look::GraphCharacters;
use super::table::Scene;
use super::theme::Theme;
use super::time::MomentWords;
use super::{ascii, chooser, footer, header, tabs};

/// Minimum number of columns and lines.
const SMALLEST: (u16, u16) = (40, 10);
/// From this height on, an empty line separates tabs and body.
const SPACIOUS: u16 = 16;
/// Most candidates of the palette on the screen.
const CANDIDATES: usize = 10;

/// Draws the screen, and sets [`App::page`] and [`App::clicks`].
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>, theme: Theme) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    app.clicks.clear();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, buffer, theme);
        return;
    }
    let width = usize::from(area.width);
    let (snapshot, moment) = app.moment();
    let scene = HeaderScene {
        snapshot,
        moment: &moment,
        recording: app.recording.as_ref().map(|file| file.bytes),
        keys: &app.keys,
        theme,
    };
    let header = header::lines(scene, width, usize::from(area.height / 3));
    let footer_height = footer::height(app);
    let [header_area, tabs_area, _, body, footer_area] = Layout::vertical([
        Constraint::Length(u16::try_from(header.len()).unwrap_or(u16::MAX)),
        Constraint::Length(1),
        Constraint::Length(u16::from(area.height >= SPACIOUS)),
        Constraint::Fill(1),
        Constraint::Length(footer_height),
    ])
    .areas(area);
    Paragraph::new(header).render(header_area, buffer);
    let tab = (app.views.shown, app.time.baseline.is_some());
    tabs::draw(tab, &app.shown, tabs_area, buffer, &mut app.clicks, theme);
    app.page = draw_body(app, body, buffer, theme);
    if app.palette.is_open() {
        draw_candidates(app, body, buffer, theme);
    }
    footer::draw(app, footer_area, buffer, theme);
    if theme.graph == GraphCharacters::Ascii {
        ascii::replace(buffer);
    }
}

/// Draws the help, the chooser of columns or the view, and returns how many lines or rows fit.
fn draw_body(app: &mut App, body: Rect, buffer: &mut Buffer, theme: Theme) -> usize {
    if let Some(help) = &mut app.help {
        return help.draw(app.views.shown, &app.shown, &app.keys, body, buffer, theme);
    }
    if let Some(cursor) = app.chooser {
        let lines = chooser::lines(&app.views.columns(), cursor, usize::from(body.width), theme);
        let room = usize::from(body.height);
        let first = (cursor + 2).saturating_sub(room);
        let visible: Vec<Line<'static>> = lines.into_iter().skip(first).take(room).collect();
        Paragraph::new(visible).render(body, buffer);
        return room;
    }
    let scene = Scene {
        snapshot: &app.shown,
        filter: &app.filter,
        history: app.time.history(),
        baseline: app.time.baseline.as_deref(),
        keys: &app.keys,
        visible: usize::MAX,
        // The limit is read now, so it says nothing about another moment.
        locked_memory: app
            .locked_memory
            .filter(|_| app.time.words() == MomentWords::Present),
        theme,
    };
    app.views.draw(&scene, body, buffer, &mut app.clicks)
}

/// Draws the commands that the typed text may become, above the footer.
fn draw_candidates(app: &App, body: Rect, buffer: &mut Buffer, theme: Theme) {
    let candidates = app.palette.candidates(app.screen(), &app.keys);
    let room = CANDIDATES.min(usize::from(body.height));
    let first = (app.palette.cursor + 1).saturating_sub(room);
    let lines: Vec<Line<'static>> = candidates
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(index, candidate)| {
            let command = format!("{} {}", candidate.command, candidate.argument);
            let pointer = if index == app.palette.cursor { ">" } else { " " };
            let text = format!(
                "{pointer} {} {} {}",
                pad_right(&command, 30),
                pad_right(&candidate.keys, 10),
                candidate.help
            );
            let style = if index == app.palette.cursor {
                theme.selected()
            } else {
                theme.plain()
            };
            Line::styled(
                pad_right(&cut(&text, usize::from(body.width)), usize::from(body.width)),
                style,
            )
        })
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(body.height);
    let place = Rect {
        y: body.y + body.height - height,
        height,
        ..body
    };
    Clear.render(place, buffer);
    Paragraph::new(lines).render(place, buffer);
}

fn too_small(area: Rect, buffer: &mut Buffer, theme: Theme) {
    let (width, height) = SMALLEST;
    let message = format!("terminal too small\nneeds {width}x{height}, q quits");
    let paragraph = Paragraph::new(message).wrap(Wrap { trim: true });
    paragraph.style(theme.plain()).render(area, buffer);
}
