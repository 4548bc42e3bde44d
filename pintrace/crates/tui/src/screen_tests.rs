//! Tests that compare whole screens with snapshots. `INSTA_UPDATE=always cargo test` rewrites the snapshots.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use pintrace_model::snapshot::Snapshot;

use super::app::App;
use super::theme::Theme;
use super::{fixture, screen};

/// Returns the screen after some keys. `⏎`, `⎋` and `⇥` are Enter, Escape and Tab.
pub(super) fn screen(snapshot: Snapshot, (width, height): (u16, u16), keys: &str, color: bool) -> Buffer {
    let mut app = App::new(Arc::new(snapshot), Vec::new());
    let mut terminal = ratatui::Terminal::new(TestBackend::new(width, height)).unwrap();
    let theme = Theme::new(color);
    terminal
        .draw(|frame| screen::draw(&mut app, frame, theme))
        .unwrap();
    for key in keys.chars() {
        let code = match key {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '⇥' => KeyCode::Tab,
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
const NARROW: (u16, u16) = (60, 20);
pub(super) const SMALL: (u16, u16) = (40, 10);
const LARGE: (u16, u16) = (200, 50);

#[test]
fn the_table_fits_every_size() {
    assert_screen("table-80x24", &screen(fixture::busy(), CLASSIC, "", true));
    assert_screen("table-40x10", &screen(fixture::busy(), SMALL, "", true));
    assert_screen("table-200x50", &screen(fixture::busy(), LARGE, "", true));
}

#[test]
fn an_empty_table_says_that_nothing_is_pinned() {
    assert_screen("empty-80x24", &screen(fixture::empty(), CLASSIC, "", true));
    assert_screen("empty-40x10", &screen(fixture::empty(), SMALL, "", true));
}

#[test]
fn every_loss_is_shown_by_name() {
    assert_screen("loss-80x24", &screen(fixture::lossy(), CLASSIC, "", true));
    assert_screen("loss-40x10", &screen(fixture::lossy(), SMALL, "", true));
}

#[test]
fn unaccounted_and_the_first_loss_are_always_shown() {
    let mut snapshot = fixture::lossy();
    snapshot.loss.iter_mut().for_each(|(_, count)| *count = u64::MAX);
    let text = rows(&screen(snapshot, SMALL, "", true)).join("\n");
    assert!(text.contains("! unaccounted -17"), "{text}");
    assert!(text.contains("! loss ring_full"), "{text}");
    assert!(text.contains("more (?)"), "{text}");
}

#[test]
fn unreadable_vmstat_counters_are_not_zero() {
    let mut snapshot = fixture::busy();
    snapshot.balance.vmstat_readable = false;
    let text = rows(&screen(snapshot, CLASSIC, "", true)).join("\n");
    assert!(text.contains("! unaccounted unknown"), "{text}");
}

#[test]
fn the_detail_shows_extents_stack_and_threads() {
    assert_screen("detail-80x24", &screen(fixture::busy(), CLASSIC, "⏎j", true));
    assert_screen("detail-40x10", &screen(fixture::busy(), SMALL, "⏎", true));
    assert_screen(
        "detail-threads-80x24",
        &screen(fixture::busy(), CLASSIC, "⏎⇥", true),
    );
    assert_screen(
        "detail-ended-80x24",
        &screen(fixture::busy(), CLASSIC, "j⏎", true),
    );
}

#[test]
fn the_list_of_findings_is_above_the_evidence_of_the_selected_finding() {
    assert_screen("findings-80x24", &screen(fixture::found(), CLASSIC, "f", true));
    assert_screen("findings-60x20", &screen(fixture::found(), NARROW, "fj", true));
    assert_screen("findings-40x10", &screen(fixture::found(), SMALL, "f", true));
    assert_screen("findings-200x50", &screen(fixture::found(), LARGE, "fjjj", true));
    assert_screen(
        "findings-filter-80x24",
        &screen(fixture::found(), CLASSIC, "f/fork⏎", true),
    );
}

#[test]
fn one_finding_fills_the_screen_with_both_stacks() {
    assert_screen("finding-80x24", &screen(fixture::found(), CLASSIC, "fjjj⏎", true));
    assert_screen("finding-60x20", &screen(fixture::found(), NARROW, "f⏎G", true));
}

#[test]
fn flush_windows_are_a_tab_of_the_findings() {
    assert_screen("windows-80x24", &screen(fixture::found(), CLASSIC, "f⇥", true));
    assert_screen("windows-60x20", &screen(fixture::found(), NARROW, "f⇥", true));
}

#[test]
fn without_findings_the_screen_names_the_kinds_that_are_not_covered() {
    let text = |purposes: &[&str], why: &str, keys: &str| {
        let mut started = fixture::watched(purposes);
        started.without_findings = why.to_owned();
        let snapshot = Snapshot {
            started: Arc::new(started),
            ..fixture::busy()
        };
        rows(&screen(snapshot, CLASSIC, keys, true))
    };
    let all = ["copy", "fork", "mapping", "window"];
    let has = |rows: &[String], line: &str| assert!(rows.iter().any(|row| row == line), "{rows:#?}");
    has(&text(&all, "", "f"), "  No findings.");
    has(
        &text(&[], "--no-findings", "f"),
        "  No findings. Switched off by --no-findings: all kinds except",
    );
    has(
        &text(&all[..3], "", "f"),
        "  No findings. Not covered by the attached hooks: pin-in-flush-window,",
    );
    has(
        &text(&all, "", "f⇥"),
        "  No write protection has waited for its TLB flush.",
    );
    let none = text(&[], "--no-findings", "f⇥").join("\n");
    assert!(none.contains("flush. Switched off by"), "{none}");
}

#[test]
fn severities_are_shown_as_words_and_colour_only_repeats_them() {
    let plain = screen(fixture::found(), CLASSIC, "f", false);
    let coloured = screen(fixture::found(), CLASSIC, "f", true);
    let colours = |buffer: &Buffer| buffer.content().iter().any(|cell| cell.fg != Color::Reset);
    assert!(!colours(&plain) && colours(&coloured));
    assert_eq!(rows(&plain), rows(&coloured));
    let text = rows(&plain).join("\n");
    for word in ["alarm   cow-", "hazard  mapping-", "note    fork-"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn the_help_names_every_key() {
    assert_screen("help-80x24", &screen(fixture::busy(), CLASSIC, "?", true));
    assert_screen("help-80x140", &screen(fixture::lossy(), (80, 140), "?", true));
}

#[test]
fn the_footer_shows_the_filter() {
    assert_screen("filter-80x24", &screen(fixture::busy(), CLASSIC, "/fi", true));
    assert_screen(
        "filter-none-80x24",
        &screen(fixture::busy(), CLASSIC, "/nobody⏎", true),
    );
}

#[test]
fn a_mistake_in_the_filter_has_a_caret_below_it() {
    let text = "/fio and pagse_held > 3";
    assert_screen(
        "filter-mistake-80x24",
        &screen(fixture::busy(), CLASSIC, text, true),
    );
    assert_screen(
        "filter-mistake-40x10",
        &screen(fixture::busy(), SMALL, text, true),
    );
    let late = "/fio and oldest > 5s and comm ~ \"^(fio|dd)$\" and pid";
    assert_screen(
        "filter-mistake-late-80x24",
        &screen(fixture::busy(), CLASSIC, &format!("{late} < init"), true),
    );
}

#[test]
fn a_list_whose_rows_lack_a_field_says_so() {
    assert_screen(
        "filter-lacks-80x24",
        &screen(fixture::found(), CLASSIC, "f/severity = alarm⏎f", true),
    );
}

#[test]
fn control_and_wide_characters_in_names_stay_in_their_cell() {
    let buffer = screen(fixture::hostile(), CLASSIC, "", true);
    assert_screen("hostile-80x24", &buffer);
    let all: String = buffer
        .content()
        .iter()
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert!(!all.chars().any(char::is_control));
    for row in rows(&buffer) {
        assert!(pintrace_text::width(&row) <= 80, "{row}");
    }
}

#[test]
fn without_colour_every_mark_is_still_there() {
    let plain = screen(fixture::lossy(), CLASSIC, "j", false);
    assert!(
        plain
            .content()
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    let coloured = screen(fixture::lossy(), CLASSIC, "j", true);
    assert!(coloured.content().iter().any(|cell| cell.fg == Color::Red));
    assert_eq!(rows(&plain), rows(&coloured));
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    for size in [(39, 24), (80, 9), (20, 2), (3, 1)] {
        let text = rows(&screen(fixture::busy(), size, "", true)).join("\n");
        assert!(text.starts_with("ter"), "{text}");
    }
}

#[test]
fn every_size_can_be_drawn() {
    // Every width at which a column can appear.
    for width in (1..40).step_by(13).chain(40..90).chain([120, 250]) {
        for height in [1, 9, 10, 11, 16, 30] {
            for keys in ["", "j⏎", "⏎⇥", "?", "/x", "/(日本 or pid = x"] {
                screen(fixture::lossy(), (width, height), keys, true);
            }
            for keys in ["f", "f⏎G", "f⇥"] {
                screen(fixture::found(), (width, height), keys, true);
            }
        }
    }
}
