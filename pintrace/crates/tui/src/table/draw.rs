//! Draws a table: lines above it, the rows, a line below them, and the detail of the row under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use pintrace_model::field::Field;
use pintrace_text::cut;

use super::super::clicks::{Click, Clicks};
use super::super::columns::ListColumn;
use super::super::list::{List, SortMark, direction_mark};
use super::super::message;
use super::row::{Scene, TableRow};
use super::state::TableView;

/// From this height on, the detail of the row under the cursor is below the table.
const DIVIDED: u16 = 14;

impl<R: TableRow> TableView<R> {
    /// Draws the table or the open row, and returns how many rows or lines fit.
    pub(crate) fn draw(
        &mut self,
        scene: &Scene<'_>,
        area: Rect,
        buffer: &mut Buffer,
        clicks: &mut Clicks,
    ) -> usize {
        if self.is_open() {
            return self.draw_open(scene, area, buffer);
        }
        let width = usize::from(area.width);
        let mut preface = R::preface(scene, width);
        // The rows get at least half of the space.
        let most = usize::from(area.height / 2);
        if preface.len() > most {
            preface.truncate(most.saturating_sub(1));
            preface.push(Line::styled("… a taller terminal shows more", scene.theme.dim()));
        }
        let [preface_area, body] = Layout::vertical([height(preface.len()), Constraint::Fill(1)]).areas(area);
        Paragraph::new(preface).render(preface_area, buffer);
        if self.rows.is_empty() {
            self.draw_table(scene, body, buffer, clicks);
            message::draw(&self.none(scene), 2, body, buffer, scene.theme);
            return 0;
        }
        if body.height < DIVIDED {
            return self.draw_table(scene, body, buffer, clicks);
        }
        let part = Scene {
            visible: usize::from(body.height),
            ..*scene
        };
        let below = self
            .selected()
            .map(|row| row.detail(&part, width))
            .unwrap_or_default();
        let summary = usize::from(R::summary(scene).is_some());
        // Titles, rows, the line below them and an empty line.
        let most = usize::from(body.height) - below.len().min(usize::from(body.height) / 2) - 1;
        let table = (self.rows.len() + 1 + summary).min(most);
        let [table_area, _, below_area] =
            Layout::vertical([height(table), Constraint::Length(1), Constraint::Fill(1)]).areas(body);
        let room = self.draw_table(scene, table_area, buffer, clicks);
        let below = fitting(below, usize::from(below_area.height), scene);
        Paragraph::new(below).render(below_area, buffer);
        room
    }

    fn draw_open(&mut self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) -> usize {
        let mut scroll = self.scroll;
        let room = if let Some(row) = self.opened() {
            scroll.draw(|width| row.detail(scene, width), area, buffer, scene.theme)
        } else {
            let [noun, _] = R::VIEW.nouns();
            let back = scene.keys.key_of("back");
            let gone = format!("This {noun} is no longer there. {back} goes back.");
            message::draw(&gone, 0, area, buffer, scene.theme);
            0
        };
        self.scroll = scroll;
        room
    }

    /// Draws titles, rows and the line below them, and returns how many rows fit.
    fn draw_table(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer, clicks: &mut Clicks) -> usize {
        let summary = R::summary(scene);
        let below = u16::from(summary.is_some() && area.height > 4);
        let [rows_area, summary_area] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
        let columns = self.shown_columns();
        let list = List {
            columns: &columns
                .iter()
                .map(|column| list_column::<R>(column))
                .collect::<Vec<_>>(),
            sorted: self.sort_mark(&columns),
            entries: self.rows.len(),
            cursor: self.cursor.row,
            theme: scene.theme,
        };
        let drawn = list.draw(
            rows_area,
            buffer,
            |row| self.rows.get(row).map(|row| row.style(scene)).unwrap_or_default(),
            |row, index, list_column| {
                let is_selected = row == self.cursor.row;
                let cell = self.rows.get(row).zip(columns.get(index));
                cell.map(|(row, column)| {
                    let text = row.cell(column, list_column.width, scene.snapshot.time);
                    let mut style = row.cell_style(column, scene.theme);
                    if is_selected {
                        // A reversed colour would be a patch in the row under the cursor.
                        style.fg = None;
                    }
                    (text, style)
                })
                .unwrap_or_default()
            },
        );
        for (index, place) in &drawn.titles {
            if let Some(column) = columns.get(*index) {
                clicks.add(*place, Click::Column(column.id));
            }
        }
        for (row, place) in drawn.rows {
            clicks.add(place, Click::Row(row));
        }
        if let Some(summary) = summary {
            // The line follows the last row.
            let rows = u16::try_from(self.rows.len() + 1).unwrap_or(u16::MAX);
            let y = rows_area.y + rows.min(rows_area.height);
            let words = cut(&summary, usize::from(area.width).saturating_sub(2)).into_owned();
            if y < summary_area.y + below {
                let place = Rect {
                    x: area.x + 2,
                    y,
                    width: area.width.saturating_sub(2),
                    height: 1,
                };
                Line::styled(words, scene.theme.dim()).render(place, buffer);
            }
        }
        drawn.room
    }

    fn sort_mark(&self, columns: &[&Field<R::Item>]) -> SortMark {
        let index = columns.iter().position(|column| column.id == self.order.column)?;
        let first = self.rows.first()?;
        let rises = self.order.rises(columns.get(index)?, first.item());
        Some((index, direction_mark(rises)))
    }

    /// Returns the reason for a table without rows.
    fn none(&self, scene: &Scene<'_>) -> String {
        if self.all == 0 {
            R::empty(scene)
        } else {
            let [noun, _] = R::VIEW.nouns();
            scene.filter.nothing_matches(noun, R::VIEW.row_kind())
        }
    }
}

fn list_column<R: TableRow>(column: &Field<R::Item>) -> ListColumn {
    ListColumn {
        title: column.title,
        width: R::width(column),
        rank: column.drop_rank,
        align: column.align,
    }
}

/// Returns the lines that fit, with a note in place of the others.
fn fitting(mut lines: Vec<Line<'static>>, room: usize, scene: &Scene<'_>) -> Vec<Line<'static>> {
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::styled(
            format!("… {} shows all of it", scene.keys.key_of("open")),
            scene.theme.dim(),
        ));
    }
    lines
}

fn height(lines: usize) -> Constraint {
    Constraint::Length(u16::try_from(lines).unwrap_or(u16::MAX))
}
