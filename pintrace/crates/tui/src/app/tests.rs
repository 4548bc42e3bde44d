//! Tests of the effect of keys, clicks, commands and snapshots on the state.

use crossterm::event::KeyModifiers;
use pintrace_events::units::Nanos;
use pintrace_model::snapshot::Process;
use tokio::sync::mpsc;

use super::super::fixture;
use super::super::keymap;
use super::super::replay::{ReplayFrame, ReplayRequest, ReplayState, ReplayTarget, ReplayWork};
use super::super::theme::Theme;
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
fn a_paused_display_keeps_its_moment_until_it_is_resumed() {
    let mut app = App::new(at(1000), Vec::new());
    typed(&mut app, "z");
    assert!(!app.take(at(1001)));
    assert_eq!(app.shown.time, Nanos(1_000_000_000_000));
    typed(&mut app, "z");
    assert_eq!(app.shown.time, Nanos(1_001_000_000_000));
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
fn copies_are_of_the_row_under_the_cursor() {
    let mut app = app();
    typed(&mut app, "Y");
    let Some(Effect::Copy(text)) = app.effect.take() else {
        panic!("nothing is copied");
    };
    let row: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(row["pid"], under_cursor(&app));
    assert_eq!(row["pages_held"], 26_214_912);
    typed(&mut app, "/nobody⏎y");
    assert!(app.effect.is_none());
    assert_eq!(app.notice.as_deref(), Some("There is no row to copy."));
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

/// Every command of the palette can be typed on the screens on which its key is in force.
#[test]
fn every_binding_can_be_run_as_a_command() {
    for view in View::ALL {
        for is_open in [false, true] {
            let screen = keymap::KeyScreen { view, is_open };
            for binding in keymap::in_force(screen) {
                let prepared = || {
                    let mut app = App::new(Arc::new(fixture::full()), Vec::new());
                    app.show(view);
                    app.arrange();
                    if is_open {
                        app.views.open();
                    }
                    app
                };
                let (mut by_key, mut by_command) = (prepared(), prepared());
                let step = by_key.act(binding.action);
                assert_eq!(by_command.run(binding.command), step, "{}", binding.command);
                let state = |app: &App| {
                    let cursor = (app.views.processes.cursor.row, app.views.pins.cursor.row);
                    let open = (
                        app.help.is_some(),
                        app.palette.is_open(),
                        app.editing.is_some(),
                        app.chooser,
                    );
                    let order = (
                        app.views.processes.order,
                        app.views.findings.order,
                        app.views.holders.order,
                    );
                    (
                        app.screen(),
                        cursor,
                        open,
                        order,
                        app.time.paused_since(),
                        app.effect.clone(),
                    )
                };
                assert_eq!(state(&by_command), state(&by_key), "{}", binding.command);
            }
        }
    }
}

#[test]
fn commands_take_arguments_and_say_what_is_wrong() {
    let mut app = app();
    typed(&mut app, ":sort oldest⏎");
    assert_eq!(app.views.processes.order.column, "oldest");
    typed(&mut app, ":sort nothing⏎");
    assert!(
        app.notice
            .as_deref()
            .unwrap()
            .starts_with("No column “nothing”. There are: pid, ")
    );
    typed(&mut app, ":filter comm = fio⏎");
    assert_eq!(app.views.processes.rows.len(), 1);
    typed(&mut app, ":filter comm =⏎");
    assert!(app.notice.is_some() && app.views.processes.rows.len() == 1);
    typed(&mut app, ":column comm⏎");
    assert!(
        app.views
            .columns()
            .iter()
            .any(|choice| choice.id == "comm" && !choice.shown)
    );
    typed(&mut app, ":save /tmp/x.json⏎");
    assert_eq!(app.effect, Some(Effect::Save(Some("/tmp/x.json".into()))));
    typed(&mut app, ":frobnicate⏎");
    assert_eq!(
        app.notice.as_deref(),
        Some("“frobnicate” is no command. : and Tab list them.")
    );
    typed(&mut app, ":zoom⏎");
    assert_eq!(app.notice.as_deref(), Some("“zoom” is no command of Processes."));
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
    let theme = super::super::theme::Theme::new(false);
    terminal
        .draw(|frame| super::super::screen::draw(&mut app, frame, theme))
        .unwrap();
    let text = super::super::screen_tests::rows(terminal.backend().buffer()).join("\n");
    assert!(
        text.contains("  X") && text.contains("filter comm = fio"),
        "{text}"
    );
}

/// Returns the state of a replay, and the receiver of its requests.
fn replay(state: ReplayState) -> (App, mpsc::UnboundedReceiver<ReplayRequest>) {
    let (requests, asked) = mpsc::unbounded_channel();
    let mut app = App::of_pids(Vec::new());
    app.time.replay(requests);
    app.take_frame(ReplayFrame {
        snapshot: at(1000),
        state,
        ..ReplayFrame::default()
    });
    (app, asked)
}

#[test]
fn the_keys_of_time_ask_a_replay() {
    let (mut app, mut asked) = replay(ReplayState::default());
    typed(&mut app, "z []{}:at 90s⏎:at -2m⏎:at start⏎:at end⏎⎋");
    let seconds = |seconds: u64| Nanos(seconds * 1_000_000_000);
    let expected = [
        ReplayRequest::Toggle,
        ReplayRequest::Toggle,
        ReplayRequest::Step(-1),
        ReplayRequest::Step(1),
        ReplayRequest::Step(-10),
        ReplayRequest::Step(10),
        ReplayRequest::To(ReplayTarget::After(seconds(90))),
        ReplayRequest::To(ReplayTarget::BeforeEnd(seconds(120))),
        ReplayRequest::To(ReplayTarget::Start),
        ReplayRequest::To(ReplayTarget::End),
    ];
    for request in expected {
        assert_eq!(asked.try_recv(), Ok(request));
    }
    assert!(asked.try_recv().is_err(), "Escape leaves nothing");
    assert_eq!(
        app.shown.time,
        seconds(1000),
        "the screen stays until the next frame"
    );
}

#[test]
fn escape_leaves_the_work_of_a_replay_and_not_the_filter() {
    let (mut app, mut asked) = replay(ReplayState {
        work: Some(ReplayWork::Going(40)),
        ..ReplayState::default()
    });
    app.filter.set("fio".to_owned());
    typed(&mut app, "⎋");
    assert_eq!(asked.try_recv(), Ok(ReplayRequest::Leave));
    assert_eq!(app.filter.text(), "fio");
}

#[test]
fn the_header_says_where_a_replay_is_and_why_it_ends_early() {
    let state = ReplayState {
        position: Nanos(12_000_000_000),
        length: Nanos(61_000_000_000),
        early_end: Some("cut short after 7 events".into()),
        ..ReplayState::default()
    };
    let header = |state: ReplayState| {
        let (app, _asked) = replay(state);
        let (snapshot, words) = app.moment();
        let lines = super::super::header::lines(snapshot, &words, 100, 8, Theme::new(false));
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        lines.join(
            "
",
        )
    };
    let text = header(state.clone());
    assert!(
        text.contains("REPLAY 12.0s of 1m 1s, paused (z)") || text.contains("REPLAY 12"),
        "{text}"
    );
    assert!(text.contains("! recording cut short after 7 events"), "{text}");
    let playing = header(ReplayState {
        plays: true,
        ..state.clone()
    });
    assert!(playing.contains("playing (z)"), "{playing}");
    let reading = header(ReplayState {
        work: Some(ReplayWork::Reading(30)),
        ..state
    });
    assert!(reading.contains("reading 30 % (Esc)"), "{reading}");
}
