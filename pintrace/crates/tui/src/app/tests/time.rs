//! Tests of the moment on the screen: pause, steps, and the baseline.

use super::*;

#[test]
fn a_paused_display_keeps_its_moment_until_it_is_resumed() {
    let mut app = App::new(at(1000), Vec::new());
    typed(&mut app, "z");
    assert!(!app.take(at(1001)));
    assert_eq!(app.shown.time, Nanos(1_000_000_000_000));
    typed(&mut app, "z");
    assert_eq!(app.shown.time, Nanos(1_001_000_000_000));
}

#[test]
fn the_hint_of_the_key_says_what_the_key_does_now() {
    let mut app = App::new(at(1000), Vec::new());
    assert_eq!(app.time.toggle_hint(), "pause");
    typed(&mut app, "z");
    assert_eq!(app.time.toggle_hint(), "resume");
    typed(&mut app, "z");
    assert_eq!(app.time.toggle_hint(), "pause");
}

#[test]
fn steps_and_commands_move_through_the_last_minutes() {
    let mut app = App::new(at(1000), Vec::new());
    for second in 1001..=1100 {
        app.take(at(second));
    }
    let seconds = |app: &App| app.shown.time.0 / 1_000_000_000;
    typed(&mut app, "[[");
    assert_eq!(seconds(&app), 1098);
    typed(&mut app, "]");
    assert_eq!(seconds(&app), 1099);
    typed(&mut app, ":at -90s⏎");
    assert_eq!(seconds(&app), 1010);
    typed(&mut app, ":at -2x⏎");
    assert_eq!(
        app.notice.as_deref(),
        Some("“-2x” is no time: use at -90s, at -2m, at start or at end.")
    );
    assert_eq!(seconds(&app), 1010);
    typed(&mut app, ":at -1h⏎");
    assert_eq!(seconds(&app), 1000);
    assert_eq!(app.notice.as_deref(), Some("The nearest snapshot is 1m40s old."));
    typed(&mut app, ":at now⏎");
    assert_eq!(seconds(&app), 1100);
}

#[test]
fn a_baseline_shows_what_has_changed_since() {
    let mut app = App::new(at(1000), Vec::new());
    typed(&mut app, "B");
    let mut later = Snapshot::clone(&at(1005));
    later.processes = later
        .processes
        .iter()
        .filter(|process| process.pid.0 != 911)
        .cloned()
        .collect();
    app.take(Arc::new(later));
    typed(&mut app, "0");
    let gone: Vec<_> = app
        .views
        .changes
        .rows
        .iter()
        .map(|row| format!("{row:?}"))
        .collect();
    assert!(gone.len() == 1 && gone[0].contains("rdma-server"), "{gone:?}");
    typed(&mut app, "B");
    assert_eq!(app.views.shown, View::Processes);
}
