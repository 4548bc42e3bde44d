//! The table of pins: every open extent.

use std::cmp::Ordering;

use ratatui::text::Line;

use pintrace_events::units::{AccountId, ExtentId, Nanos};
use pintrace_model::field::Field;
use pintrace_model::field::pin;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;
use pintrace_model::views::pin_list::{self, PinRow};
use pintrace_text::counted;

use super::super::filter::Filter;
use super::super::list::{RowStyle, address_range, offset_range};
use super::super::stack;
use super::super::table::{self, Scene, TableRow};
use super::super::view::View;
use super::figures::{figures, paragraph};

/// An open extent.
#[derive(Clone, Debug)]
pub(crate) struct PinTableRow(PinRow);

impl TableRow for PinTableRow {
    type Item = PinRow;
    type Identity = (AccountId, ExtentId, Nanos);

    const VIEW: View = View::Pins;
    const DEFAULT_SORT: &'static str = pin::DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<PinRow>> {
        pin::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        pin_list::of(snapshot).into_iter().map(Self).collect()
    }

    fn item(&self) -> &PinRow {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        let extent = &self.0.extent;
        // The hooks use the number of an extent again.
        (extent.account, extent.extent, extent.since)
    }

    fn rank(column: &Field<PinRow>, one: &PinRow, two: &PinRow) -> Ordering {
        pin::rank(column, one, two)
    }

    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        filter.admits_row(
            &filter.queries().pins,
            &self.0,
            &[self.0.process.pid],
            snapshot.time,
        )
    }

    fn width(column: &Field<PinRow>) -> usize {
        match column.id {
            "pin_state" => 15,
            "caller" => 18,
            _ => table::default_width(column),
        }
    }

    fn cell(&self, column: &Field<PinRow>, width: usize, now: Nanos) -> String {
        let extent = &self.0.extent;
        match column.id {
            "address" if extent.is_in_file => offset_range(extent.address, extent.end, width),
            "address" => address_range(extent.address, extent.end, width),
            _ => table::text(&(column.value)(&self.0).at(now)),
        }
    }

    fn style(&self, scene: &Scene<'_>) -> RowStyle {
        let style = if self.0.process.ended.is_some() {
            scene.theme.dim()
        } else {
            scene.theme.plain()
        };
        RowStyle {
            mark: if self.0.process.ended.is_some() { "†" } else { "" },
            style,
        }
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let PinRow { process, extent, .. } = &self.0;
        let mut lines = vec![Line::styled(
            format!(
                "{} of {} ({})",
                counted(extent.pages_held, "page"),
                text::printable(&process.comm),
                process.pid.0
            ),
            theme.strong(),
        )];
        let columns: Vec<_> = pin::COLUMNS.iter().collect();
        lines.extend(figures(&columns, &self.0, snapshot.time, width, theme));
        let unit = if extent.is_in_file { "file offset " } else { "" };
        let range = format!("{unit}{:#x}-{:#x}", extent.address, extent.end);
        lines.extend(paragraph("where", &range, width, theme));
        if extent.partially_released {
            let words = format!(
                "{} of the {} are held. Which ones is not known: the kernel releases pages, and not addresses.",
                counted(extent.pages_held, "page"),
                counted(extent.pages, "page")
            );
            lines.extend(paragraph("released", &words, width, theme));
        }
        let through = match extent.descriptor {
            Some(descriptor) => format!("{} on descriptor {descriptor}", extent.subsystem),
            None => extent.subsystem.to_string(),
        };
        lines.extend(paragraph("through", &through, width, theme));
        if extent.stack.is_empty() {
            lines.push(Line::styled("  stack unknown", theme.dim()));
        }
        lines.extend(stack::lines(&extent.stack, 2, width, theme));
        lines
    }

    fn summary(scene: &Scene<'_>) -> Option<String> {
        let accounts = scene
            .snapshot
            .processes
            .iter()
            .flat_map(|process| &process.held_accounts);
        let without = accounts.filter(|account| account.from_scan || account.longterm);
        let pages = without.fold(0_u64, |sum, account| sum.saturating_add(account.pages_held));
        (pages > 0).then(|| {
            format!(
                "{} more are held whose extents are not known",
                counted(pages, "page")
            )
        })
    }

    fn empty(scene: &Scene<'_>) -> String {
        let snapshot = scene.snapshot;
        if snapshot.started.mode == "scan" {
            "Memory is scanned and nothing is traced, so the ranges of the pins are not known. View 3 shows the holders."
                .to_owned()
        } else {
            "No long-term pin has been taken since the start. View 3 shows the holders of preexisting pins, if memory is \
             scanned."
                .to_owned()
        }
    }
}
