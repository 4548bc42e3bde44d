//! `pintrace config`: shows the configuration of the live view, its files, and its commands with their keys.

use std::io::Write;

use crate::config::{Configuration, Environment, FileFlags, FileState, ViewFlags, states};
use crate::exit::Exit;
use pintrace_model::text::printable;
use pintrace_text::pad_right;
use pintrace_tui::catalogue;

/// The command line of `config`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to show.
    #[command(subcommand)]
    pub what: What,
}

/// What to show.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum What {
    /// Show the settings in force and where each comes from, as a file of the configuration.
    Show(ViewFlags),
    /// Show the files that are read.
    Path(FileFlags),
    /// List the commands with their keys.
    Keys(FileFlags),
}

/// Columns of the keys and of the commands in a list.
const KEYS: usize = 14;
const COMMAND: usize = 30;

/// Runs `pintrace config`.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let environment = Environment::of_process();
    let text = match &args.what {
        What::Show(flags) => Configuration::load(flags, environment)?.show(),
        What::Path(flags) => paths(flags, &environment),
        What::Keys(files) => {
            let flags = ViewFlags {
                files: files.clone(),
                ..ViewFlags::default()
            };
            keys(&Configuration::load(&flags, environment)?)
        }
    };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

fn paths(flags: &FileFlags, environment: &Environment) -> String {
    let lines = states(flags, environment).into_iter().map(|(place, state)| {
        let path = printable(&place.path.display().to_string());
        match state {
            FileState::Read => format!("{path}: read\n"),
            FileState::Missing => format!("{path}: no such file\n"),
            // The reason begins with the path.
            FileState::Refused(why) => format!("{why}\n"),
        }
    });
    lines.collect()
}

fn keys(configuration: &Configuration) -> String {
    let mut text = String::new();
    let mut group = "";
    for entry in catalogue::commands(&configuration.keys()) {
        if entry.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = entry.group;
            text.extend([gap, group, "\n"]);
        }
        let keys = pad_right(&entry.keys.join(" "), KEYS);
        let command = format!("{} {}", entry.command, entry.argument);
        let line = format!(
            "  {keys} {} {}",
            pad_right(command.trim_end(), COMMAND),
            entry.help
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
