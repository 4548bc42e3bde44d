//! Tests of files, of their precedence and of their mistakes.

use std::path::Path;
use std::time::Duration;

use pintrace_tui::look::{ColourDepth, ColourPalette};
use proptest::prelude::*;

use super::*;

fn configuration(files: &[(&str, &str)], environment: Environment, flags: &ViewFlags) -> Configuration {
    let mut configuration = Configuration::load(
        &ViewFlags {
            files: FileFlags::NONE,
            ..ViewFlags::default()
        },
        Environment::default(),
    )
    .unwrap();
    for (path, text) in files {
        configuration.take_file(text, Path::new(path)).unwrap();
    }
    configuration.environment = environment;
    configuration.take_environment_and_flags(flags);
    configuration
}

fn of_text(text: &str) -> Configuration {
    configuration(&[("/f", text)], Environment::default(), &ViewFlags::default())
}

fn mistake(text: &str) -> String {
    let mistake = parse::parse(text).unwrap_err();
    mistake.describe(text, Path::new("/f"))
}

const FULL: &str = r##"
interval = "250ms"
view = "call-sites"
filter = "pages_held > 1 and comm ~ \"a\\\\b\""
ended = true
mouse = false
colours = 256
palette = "colour-blind"

[styles]
accent = "bright-blue"
alarm = "#d55e00"

[columns]
processes = ["bytes_held", "pid"]

[sort]
processes = "oldest reversed"
cgroups = "tree"

[keys]
x = "view pins"
"Ctrl-D" = "page down"
"Up" = "up"
F9 = "filter comm = \"fio\""
'"' = "reverse"
"##;

#[test]
fn every_key_is_taken() {
    let configuration = of_text(FULL);
    assert_eq!(configuration.interval(), Duration::from_millis(250));
    let options = configuration.view_options();
    assert_eq!(options.view.id(), "call-sites");
    assert!(options.with_ended && !options.mouse);
    assert_eq!(configuration.depth(), ColourDepth::Indexed);
    let (_, processes) = &options.columns[0];
    assert_eq!(processes, &["bytes_held", "pid"], "the order of the list");
    let keys: Vec<(String, &str)> = options
        .keys
        .iter()
        .map(|one| (one.key(), one.command()))
        .collect();
    assert_eq!(keys.len(), 5);
    assert!(keys.contains(&("Ctrl-D".to_owned(), "page down")));
}

#[test]
fn what_show_prints_is_the_same_configuration() {
    for text in [
        "",
        FULL,
        "filter = \"comm = \\\"\\u001b\\u202e\\\"\"",
        "interval = \"0.0000015s\"",
    ] {
        let configuration = of_text(text);
        let shown = configuration.show();
        assert!(
            !shown.chars().any(|char| char != '\n' && char.is_control()),
            "{shown}"
        );
        let again = of_text(&shown);
        let settings = |one: &Configuration| one.settings().cloned().collect::<Vec<_>>();
        assert_eq!(settings(&again), settings(&configuration), "{shown}");
    }
}

#[test]
fn show_says_where_each_value_comes_from() {
    let environment = Environment {
        no_color: Some("1".into()),
        ..Environment::default()
    };
    let flags = ViewFlags {
        palette: Some(ColourPalette::Light),
        ..ViewFlags::default()
    };
    let system = (
        "/etc/pintrace/config.toml",
        "interval = 2\nmouse = false\npalette = \"colour-blind\"",
    );
    let user = (
        "/home/me/config.toml",
        "\nmouse = true\n[keys]\nx = \"view pins\"\n\"↑\" = \"up\"",
    );
    let shown = configuration(&[system, user], environment, &flags).show();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("config-show", shown));
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_files() {
    let colours = |file: &str, no_color: bool, flag: Option<Colours>| {
        let environment = Environment {
            no_color: no_color.then(|| "1".into()),
            term: Some("xterm-256color".into()),
            ..Environment::default()
        };
        let flags = ViewFlags {
            colours: flag,
            ..ViewFlags::default()
        };
        configuration(&[("/f", file)], environment, &flags).depth()
    };
    let sixteen = Some(Colours::Depth(ColourDepth::Sixteen));
    assert_eq!(colours("", false, None), ColourDepth::Indexed);
    assert_eq!(colours("colours = \"truecolor\"", false, None), ColourDepth::Full);
    assert_eq!(colours("colours = \"truecolor\"", true, None), ColourDepth::Never);
    assert_eq!(
        colours("colours = \"truecolor\"", true, sixteen),
        ColourDepth::Sixteen
    );
    assert_eq!(colours("", true, Some(Colours::Auto)), ColourDepth::Indexed);
}

#[test]
fn the_tables_of_two_files_are_merged_key_by_key() {
    let system = (
        "/s",
        "[keys]\nx = \"view pins\"\nX = \"quit\"\n[sort]\npins = \"pid\"",
    );
    let user = ("/u", "[keys]\nx = \"reverse\"");
    let merged = configuration(&[system, user], Environment::default(), &ViewFlags::default());
    let options = merged.view_options();
    let commands: Vec<String> = options
        .keys
        .iter()
        .map(|one| format!("{} {}", one.key(), one.command()))
        .collect();
    assert_eq!(commands, ["X quit", "x reverse"]);
    let pins = options.sort.iter().find(|(view, _)| view.id() == "pins").unwrap();
    assert_eq!(pins.1.column, "pid");
}

#[test]
fn a_mistake_has_its_place_and_says_what_is_possible() {
    let texts = [
        "colors = \"auto\"",
        "\n  palette = \"colourblind\"",
        "mouse = \"no\"",
        "interval = \"2d\"",
        "interval = 0",
        "interval = []",
        "interval = 0x10",
        "view = \"proceses\"",
        "view = 1979-05-27",
        "filter = \"pages_held >\"",
        "filter = \"pagse_held > 1\"",
        "colours = 17",
        "styles = \"red\"",
        "[styles]\nacent = \"red\"",
        "[styles]\naccent = \"rot\"",
        "[styles]\naccent = \"#12345\"",
        "[columns]\nsystem = [\"pid\"]",
        "[columns]\nprocesses = \"pid\"",
        "[columns]\nprocesses = []",
        "[columns]\npins = [\"pid\", \"adress\"]",
        "[columns]\npins = [1]",
        "[sort]\nholders = \"tree\"",
        "[sort]\nholders = \"pid backwards\"",
        "[keys]\nEscape = \"quit\"",
        "[keys]\nx = \"view proceses\"",
        "[keys]\nx = \"sort\"",
        "[keys]\nx = true",
        "[keys]\nUp = \"up\"\n\"↑\" = \"up\"",
        "mouse = true\nmouse = false",
        "mouse = ",
        "\"\\u001b[31m\" = 1",
        "[keys]\n\"\\u001b\" = \"quit\"",
        "mouse = true\n\u{1b}",
    ];
    let found: Vec<String> = texts.map(mistake).into();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("config-mistakes", found.join("\n")));
}

#[test]
fn messages_have_one_line_and_no_control_characters() {
    let long = "x".repeat(60_000);
    for text in [
        format!("{long} = 1"),
        format!("view = \"{long}\""),
        format!("[keys]\n{long} = \"quit\""),
        "view = \"\\u001b]0;title\\u0007\\n\"".to_owned(),
        "[columns]\npins = [\"\\u202e\"]".to_owned(),
        format!("a = {}", "[".repeat(60_000)),
        format!("{}a{} = 1", "[".repeat(200), "]".repeat(200)),
    ] {
        let message = mistake(&text);
        assert!(message.len() < 1000, "{}", message.len());
        assert!(!message.chars().any(char::is_control), "{message}");
        assert!(!message.contains('\u{202e}'), "{message}");
    }
}

#[test]
fn one_key_is_left_to_quit() {
    let mut configuration = of_text("[keys]\nq = \"up\"");
    assert!(configuration.check_quit().is_ok(), "Ctrl-C is left");
    let text = "[keys]\n\"Ctrl-C\" = \"down\"";
    configuration.take_file(text, Path::new("/f")).unwrap();
    let why = configuration.check_quit().unwrap_err().to_string();
    assert_eq!(why, "/f:2: no key is left for the command `quit`: give one to it");
}

#[test]
fn each_key_of_the_list_is_a_key_of_the_file() {
    let shown = of_text(FULL).show();
    for key in KEYS {
        let line = match key.name.split_once('.') {
            Some((table, _)) => format!("\n[{table}]\n"),
            None => format!("\n{} = ", key.name),
        };
        assert!(shown.contains(&line), "{line}");
    }
}

/// Edits of a text: the place, the characters that are removed there, and the text that is inserted.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let inserted = prop_oneof![
        any::<String>(),
        "[\\[\\]{}=\"'#.\\\\\n]{1,4}",
        prop::sample::select(vec![
            "top",
            "keys",
            "styles",
            "[[",
            "\u{1b}[2J",
            "\u{202e}",
            "99999999999h"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, inserted), 0..8)
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_at_a_place_in_plain_text(edits in edits(), whole in any::<String>(), keep in any::<bool>()) {
        let mut text: Vec<char> = if keep { FULL.chars().collect() } else { whole.chars().collect() };
        for (place, removed, inserted) in edits {
            let start = place.index(text.len() + 1);
            let end = text.len().min(start + removed);
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(mistake) = parse::parse(&text) {
            let said = mistake.describe(&text, Path::new("/f"));
            prop_assert!(said.starts_with("/f:"), "{said:?}");
            prop_assert!(!said.chars().any(char::is_control), "{said:?}");
        }
    }
}
