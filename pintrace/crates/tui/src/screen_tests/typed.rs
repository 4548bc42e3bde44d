//! Help, footer, filter, palette and column chooser.

use super::*;

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
