//! The configuration of the live view: flags, the environment, the file of the user, the file of the system.
//!
//! A value of an earlier source of this list wins. Tables are merged key by key.

mod commented_out;
mod defaults;
mod environment;
mod flags;
mod key_list;
mod mistake;
mod nearest;
mod origin;
mod parse;
mod places;
mod setting;
mod show;
#[cfg(test)]
mod tests;
mod toml_value;
mod trusted_file;
mod values;
mod view_options;

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use pintrace_tui::look::ColourDepth;

pub use self::commented_out::commented_out;
pub use self::environment::Environment;
pub use self::flags::{FileFlags, ViewFlags};
pub use self::key_list::{KEYS, KeyEntry};
pub use self::origin::Origin;
pub use self::places::{FileState, Place, states};
pub use self::setting::{Colours, Setting};

use self::setting::Entry;

/// The settings in force, each with its origin.
#[derive(Clone, Debug)]
pub struct Configuration {
    entries: Vec<Entry>,
    environment: Environment,
}

impl Configuration {
    /// Reads the files and applies environment and flags. The caller still has its privileges: the file of the user is read
    /// only if its owner is the user or root.
    pub fn load(flags: &ViewFlags, environment: Environment) -> anyhow::Result<Self> {
        let mut configuration = Self {
            entries: defaults::entries(),
            environment,
        };
        for place in places::places(&flags.files, &configuration.environment) {
            if let Some(text) =
                trusted_file::read(&place, &configuration.environment).map_err(|error| anyhow!(error))?
            {
                configuration.take_file(&text, &place.path)?;
            }
        }
        configuration.take_environment_and_flags(flags);
        configuration.check_quit()?;
        Ok(configuration)
    }

    fn take_environment_and_flags(&mut self, flags: &ViewFlags) {
        if self.environment.forbids_colours() {
            let never = Colours::Depth(ColourDepth::Never);
            self.take(Setting::Colours(never), Origin::Environment("NO_COLOR"));
        }
        for (setting, flag) in flags.settings() {
            self.take(setting, Origin::Flag(flag));
        }
    }

    /// Returns the settings, in the order of [`KEYS`].
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.entries.iter().map(|entry| &entry.setting)
    }

    fn take_file(&mut self, text: &str, path: &Path) -> anyhow::Result<()> {
        let located = parse::parse(text).map_err(|mistake| anyhow!(mistake.describe(text, path)))?;
        for (setting, offset) in located {
            let (line, _) = mistake::line_and_column(text, offset);
            let path = PathBuf::from(path);
            self.take(setting, Origin::File { path, line });
        }
        Ok(())
    }

    /// Replaces the value of a setting.
    fn take(&mut self, setting: Setting, origin: Origin) {
        let path = setting.path();
        self.entries.retain(|entry| entry.setting.path() != path);
        self.entries.push(Entry { setting, origin });
        self.entries.sort_by_key(|entry| entry.setting.rank());
    }

    /// Refuses keys that leave no key to quit.
    fn check_quit(&self) -> anyhow::Result<()> {
        let commands = pintrace_tui::catalogue::commands(&self.keys());
        let quit = commands.iter().find(|entry| entry.command == "quit");
        if quit.is_some_and(|quit| !quit.keys.is_empty()) {
            return Ok(());
        }
        let mut keys = self.entries.iter().rev();
        let last = keys.find(|entry| matches!(entry.setting, Setting::Key(_)));
        let origin = last.map(|entry| entry.origin.to_string()).unwrap_or_default();
        Err(anyhow!(
            "{origin}: no key is left for the command `quit`: give one to it"
        ))
    }
}
