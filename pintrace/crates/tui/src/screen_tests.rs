//! Tests that compare whole screens with snapshots. `INSTA_UPDATE=always cargo test` rewrites the snapshots.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use pintrace_events::units::Pid;
use pintrace_model::locked_memory::LockedMemory;
use pintrace_model::snapshot::Snapshot;

use super::app::App;
use super::look::{ColourDepth, ColourPalette, GraphCharacters, Look};
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

#[test]
fn every_view_of_a_busy_host_fits_every_size() {
    assert_views("busy", &fixture::full());
}

#[test]
fn every_view_says_why_it_is_empty() {
    assert_views("empty", &fixture::empty());
}

#[test]
fn every_view_of_ten_thousand_processes_fits_every_size() {
    assert_views("many", &fixture::many(10_000));
}

#[test]
fn every_view_says_what_a_scan_does_not_know() {
    assert_views("scan", &fixture::scanned());
}

#[test]
fn every_view_shows_losses() {
    assert_views("lossy", &fixture::lossy());
}

#[test]
fn unaccounted_and_the_first_loss_are_always_shown() {
    let mut snapshot = fixture::lossy();
    snapshot.loss.iter_mut().for_each(|(_, count)| *count = u64::MAX);
    let text = text(snapshot, SMALL, "");
    assert!(text.contains("! unaccounted -17"), "{text}");
    assert!(text.contains("! loss ring_full"), "{text}");
    assert!(text.contains("more (?)"), "{text}");
}

#[test]
fn a_process_without_a_name_is_no_alarm() {
    let with = |losses: &[&str]| {
        let mut snapshot = fixture::busy();
        for (name, count) in &mut snapshot.loss {
            *count = if losses.contains(name) { 7 } else { 0 };
        }
        text(snapshot, CLASSIC, "")
    };
    let unnamed = with(&["name_unread"]);
    assert!(
        unnamed.contains("loss 0") && unnamed.contains("name_unread 7"),
        "{unnamed}"
    );
    assert!(
        !unnamed.contains("! name_unread") && !unnamed.contains("! loss"),
        "{unnamed}"
    );
    let lost = with(&["name_unread", "ring_full"]);
    assert!(
        lost.contains("! loss ring_full 7") && !lost.contains("! name_unread"),
        "{lost}"
    );
}

#[test]
fn unreadable_vmstat_counters_are_not_zero() {
    let mut snapshot = fixture::busy();
    snapshot.balance.vmstat_readable = false;
    let text = text(snapshot, CLASSIC, "");
    assert!(text.contains("! unaccounted unknown"), "{text}");
}

#[test]
fn an_open_row_shows_all_that_is_known_of_it() {
    for (name, keys) in [
        ("open-process", "⏎"),
        ("open-cgroup", "2j⏎"),
        ("open-holder", "3⏎"),
        ("open-pin", "4⏎"),
        ("open-call-site", "5⏎"),
        ("open-finding", "6⏎"),
        ("open-flush-window", "7⏎"),
        ("open-pin-call", "8⏎"),
    ] {
        assert_sizes(name, &fixture::full(), keys);
    }
    assert_screen("open-ended-80x24", &screen(fixture::busy(), CLASSIC, "j⏎", true));
}

#[test]
fn cgroups_are_folded_and_zoomed() {
    let all = text(fixture::full(), CLASSIC, "2");
    assert!(
        all.contains("guest-seven") && all.contains("- machine.slice"),
        "{all}"
    );
    let folded = text(fixture::full(), CLASSIC, "2j←");
    assert!(
        !folded.contains("guest-seven") && folded.contains("+ machine.slice"),
        "{folded}"
    );
    assert_eq!(
        text(fixture::full(), CLASSIC, "2j←→"),
        text(fixture::full(), CLASSIC, "2j")
    );
    let zoomed = text(fixture::full(), CLASSIC, "2jx");
    assert!(
        !zoomed.contains("system.slice") && zoomed.contains("guest-seven"),
        "{zoomed}"
    );
    assert_eq!(
        text(fixture::full(), CLASSIC, "2jx⎋"),
        text(fixture::full(), CLASSIC, "2j")
    );
}

#[test]
fn ended_processes_are_one_line_until_they_are_opened() {
    let folded = text(fixture::busy(), CLASSIC, "");
    assert!(!folded.contains(" dd"), "{folded}");
    assert!(
        folded.contains("† 1 ended process, acquired 77 pages; e shows them"),
        "{folded}"
    );
    let opened = text(fixture::busy(), CLASSIC, "e");
    assert!(
        opened.contains(" dd") && opened.contains("e hides them"),
        "{opened}"
    );
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
        &text(&all, "", "7"),
        "  No write protection has waited for its TLB flush.",
    );
    let none = text(&[], "--no-findings", "7").join("\n");
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
    for word in ["alarm ", "hazard ", "note "] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn the_help_names_every_key_of_the_view() {
    assert_screen("help-80x24", &screen(fixture::busy(), CLASSIC, "?", true));
    assert_screen("help-80x160", &screen(fixture::lossy(), (80, 160), "?", true));
    let found = text(fixture::busy(), CLASSIC, "?/mark this⏎");
    assert!(
        found.contains("mark this moment") && !found.contains("one line down"),
        "{found}"
    );
    assert_eq!(
        text(fixture::busy(), CLASSIC, "?/mark this⏎⎋"),
        text(fixture::busy(), CLASSIC, "?")
    );
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
fn a_table_whose_rows_lack_a_field_says_so() {
    let text = text(fixture::found(), CLASSIC, "f/severity = alarm⏎1");
    assert!(text.contains("Processes have no field `severity`."), "{text}");
}

#[test]
fn the_palette_lists_commands_and_keys() {
    assert_screen("palette-80x24", &screen(fixture::busy(), CLASSIC, ":view", true));
    assert_screen("palette-40x10", &screen(fixture::busy(), SMALL, ":sort", true));
}

#[test]
fn the_chooser_shows_and_hides_columns() {
    assert_screen("columns-80x24", &screen(fixture::busy(), CLASSIC, "cj", true));
    let hidden = text(fixture::busy(), CLASSIC, "cjj⏎⎋");
    let titles = hidden.lines().find(|line| line.contains("PAGES▾")).unwrap();
    assert!(!titles.contains("BYTES"), "{hidden}");
    assert_eq!(
        text(fixture::busy(), CLASSIC, "cjj⏎⏎⎋"),
        text(fixture::busy(), CLASSIC, "")
    );
}

#[test]
fn the_console_of_linux_gets_ascii_alone() {
    let look = Look::new(
        ColourPalette::Default,
        ColourDepth::Sixteen,
        &[],
        GraphCharacters::Ascii,
    );
    for view in View::ALL {
        for keys in ["", "⏎", "c", "?", ":v", "Re", "/pagse > 3"] {
            let keys = format!("{}{keys}", view.digit());
            let buffer = screen_of(fixture::busy(), WIDE, &keys, look.theme);
            let text = rows(&buffer).join("\n");
            let other: String = text.chars().filter(|char| !char.is_ascii()).collect();
            assert_eq!(other, "", "after {keys}:\n{text}");
        }
    }
}

#[test]
fn the_chooser_moves_columns() {
    let titles = |keys| {
        let text = text(fixture::busy(), WIDE, keys);
        let line = text.lines().find(|line| line.contains("PAGES▾")).unwrap();
        line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(titles("")[..3], ["PID", "PAGES▾", "BYTES"]);
    // The cursor follows the column.
    assert_eq!(titles("cj→⎋")[..3], ["PID", "BYTES", "PAGES▾"]);
    assert_eq!(titles("cj→←←⎋")[..3], ["PAGES▾", "PID", "BYTES"]);
    assert_eq!(titles("cj←←←⎋")[..3], ["PAGES▾", "PID", "BYTES"]);
}

#[test]
fn control_and_wide_characters_in_names_stay_in_their_cell() {
    for keys in ["", "2", "3", "4", "5", "6", "8", "⏎"] {
        let buffer = screen(fixture::hostile(), CLASSIC, keys, true);
        let all: String = buffer
            .content()
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        assert!(!all.chars().any(char::is_control), "{keys}");
        for row in rows(&buffer) {
            assert!(pintrace_text::width(&row) <= 80, "{row}");
        }
    }
    assert_screen("hostile-80x24", &screen(fixture::hostile(), CLASSIC, "", true));
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
fn palettes_differ_in_colours_and_not_in_text() {
    for keys in ["j", "f", "⏎", "6⏎", "?", "cj", ":view", "9"] {
        let plain = screen(fixture::full(), WIDE, keys, false);
        let mut pictures = Vec::new();
        for palette in ColourPalette::ALL {
            for depth in ColourDepth::ALL {
                let look = Look::new(palette, depth, &[], GraphCharacters::Braille);
                let shown = screen_of(fixture::full(), WIDE, keys, look.theme);
                let cells = shown.content().iter().zip(plain.content());
                for (cell, other) in cells {
                    assert_eq!(cell.symbol(), other.symbol(), "{palette:?} {keys}");
                    assert_eq!(cell.modifier, other.modifier, "{palette:?} {keys}");
                    assert_eq!(cell.bg, Color::Reset);
                }
                let colours: Vec<Color> = shown.content().iter().map(|cell| cell.fg).collect();
                let has_none = colours.iter().all(|colour| *colour == Color::Reset);
                let is_plain = palette == ColourPalette::Monochrome || depth == ColourDepth::Never;
                assert_eq!(has_none, is_plain, "{palette:?} {depth:?} {keys}");
                if depth == ColourDepth::Full {
                    pictures.push(colours);
                }
            }
        }
        pictures.dedup();
        assert_eq!(pictures.len(), ColourPalette::ALL.len(), "{keys}");
    }
}

#[test]
fn ascii_graphs_take_the_place_of_braille_ones() {
    let look = Look::new(
        ColourPalette::Default,
        ColourDepth::Sixteen,
        &[],
        GraphCharacters::Ascii,
    );
    let mut app = App::new(Arc::new(fixture::full()), Vec::new());
    for second in 1..40 {
        let mut later = fixture::full();
        later.time.0 += second * 1_000_000_000;
        app.take(Arc::new(later));
    }
    let mut shown = |theme: Theme| {
        let mut terminal = ratatui::Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal
            .draw(|frame| screen::draw(&mut app, frame, theme))
            .unwrap();
        rows(terminal.backend().buffer()).join("\n")
    };
    let is_braille = |char: char| ('\u{2800}'..='\u{28ff}').contains(&char);
    assert!(shown(Theme::new(true)).contains(is_braille));
    let ascii = shown(look.theme);
    assert!(!ascii.contains(is_braille) && ascii.contains("####"), "{ascii}");
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    for size in [(39, 24), (80, 9), (20, 2), (3, 1)] {
        let text = text(fixture::busy(), size, "");
        assert!(text.starts_with("ter"), "{text}");
    }
}

#[test]
fn every_size_can_be_drawn() {
    // Every width at which a column can appear.
    let full = fixture::full();
    for width in (1..40).step_by(13).chain((40..90).step_by(7)).chain([120, 300]) {
        for height in [1, 10, 11, 16, 100] {
            for view in View::ALL {
                for keys in ["", "j⏎G"] {
                    let keys = format!("{}{keys}", view.digit());
                    screen(full.clone(), (width, height), &keys, true);
                }
            }
            for keys in ["c", ":v", "/日(", "?G"] {
                screen(full.clone(), (width, height), keys, true);
            }
        }
    }
}
