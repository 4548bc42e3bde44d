//! `pintrace generate`: prints the files that come with an installed pintrace: man pages, completions, units and the
//! configuration of the system. Each package takes these files from here, so each has the same.

mod man;
mod pages;
mod units;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::config;
use crate::exit::Exit;

use self::man::ManPage;
use self::units::Unit;

/// The command line of `generate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to generate.
    #[command(subcommand)]
    pub what: What,
}

/// What to generate.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum What {
    /// Generate a man page, or all of them into a folder.
    Man(ManArgs),
    /// Generate the completions of a shell.
    Completions(CompletionArgs),
    /// Generate a systemd unit that runs this program.
    Unit(UnitArgs),
    /// Generate a configuration of the live view in which each key is commented out.
    Config,
}

/// The command line of `generate man`.
#[derive(Clone, Debug, clap::Args)]
pub struct ManArgs {
    /// The page to print, such as `pintrace-top`.
    #[arg(value_name = "PAGE", default_value = man::MAIN, value_parser = page)]
    pub page: String,
    /// Write all pages into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub output: Option<PathBuf>,
}

/// The command line of `generate completions`.
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionArgs {
    /// The shell.
    #[arg(value_name = "SHELL", value_parser = shell)]
    pub shell: Shell,
}

/// The command line of `generate unit`.
#[derive(Clone, Debug, clap::Args)]
pub struct UnitArgs {
    /// The unit: `serve` is pintrace.service, `record@` is pintrace-record@.service.
    #[arg(value_enum, value_name = "UNIT", default_value_t)]
    pub unit: Unit,
}

/// Runs `pintrace generate`.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Exit> {
    match &args.what {
        What::Man(man) => match &man.output {
            Some(folder) => write_pages(folder)?,
            None => out.write_all(&man::page(&man.page)?)?,
        },
        What::Completions(completions) => {
            // clap_complete panics if it cannot write, so it writes into memory.
            let mut text = Vec::new();
            clap_complete::generate(completions.shell, &mut Cli::command(), "pintrace", &mut text);
            out.write_all(&text)?;
        }
        What::Unit(unit) => {
            let program = std::env::current_exe().context("the path of this program is unknown")?;
            out.write_all(unit.unit.text(&program)?.as_bytes())?;
            if let Some(warning) = units::hidden(&program) {
                eprintln!("pintrace: {warning}");
            }
        }
        What::Config => out.write_all(config::commented_out().as_bytes())?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn write_pages(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    for page in man::pages() {
        let file = folder.join(page.file_name());
        fs::write(&file, page.render()?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Parses the name of a man page.
fn page(name: &str) -> Result<String, String> {
    let names: Vec<_> = man::pages().into_iter().map(ManPage::into_name).collect();
    match names.iter().find(|known| *known == name) {
        Some(name) => Ok(name.clone()),
        None => Err(format!("the pages are {}", names.join(", "))),
    }
}

/// Parses a shell for which the packages have completions.
fn shell(name: &str) -> Result<Shell, String> {
    [Shell::Bash, Shell::Zsh, Shell::Fish]
        .into_iter()
        .find(|shell| shell.to_string() == name)
        .ok_or_else(|| "the shells are bash, zsh and fish".to_owned())
}
