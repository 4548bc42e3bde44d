//! Tests of the effect of keys, clicks and snapshots on the state.

mod commands;
mod options;
mod replay;
mod time;

use crossterm::event::KeyModifiers;
use pintrace_events::units::Nanos;
use pintrace_model::snapshot::Process;

use super::super::fixture;
use super::*;

fn app() -> App {
    App::new(Arc::new(fixture::busy()), Vec::new())
}

fn press(app: &mut App, code: KeyCode) -> Step {
    app.press(&KeyEvent::new(code, KeyModifiers::NONE))
}

fn typed(app: &mut App, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            key => KeyCode::Char(key),
        };
        press(app, code);
    }
}

fn under_cursor(app: &App) -> u32 {
    app.views.processes.selected().unwrap().0.pid.0
}

fn at(seconds: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        time: Nanos(seconds * 1_000_000_000),
        ..fixture::busy()
    })
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
    assert_eq!(app.views.processes.cursor.row, 0);
    assert_ne!(under_cursor(&app), first);
}

#[test]
fn escape_closes_one_thing_after_another_and_never_quits() {
    let mut app = app();
    typed(&mut app, "/fio⏎⏎?");
    press(&mut app, KeyCode::Esc);
    assert!(app.help.is_none() && app.views.is_open());
    press(&mut app, KeyCode::Esc);
    assert!(!app.views.is_open() && app.filter.text() == "fio");
    press(&mut app, KeyCode::Esc);
    assert!(app.filter.text().is_empty());
    for _ in 0..3 {
        assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
    }
    assert_eq!(app.notice.as_deref(), Some("Nothing is open. q quits."));
    assert_eq!(press(&mut app, KeyCode::Char('q')), Step::Quit);
}

#[test]
fn escape_restores_the_filter_while_it_is_edited() {
    let mut app = app();
    let all = app.views.processes.rows.len();
    typed(&mut app, "/q");
    assert_eq!(app.views.processes.rows.len(), 1, "q is typed, not quit");
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.views.processes.rows.len(), all);
    typed(&mut app, "/q");
    let end = app.press(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(end, Step::Quit, "Ctrl-C quits on every screen");
}

#[test]
fn keys_of_tables_say_that_the_system_view_has_no_table() {
    for key in ['/', 'c', '>', '<', 'R', '⏎'] {
        let mut app = app();
        typed(&mut app, &format!("9{key}"));
        assert_eq!(app.notice.as_deref(), Some("This view has no table."), "{key}");
        assert!(app.editing.is_none() && app.chooser.is_none());
    }
    for others in ["9z", "9h", "9p", "9?c", "1/"] {
        let mut app = app();
        typed(&mut app, others);
        assert_eq!(app.notice, None, "{others}");
    }
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut snapshot = fixture::busy();
    let again = Process {
        comm: "another".to_owned(),
        pages_held: 1,
        earlier_processes: 1,
        ..Process::clone(&snapshot.processes[3])
    };
    let processes = snapshot.processes.iter().cloned();
    snapshot.processes = processes.chain([Arc::new(again)]).collect();
    let mut app = App::new(Arc::new(snapshot), vec![Pid(4242)]);
    typed(&mut app, "G⏎");
    let opened = app.views.processes.opened().map(|row| row.0.comm.clone());
    assert_eq!(opened.as_deref(), Some("another"));
}

#[test]
fn the_screen_of_a_forgotten_process_stays_open() {
    let mut app = app();
    press(&mut app, KeyCode::Enter);
    let later = Snapshot {
        time: Nanos(2_000_000_000_000),
        ..fixture::empty()
    };
    app.take(Arc::new(later));
    assert!(app.views.is_open() && app.views.processes.opened().is_none());
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Esc);
    assert!(!app.views.is_open());
}

#[test]
fn keys_of_the_table_have_no_effect_while_the_help_is_open() {
    let mut app = app();
    typed(&mut app, "?");
    assert_eq!(press(&mut app, KeyCode::Char('e')), Step::Wait);
    assert!(!app.filter.with_ended);
}

#[test]
fn each_view_has_its_own_order_and_cursor() {
    let mut app = App::new(Arc::new(fixture::full()), Vec::new());
    typed(&mut app, "j6pR1");
    assert_eq!(app.views.processes.cursor.row, 1);
    assert_eq!(app.views.processes.order.column, "pages_held");
    assert_eq!(app.views.findings.order.column, "count");
    assert!(app.views.findings.order.reversed && !app.views.processes.order.reversed);
}

#[test]
fn the_mark_of_a_process_leads_to_its_findings() {
    let mut app = App::new(Arc::new(fixture::full()), Vec::new());
    typed(&mut app, "jF");
    let pid = under_cursor(&app);
    assert_eq!(app.views.shown, View::Findings);
    assert_eq!(app.filter.text(), format!("pid = {pid}"));
}

#[test]
fn clicks_move_the_cursor_open_rows_order_columns_and_choose_views() {
    use ratatui::backend::TestBackend;
    let mut app = app();
    let mut terminal = ratatui::Terminal::new(TestBackend::new(120, 40)).unwrap();
    let mut click = |app: &mut App, word: &str| {
        let theme = super::super::theme::Theme::new(true);
        let frame = terminal
            .draw(|frame| super::super::screen::draw(app, frame, theme))
            .unwrap();
        let width = usize::from(frame.buffer.area.width);
        let rows: Vec<String> = frame
            .buffer
            .content()
            .chunks(width)
            .map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect();
        let (row, text) = rows
            .iter()
            .enumerate()
            .find(|(_, row)| row.contains(word))
            .unwrap_or_else(|| panic!("{word} is not on the screen"));
        let column = text.split(word).next().unwrap().chars().count();
        app.click(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: u16::try_from(column).unwrap(),
            row: u16::try_from(row).unwrap(),
            modifiers: KeyModifiers::NONE,
        })
    };
    click(&mut app, "rdma-server");
    assert_eq!(under_cursor(&app), 911);
    click(&mut app, "rdma-server");
    assert!(app.views.is_open());
    press(&mut app, KeyCode::Esc);
    click(&mut app, "OLDEST");
    assert_eq!(app.views.processes.order.column, "oldest");
    click(&mut app, "OLDEST");
    assert!(app.views.processes.order.reversed);
    click(&mut app, "Call sites");
    assert_eq!(app.views.shown, View::CallSites);
    assert_eq!(click(&mut app, "quit"), Step::Quit);
}
