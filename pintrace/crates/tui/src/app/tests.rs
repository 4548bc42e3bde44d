//! Tests of the effect of keys and snapshots on the state.

use crossterm::event::{KeyCode, KeyModifiers};
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
    assert!(app.processes.open.is_none() && app.filter.text() == "fio");
    assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
    assert!(app.filter.text().is_empty());
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
fn enter_keeps_only_a_query_and_escape_restores_the_one_before() {
    let mut app = app();
    typed(&mut app, "/pid = 880 or");
    assert_eq!(app.processes.rows.len(), 1, "the rows of the last query");
    press(&mut app, KeyCode::Enter);
    assert!(app.editing.is_some(), "the text is no query");
    typed(&mut app, " fio");
    press(&mut app, KeyCode::Enter);
    assert!(app.editing.is_none() && app.filter.text() == "pid = 880 or fio");
    typed(&mut app, "/ x=");
    press(&mut app, KeyCode::Esc);
    assert!(app.editing.is_none() && app.filter.text() == "pid = 880 or fio");
    assert_eq!(app.processes.rows.len(), 1);
}

#[test]
fn rows_stay_while_the_name_of_a_field_is_typed() {
    let mut app = app();
    typed(&mut app, "/");
    for key in "pages_held > 1 and pid > 1".chars() {
        typed(&mut app, &key.to_string());
        assert!(!app.processes.rows.is_empty(), "{}", app.filter.text());
    }
    assert_eq!(app.processes.rows.len(), 3);
    press(&mut app, KeyCode::Esc);
    typed(&mut app, "/acquired");
    assert!(!app.processes.rows.is_empty());
    press(&mut app, KeyCode::Enter);
    assert!(app.processes.rows.is_empty(), "a word that no command contains");
}

#[test]
fn tab_moves_between_the_candidates_and_a_typed_key_ends_the_cycle() {
    let mut app = app();
    typed(&mut app, "/subsystem = v");
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.filter.text(), "subsystem = vfio ");
    assert_eq!(app.processes.rows.len(), 1);
    typed(&mut app, "and pag");
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.filter.text(), "subsystem = vfio and pages_held ");
    press(&mut app, KeyCode::Tab);
    let second = app.filter.text().to_owned();
    assert!(second != "subsystem = vfio and pages_held ", "{second}");
    press(&mut app, KeyCode::BackTab);
    assert_eq!(app.filter.text(), "subsystem = vfio and pages_held ");
    typed(&mut app, "> 4");
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.filter.text(), "subsystem = vfio and pages_held > 4k ");
}

#[test]
fn tab_completes_values_that_the_rows_have_and_nothing_where_nothing_is_known() {
    let mut app = app();
    typed(&mut app, "/comm=rd");
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.filter.text(), "comm=rdma-server ");
    typed(&mut app, "nosuchfield = ");
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.filter.text(), "comm=rdma-server nosuchfield = ");
}

#[test]
fn a_query_of_the_findings_is_completed_on_their_screen() {
    let mut app = App::new(Arc::new(fixture::found()), Vec::new());
    typed(&mut app, "f/sev");
    press(&mut app, KeyCode::Tab);
    typed(&mut app, "= al");
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.filter.text(), "severity = alarm ");
    assert_eq!(app.findings.rows.len(), 2);
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
