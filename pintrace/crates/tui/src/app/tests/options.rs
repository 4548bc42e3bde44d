//! Tests of what the options choose.

use super::*;

#[test]
fn the_first_view_and_the_first_filter_are_those_of_the_options() {
    let mut app = app();
    app.configure(&ViewOptions {
        view: View::Pins,
        filter: "pid = 0".to_owned(),
        ..ViewOptions::default()
    });
    assert_eq!(app.screen().view, View::Pins);
    assert!(app.views.pins.rows.is_empty() && app.views.pins.all > 0);
}

#[test]
fn the_options_choose_what_the_view_begins_with() {
    let key = |key, command| KeyBinding::parse(key, command).unwrap();
    let sort = crate::Sort {
        column: "pid",
        reversed: true,
    };
    let options = ViewOptions {
        filter: "pages_held > 1".to_owned(),
        with_ended: true,
        view: View::Holders,
        columns: vec![(View::Processes, vec!["pid", "comm"])],
        sort: vec![(View::Processes, sort)],
        keys: vec![key("x", "view processes"), key("X", "filter comm = fio")],
        ..ViewOptions::default()
    };
    let mut app = app();
    app.configure(&options);
    assert_eq!(app.views.shown, View::Holders);
    assert!(app.filter.with_ended && app.filter.text() == "pages_held > 1");
    typed(&mut app, "x");
    assert_eq!(app.views.shown, View::Processes);
    let shown = app.views.processes.shown_columns();
    let ids: Vec<&str> = shown.iter().map(|column| column.id).collect();
    assert_eq!(ids, ["pid", "comm"]);
    let pids = app.views.processes.rows.iter().map(|row| row.0.pid.0);
    assert!(pids.is_sorted_by(|one, other| one >= other));
    typed(&mut app, "X");
    assert_eq!(app.filter.text(), "comm = fio");
    typed(&mut app, "?/comm = fio⏎");
    let backend = ratatui::backend::TestBackend::new(80, 24);
    let mut terminal = ratatui::Terminal::new(backend).unwrap();
    let theme = super::super::super::theme::Theme::new(false);
    terminal
        .draw(|frame| super::super::super::screen::draw(&mut app, frame, theme))
        .unwrap();
    let text = super::super::super::screen_tests::rows(terminal.backend().buffer()).join("\n");
    assert!(
        text.contains("  X") && text.contains("filter comm = fio"),
        "{text}"
    );
}
