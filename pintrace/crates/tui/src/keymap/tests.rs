//! Tests of the list of key bindings.

use crossterm::event::{KeyCode, KeyModifiers};

use pintrace_model::field;

use super::*;

fn screens() -> impl Iterator<Item = KeyScreen> {
    View::ALL
        .into_iter()
        .flat_map(|view| [false, true].map(|is_open| KeyScreen { view, is_open }))
}

fn action(event: &KeyEvent, view: View) -> Option<Action> {
    let screen = KeyScreen { view, is_open: false };
    acted(&Remapped::default(), event, screen)
}

fn acted(keys: &Remapped, event: &KeyEvent, screen: KeyScreen) -> Option<Action> {
    match keys.effect(event, screen)? {
        KeyEffect::Act(action) => Some(action),
        KeyEffect::Run(command) => panic!("{command} is no action"),
    }
}

#[test]
fn no_key_and_no_command_has_two_actions_on_one_screen() {
    for screen in screens() {
        let keys: Vec<BoundKey> = in_force(screen).flat_map(Binding::keys).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[index + 1..].contains(key), "{key:?} on {screen:?}");
        }
        let commands: Vec<&str> = in_force(screen).map(|binding| binding.command).collect();
        for (index, command) in commands.iter().enumerate() {
            assert!(
                !commands[index + 1..].contains(command),
                "{command} on {screen:?}"
            );
        }
    }
}

#[test]
fn control_and_shift_make_different_keys() {
    let press = |char, modifiers| action(&KeyEvent::new(KeyCode::Char(char), modifiers), View::Processes);
    assert_eq!(press('c', KeyModifiers::CONTROL), Some(Action::Quit));
    assert_eq!(press('c', KeyModifiers::NONE), Some(Action::Columns));
    assert_eq!(
        press('r', KeyModifiers::NONE),
        Some(Action::Sort("released_per_second"))
    );
    assert_eq!(press('R', KeyModifiers::SHIFT), Some(Action::Reverse));
    assert_eq!(press('q', KeyModifiers::ALT), None);
}

#[test]
fn every_sort_key_names_a_column_of_its_view() {
    let mut orders = 0;
    for group in GROUPS {
        for binding in group.bindings {
            if let Action::Sort(column) = binding.action {
                orders += 1;
                let KeyScope::Of(view) = group.scope else {
                    panic!("{column} is sorted on every table");
                };
                let known = match view {
                    View::Processes => field::process::column(column).is_some(),
                    View::Cgroups => column == "tree" || field::cgroup::column(column).is_some(),
                    View::Holders => field::holder::column(column).is_some(),
                    View::Pins => field::pin::column(column).is_some(),
                    View::CallSites => field::call_site::column(column).is_some(),
                    View::Findings => field::folded_finding::column(column).is_some(),
                    View::PinCalls => field::pin_call::COLUMNS.iter().any(|one| one.id == column),
                    _ => false,
                };
                assert!(known, "{column} of {view:?}");
                assert_eq!(binding.command, format!("sort {column}"));
            }
        }
    }
    assert!(orders > 30, "{orders}");
}

#[test]
fn sort_keys_work_only_on_the_tables() {
    let key = KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE);
    assert_eq!(action(&key, View::Processes), Some(Action::Sort("pages_held")));
    let open = KeyScreen {
        view: View::Processes,
        is_open: true,
    };
    assert_eq!(acted(&Remapped::default(), &key, open), None);
}

#[test]
fn a_key_of_the_configuration_replaces_the_key_of_the_list() {
    let keys = Remapped(vec![
        ("x".parse().unwrap(), "view pins".to_owned()),
        ("p".parse().unwrap(), "reverse".to_owned()),
    ]);
    let screen = KeyScreen {
        view: View::Processes,
        is_open: false,
    };
    let press = |char| {
        acted(
            &keys,
            &KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE),
            screen,
        )
    };
    assert_eq!(press('x'), Some(Action::Show(View::Pins)));
    assert_eq!(press('p'), Some(Action::Reverse));
    assert_eq!(press('4'), Some(Action::Show(View::Pins)), "the old key stays");
    let sort = in_force(screen)
        .find(|binding| binding.command == "sort pages_held")
        .unwrap();
    assert!(keys.keys_of(sort).is_empty(), "its key is another command's");
}

#[test]
fn a_key_of_the_configuration_runs_a_command_with_its_argument() {
    let keys = Remapped(vec![
        ("x".parse().unwrap(), "filter bytes > 1GiB".to_owned()),
        ("y".parse().unwrap(), "fold".to_owned()),
    ]);
    let screen = KeyScreen {
        view: View::Processes,
        is_open: false,
    };
    let press = |char| keys.effect(&KeyEvent::new(KeyCode::Char(char), KeyModifiers::NONE), screen);
    assert_eq!(press('x'), Some(KeyEffect::Run("filter bytes > 1GiB")));
    assert_eq!(press('y'), None, "the command of another view");
}

#[test]
fn the_command_of_a_view_has_its_id() {
    for view in View::ALL {
        let command = format!("view {}", view.id());
        let bindings = GROUPS.iter().flat_map(|group| group.bindings);
        let mut shown = bindings.filter(|binding| binding.command == command);
        assert_eq!(
            shown.next().map(|binding| binding.action),
            Some(Action::Show(view)),
            "{command}"
        );
    }
}

#[test]
fn texts_name_the_key_that_is_in_force() {
    let none = Remapped::default();
    assert_eq!(none.key_of("pause"), "z");
    assert_eq!(none.key_of("back"), "Esc");
    let own = |key: &str, command: &str| (key.parse::<BoundKey>().unwrap(), command.to_owned());
    let remapped = Remapped(vec![own("F5", "pause"), own("w", "quit")]);
    assert_eq!(remapped.key_of("pause"), "F5");
    // Its only key has another command.
    assert_eq!(remapped.key_of("record"), ":record");
    assert_eq!(remapped.named_key_of("record"), ":record");
    assert_eq!(remapped.named_key_of("view findings"), "key 6");
    assert_eq!(remapped.key_of("quit"), "w");
}
