//! The configuration through the program, and docs/configuration.md, whose tables `INSTA_UPDATE=always cargo test` rewrites.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/command.rs"]
mod command;

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pintrace::config::KEYS;
use pintrace_testing::expected_file::{assert_file, with_block};
use pintrace_tui::look::{Colour, StyleName};
use pintrace_tui::{View, catalogue};
use tempfile::TempDir;

use command::{PINTRACE, code, output, pintrace, stderr};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns a folder with the configuration of a user.
fn home(text: &str) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("pintrace");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let file = folder.join("config.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    (home, file)
}

fn of_home(home: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(PINTRACE);
    command
        .arg("config")
        .args(arguments)
        .env("XDG_CONFIG_HOME", home.path())
        .env_remove("SUDO_UID")
        .env_remove("NO_COLOR");
    output(command)
}

#[test]
fn show_names_the_file_of_each_value_and_its_output_is_a_configuration() {
    let (home, file) = home("palette = \"light\"\n[keys]\nx = \"view pins\"\n");
    let shown = of_home(&home, &["show", "--view", "pins"]);
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let shown = stdout(&shown);
    assert!(
        shown.contains(&format!("palette = \"light\" # {}:1", file.display())),
        "{shown}"
    );
    assert!(shown.contains("view = \"pins\" # --view"), "{shown}");
    fs::write(home.path().join("shown.toml"), &shown).unwrap();
    let shown_file = home.path().join("shown.toml").display().to_string();
    let again = of_home(&home, &["show", "--config", &shown_file]);
    let values = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.split(" # ").next().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values(&stdout(&again)), values(&shown), "{}", stderr(&again));
    let none = of_home(&home, &["show", "--no-config"]);
    assert!(stdout(&none).contains("palette = \"default\" # default"));
}

#[test]
fn path_says_which_files_are_read() {
    let (home, file) = home("");
    let paths = stdout(&of_home(&home, &["path"]));
    assert!(paths.contains("/etc/pintrace/config.toml: "), "{paths}");
    assert!(paths.contains(&format!("{}: read", file.display())), "{paths}");
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    let paths = stdout(&of_home(&home, &["path"]));
    assert!(
        paths.contains("not read, because it can be written by other users"),
        "{paths}"
    );
    fs::remove_file(&file).unwrap();
    let paths = stdout(&of_home(&home, &["path"]));
    assert!(
        paths.contains(&format!("{}: no such file", file.display())),
        "{paths}"
    );
}

#[test]
fn sudo_cannot_be_led_to_another_file() {
    if !rustix::process::getuid().is_root() {
        eprintln!("not tested: SUDO_UID has a meaning only for root");
        return;
    }
    let (home, _) = home("mouse = 1\n");
    let mut command = Command::new(PINTRACE);
    command
        .args(["config", "path"])
        .env("SUDO_UID", "65534")
        .env("XDG_CONFIG_HOME", home.path())
        .env("HOME", home.path());
    let paths = stdout(&output(command));
    assert!(!paths.contains(&home.path().display().to_string()), "{paths}");
}

#[test]
fn keys_lists_commands_with_the_keys_of_the_configuration() {
    let (home, _) = home("[keys]\nx = \"view pins\"\n");
    let keys = stdout(&of_home(&home, &["keys"]));
    let line = |command: &str| {
        let mut lines = keys.lines();
        lines.find(|line| line.contains(command)).unwrap().to_owned()
    };
    assert!(line("view pins").trim_start().starts_with("x 4 "), "{keys}");
    assert!(
        line("filter QUERY").contains("show only rows that match"),
        "{keys}"
    );
}

#[test]
fn a_mistake_ends_the_program_before_it_traces() {
    let (home, file) = home("mouse = 1\n");
    let why = format!(
        "pintrace: {}:1:9: `mouse` takes true or false, and not a number\n",
        file.display()
    );
    for arguments in [&["show"][..], &["keys"]] {
        let output = of_home(&home, arguments);
        assert_eq!((code(&output), stderr(&output)), (1, why.clone()));
    }
}

#[test]
fn one_table_takes_no_options_of_the_live_view() {
    for flag in [&["--config", "x"][..], &["--palette", "light"], &["--no-mouse"]] {
        let output = pintrace(&[&["top", "--once"], flag].concat());
        assert_eq!(code(&output), 2, "{flag:?}");
        assert!(
            stderr(&output).contains("cannot be used with"),
            "{}",
            stderr(&output)
        );
    }
    let output = pintrace(&["config", "show", "--palette", "lihgt"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("the nearest is `light`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_page_has_every_key_style_view_and_column() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let mut keys = "| key | values | default | flag | |\n|---|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let (name, values, default) = (key.name, key.values, key.default);
        writeln!(
            keys,
            "| `{name}` | {values} | {default} | {} | {} |",
            key.flag, key.help
        )
        .unwrap();
    }
    let mut styles = "| style | |\n|---|---|\n".to_owned();
    for style in StyleName::ALL {
        writeln!(styles, "| `{}` | {} |", style.as_str(), style.help()).unwrap();
    }
    let names: Vec<String> = Colour::names().map(|name| format!("`{name}`")).collect();
    let mut columns = "| view | columns |\n|---|---|\n".to_owned();
    for view in View::ALL {
        let ids = catalogue::columns(view).into_iter();
        let ids: Vec<String> = ids.map(|column| format!("`{}`", column.id)).collect();
        let ids = if ids.is_empty() {
            "none".to_owned()
        } else {
            ids.join(", ")
        };
        writeln!(columns, "| `{}` | {ids} |", view.id()).unwrap();
    }
    let document = fs::read_to_string(&page).unwrap();
    let document = with_block(&document, "keys", &keys).unwrap();
    let document = with_block(&document, "styles", &styles).unwrap();
    let document = with_block(&document, "colours", &format!("{}.\n", names.join(", "))).unwrap();
    let document = with_block(&document, "columns", &columns).unwrap();
    assert_file(&page, &document);
}

#[test]
fn the_example_of_the_page_is_a_configuration() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let document = fs::read_to_string(page).unwrap();
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let (home, file) = home(example);
    let shown = of_home(&home, &["show"]);
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let from_file = stdout(&shown).matches(&file.display().to_string()).count();
    assert_eq!(
        from_file,
        example.lines().filter(|line| line.contains(" = ")).count()
    );
}
