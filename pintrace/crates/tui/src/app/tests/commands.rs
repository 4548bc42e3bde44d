//! Tests of the commands of the palette, and of copies.

use super::super::super::keymap;
use super::*;

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
    typed(&mut app, ":record /tmp/x.pintrace⏎");
    assert_eq!(
        app.effect.take(),
        Some(Effect::Record(Some("/tmp/x.pintrace".into())))
    );
    typed(&mut app, "w");
    assert_eq!(app.effect, Some(Effect::Record(None)));
    typed(&mut app, ":frobnicate⏎");
    assert_eq!(
        app.notice.as_deref(),
        Some("“frobnicate” is no command. : and Tab list them.")
    );
    typed(&mut app, ":zoom⏎");
    assert_eq!(app.notice.as_deref(), Some("“zoom” is no command of Processes."));
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
