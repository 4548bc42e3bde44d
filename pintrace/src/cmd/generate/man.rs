//! Man pages: one of `pintrace` and one of each command, with the options of the command line and with the sections of
//! [`super::pages`].

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::cli::Cli;
use crate::exit::Exit;

use super::pages;

/// The page of the program.
pub(super) const MAIN: &str = "pintrace";

/// One page.
pub(super) struct ManPage {
    /// `pintrace`, or `pintrace-` and the command.
    name: String,
    /// The names of the pages of its commands.
    commands: Vec<String>,
    command: Command,
}

/// Returns all pages, the page of the program first.
pub(super) fn pages() -> Vec<ManPage> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&program, &mut pages);
    pages
}

fn add(command: &Command, pages: &mut Vec<ManPage>) {
    let shown = || command.get_subcommands().filter(|command| !command.is_hide_set());
    pages.push(ManPage {
        name: name(command),
        commands: shown().map(name).collect(),
        command: command.clone(),
    });
    for command in shown() {
        add(command, pages);
    }
}

fn name(command: &Command) -> String {
    let name = command.get_display_name().unwrap_or(command.get_name());
    name.to_owned()
}

/// Returns the text of the page with this name.
pub(super) fn page(name: &str) -> io::Result<Vec<u8>> {
    let page = pages().into_iter().find(|page| page.name == name);
    page.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?
        .render()
}

impl ManPage {
    /// Returns the name.
    pub(super) fn into_name(self) -> String {
        self.name
    }

    /// Returns the name of the file.
    pub(super) fn file_name(&self) -> String {
        format!("{}.1", self.name)
    }

    /// Returns the text for troff.
    pub(super) fn render(&self) -> io::Result<Vec<u8>> {
        let man = Man::new(self.command.clone())
            .source(concat!("pintrace ", env!("CARGO_PKG_VERSION")))
            .manual("User Commands");
        let mut text = Vec::new();
        man.render_title(&mut text)?;
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        if self
            .command
            .get_arguments()
            .any(|argument| !argument.is_hide_set())
        {
            man.render_options_section(&mut text)?;
        }
        if !self.commands.is_empty() {
            man.render_subcommands_section(&mut text)?;
        }
        let mut roff = Roff::default();
        self.exit_status(&mut roff);
        self.files(&mut roff);
        self.see_also(&mut roff);
        roff.to_writer(&mut text)?;
        Ok(text)
    }

    fn exit_status(&self, roff: &mut Roff) {
        roff.control("SH", ["EXIT STATUS"]);
        for exit in pages::exits(&self.name) {
            let code = match exit {
                Exit::Command(_) => "other".to_owned(),
                exit => exit.code().to_string(),
            };
            entry(roff, bold(code), exit.meaning());
        }
    }

    fn files(&self, roff: &mut Roff) {
        roff.control("SH", ["FILES"]);
        for file in pages::files(&self.name) {
            entry(roff, bold(file.path), file.meaning);
        }
    }

    fn see_also(&self, roff: &mut Roff) {
        let parent = self.name.rsplit_once('-').map(|(parent, _)| (parent, "1"));
        let commands = self.commands.iter().map(|name| (name.as_str(), "1"));
        let others = pages::related(&self.name).iter().copied();
        let pages: Vec<_> = parent.into_iter().chain(commands).chain(others).collect();
        roff.control("SH", ["SEE ALSO"]);
        let mut line = Vec::new();
        for (index, (name, section)) in pages.iter().enumerate() {
            if index > 0 {
                line.push(roman(", "));
            }
            line.push(bold(*name));
            line.push(roman(format!("({section})")));
        }
        roff.text(line);
    }
}

fn entry(roff: &mut Roff, tag: Inline, text: &str) {
    roff.control("TP", []).text([tag]).text([roman(text)]);
}
