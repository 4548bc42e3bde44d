//! Tests of the effect of keys and snapshots on the state.

use crossterm::event::KeyModifiers;
use pintrace_events::units::Pid;
use pintrace_model::snapshot::Process;

use super::super::fixture;
use super::super::order::Order;
use super::*;

fn app() -> App {
    App::new(Arc::new(fixture::busy()), Vec::new())
}

fn press(app: &mut App, code: KeyCode) -> Step {
    app.press(&KeyEvent::new(code, KeyModifiers::NONE))
}

fn typed(app: &mut App, keys: &str) {
    for key in keys.chars() {
        press(app, KeyCode::Char(key));
    }
}

fn under_cursor(app: &App) -> u32 {
    app.shown.processes[app.processes.rows[app.processes.cursor.row]]
        .pid
        .0
}

#[test]
fn the_cursor_follows_its_process_unless_it_is_at_the_top() {
    let mut app = app();
    typed(&mut app, "j");
    let followed = under_cursor(&app);
    typed(&mut app, "R");
    assert_eq!(under_cursor(&app), followed);
    typed(&mut app, "g");
    let first = under_cursor(&app);
    typed(&mut app, "R");
    assert_eq!(app.processes.cursor.row, 0);
    assert_ne!(under_cursor(&app), first);
}

#[test]
fn a_frozen_display_keeps_its_snapshot_until_it_is_resumed() {
    let mut app = app();
    typed(&mut app, "z");
    assert!(!app.take(Arc::new(fixture::lossy())));
    assert_eq!(*app.shown, fixture::busy());
    typed(&mut app, "z");
    assert_eq!(*app.shown, fixture::lossy());
}

#[test]
fn escape_closes_one_screen_after_another_and_then_quits() {
    let mut app = app();
    typed(&mut app, "/fio");
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Enter);
    typed(&mut app, "?");
    assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
    assert!(app.help.is_none() && app.processes.open.is_some());
    assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
    assert!(app.processes.open.is_none() && app.filter.text == "fio");
    assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
    assert!(app.filter.text.is_empty());
    assert_eq!(press(&mut app, KeyCode::Esc), Step::Quit);
}

#[test]
fn escape_restores_the_filter_while_it_is_edited() {
    let mut app = app();
    typed(&mut app, "/q");
    assert_eq!(app.processes.rows.len(), 1, "q is typed, not quit");
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.processes.rows.len(), 4);
    typed(&mut app, "/q");
    let end = app.press(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(end, Step::Quit, "Ctrl-C quits on every screen");
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut snapshot = fixture::busy();
    let again = Process {
        comm: "another".to_owned(),
        pages_held: 1,
        ..Process::clone(&snapshot.processes[3])
    };
    let processes = snapshot.processes.iter().cloned();
    snapshot.processes = processes.chain([Arc::new(again)]).collect();
    let mut app = App::new(Arc::new(snapshot), vec![Pid(4242)]);
    typed(&mut app, "G");
    press(&mut app, KeyCode::Enter);
    assert_eq!(
        app.processes
            .opened(&app.shown)
            .map(|process| process.comm.as_str()),
        Some("another")
    );
}

#[test]
fn the_screen_of_a_forgotten_process_stays_open() {
    let mut app = app();
    press(&mut app, KeyCode::Enter);
    app.take(Arc::new(fixture::empty()));
    assert!(app.processes.open.is_some() && app.processes.opened(&app.shown).is_none());
    press(&mut app, KeyCode::Down);
    assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
}

#[test]
fn keys_of_the_table_have_no_effect_while_the_help_is_open() {
    let mut app = app();
    typed(&mut app, "?");
    assert_eq!(press(&mut app, KeyCode::Char('e')), Step::Wait);
    assert!(!app.filter.without_ended);
}

#[test]
fn findings_cover_the_open_screen_and_have_their_own_order() {
    let mut app = App::new(Arc::new(fixture::found()), Vec::new());
    press(&mut app, KeyCode::Enter);
    typed(&mut app, "fcR");
    assert_eq!(app.processes.order, Order::default());
    assert!(app.findings.order.column == "count" && app.findings.order.reversed);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.scope(), KeyScope::FindingDetail);
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.scope(), KeyScope::FindingTable);
    typed(&mut app, "?f");
    assert!(
        app.help.is_none() && app.findings.shown,
        "from the help to the findings"
    );
    typed(&mut app, "f");
    assert_eq!(app.scope(), KeyScope::ProcessDetail);
}
