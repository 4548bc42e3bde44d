//! The commands of the palette that take an argument. All others are those of the key bindings.

use std::path::PathBuf;

use pintrace_model::text;
use pintrace_query::duration;

use super::super::keymap::{self, Action};
use super::super::replay::ReplayTarget;
use super::super::view::View;
use super::{App, Effect, Step};

/// A command with an argument.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct ArgumentCommand {
    pub(in super::super) name: &'static str,
    /// The argument, as help shows it.
    pub(in super::super) argument: &'static str,
    pub(in super::super) help: &'static str,
    run: fn(&mut App, &str) -> Result<(), String>,
}

/// Every command with an argument.
pub(in super::super) const COMMANDS: &[ArgumentCommand] = &[
    ArgumentCommand {
        name: "at",
        argument: "TIME",
        help: "show the snapshot of a time ago, such as at -90s, or the oldest one (at start); at end returns to the \
               present. In a replay, at 90s is a time after the start, and at -90s a time before the end",
        run: at,
    },
    ArgumentCommand {
        name: "filter",
        argument: "QUERY",
        help: "show only rows that match a query; without a query, show all",
        run: filter,
    },
    ArgumentCommand {
        name: "sort",
        argument: "COLUMN",
        help: "order by a column of the view",
        run: sort,
    },
    ArgumentCommand {
        name: "column",
        argument: "COLUMN",
        help: "show or hide a column of the view",
        run: column,
    },
    ArgumentCommand {
        name: "save",
        argument: "FILE",
        help: "write the snapshot on the screen to a new file as JSON",
        run: save,
    },
    ArgumentCommand {
        name: "record",
        argument: "FILE",
        help: "record the session into a file, from its start on",
        run: record,
    },
];

impl App {
    /// Runs a command of the palette.
    pub(super) fn run(&mut self, text: &str) -> Step {
        let text = text.trim();
        if text.is_empty() {
            return Step::Draw;
        }
        let screen = self.screen();
        if let Some(binding) = keymap::in_force(screen).find(|binding| binding.command == text) {
            return self.act(binding.action);
        }
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let command = COMMANDS.iter().find(|command| command.name == name);
        let done = match command {
            Some(command) => (command.run)(self, argument.trim()),
            None => Err(self.unknown(text)),
        };
        if let Err(why) = done {
            self.notice = Some(why);
        }
        self.arrange();
        Step::Draw
    }

    /// Returns the message for a text that is no command here.
    fn unknown(&self, text: &str) -> String {
        let elsewhere = keymap::is_command(text);
        let text = text::printable(text);
        if elsewhere {
            format!("“{text}” is no command of {}.", self.views.shown.title())
        } else {
            format!(
                "“{text}” is no command. {} and Tab list them.",
                self.keys.key_of("palette")
            )
        }
    }

    /// Returns the id of a column of the view.
    fn column_named(&self, name: &str) -> Result<&'static str, String> {
        let choices = self.views.columns();
        let named = |id: &str, title: &str| id.eq_ignore_ascii_case(name) || title.eq_ignore_ascii_case(name);
        let found = choices.iter().find(|choice| named(choice.id, choice.title));
        found.map(|choice| choice.id).ok_or_else(|| {
            let ids: Vec<&str> = choices.iter().map(|choice| choice.id).collect();
            format!(
                "No column “{}”. There are: {}.",
                text::printable(name),
                ids.join(", ")
            )
        })
    }
}

fn at(app: &mut App, argument: &str) -> Result<(), String> {
    let target = match argument {
        "" | "now" | "end" => ReplayTarget::End,
        "start" => ReplayTarget::Start,
        argument => {
            let time = argument.strip_prefix('-').unwrap_or(argument);
            let time = duration(time).ok_or_else(|| {
                format!(
                    "“{}” is no time: use at -90s, at -2m, at start or at end.",
                    text::printable(argument)
                )
            })?;
            if argument.starts_with('-') || !app.time.is_replay() {
                ReplayTarget::BeforeEnd(time)
            } else {
                ReplayTarget::After(time)
            }
        }
    };
    app.notice = app.time.go_to(target);
    Ok(())
}

fn filter(app: &mut App, argument: &str) -> Result<(), String> {
    let before = app.filter.text().to_owned();
    app.filter.set(argument.to_owned());
    let kind = app.views.shown.row_kind();
    let Some(error) = app.filter.error(kind) else {
        return Ok(());
    };
    let why = error.one_line();
    app.filter.set(before);
    Err(why)
}

fn sort(app: &mut App, argument: &str) -> Result<(), String> {
    if argument == "tree" && app.views.shown == View::Cgroups {
        app.act(Action::Sort("tree"));
        return Ok(());
    }
    let column = app.column_named(argument)?;
    app.act(Action::Sort(column));
    Ok(())
}

fn column(app: &mut App, argument: &str) -> Result<(), String> {
    let column = app.column_named(argument)?;
    app.views.toggle_column(column);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "commands have one type")]
fn record(app: &mut App, argument: &str) -> Result<(), String> {
    app.effect = Some(Effect::Record(Some(PathBuf::from(argument))));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "commands have one type")]
fn save(app: &mut App, argument: &str) -> Result<(), String> {
    let path = (!argument.is_empty()).then(|| PathBuf::from(argument));
    app.effect = Some(Effect::Save(path));
    Ok(())
}
