//! Colours, characters and sizes of the terminal.

use ratatui::style::Color;

use super::super::look::{ColourDepth, ColourPalette, GraphCharacters, Look};
use super::*;

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
