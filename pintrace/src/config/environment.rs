//! What the configuration needs of the environment of the process.

use std::ffi::OsString;
use std::path::PathBuf;

use nix::unistd::{Uid, User};
use pintrace_tui::look::{ColourDepth, GraphCharacters};

/// Variables and users.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `NO_COLOR`
    pub no_color: Option<OsString>,
    /// `TERM`
    pub term: Option<OsString>,
    /// `COLORTERM`
    pub colorterm: Option<OsString>,
    /// `SUDO_UID`
    pub sudo_uid: Option<OsString>,
    /// `XDG_CONFIG_HOME`
    pub xdg_config_home: Option<OsString>,
    /// `HOME`
    pub home: Option<OsString>,
    /// The real user of the process.
    pub real_uid: u32,
    /// The groups of the process.
    pub groups: Vec<u32>,
    /// The home folder of a user in the database of users.
    pub home_of: Option<fn(u32) -> Option<PathBuf>>,
}

impl Environment {
    /// Returns that of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let groups = rustix::process::getgroups().unwrap_or_default().into_iter();
        let group = rustix::process::getgid();
        Self {
            no_color: std::env::var_os("NO_COLOR"),
            term: std::env::var_os("TERM"),
            colorterm: std::env::var_os("COLORTERM"),
            sudo_uid: std::env::var_os("SUDO_UID"),
            xdg_config_home: std::env::var_os("XDG_CONFIG_HOME"),
            home: std::env::var_os("HOME"),
            real_uid: rustix::process::getuid().as_raw(),
            groups: groups.chain([group]).map(rustix::process::Gid::as_raw).collect(),
            home_of: Some(home_of),
        }
    }

    /// Returns true if `NO_COLOR` is set and not empty.
    pub(super) fn forbids_colours(&self) -> bool {
        self.no_color.as_ref().is_some_and(|value| !value.is_empty())
    }

    /// Returns the number of colours that the terminal seems to have.
    pub(super) fn depth(&self) -> ColourDepth {
        let text = |value: &Option<OsString>| {
            value
                .as_ref()
                .map(|value| value.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let (term, colorterm) = (text(&self.term), text(&self.colorterm));
        let has_none = term.is_empty()
            || term == "dumb"
            || term.starts_with("vt")
            || term.ends_with("-m")
            || term.ends_with("-mono");
        if has_none {
            ColourDepth::Never
        } else if term == "linux" {
            // The console of Linux shows the nearest of its 16 colours in place of any other.
            ColourDepth::Sixteen
        } else if ["truecolor", "24bit"].contains(&colorterm.as_str()) || term.ends_with("-direct") {
            ColourDepth::Full
        } else if term.contains("256color") {
            ColourDepth::Indexed
        } else {
            ColourDepth::Sixteen
        }
    }

    /// Returns the characters of graphs. The font of the console of Linux lacks braille.
    pub(super) fn graph(&self) -> GraphCharacters {
        if self.term.as_ref().is_some_and(|term| term == "linux") {
            GraphCharacters::Ascii
        } else {
            GraphCharacters::Braille
        }
    }
}

fn home_of(uid: u32) -> Option<PathBuf> {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten()?;
    Some(user.dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(term: &str, colorterm: &str) -> ColourDepth {
        let environment = Environment {
            term: Some(term.into()),
            colorterm: Some(colorterm.into()),
            ..Environment::default()
        };
        environment.depth()
    }

    #[test]
    fn the_terminal_says_how_many_colours_it_has() {
        assert_eq!(depth("xterm-256color", "truecolor"), ColourDepth::Full);
        assert_eq!(depth("xterm-256color", ""), ColourDepth::Indexed);
        assert_eq!(depth("xterm", ""), ColourDepth::Sixteen);
        assert_eq!(depth("linux", "truecolor"), ColourDepth::Sixteen);
        for none in ["", "dumb", "vt100", "vt220", "ansi-m", "xterm-mono"] {
            assert_eq!(depth(none, "truecolor"), ColourDepth::Never, "{none}");
        }
    }

    #[test]
    fn only_the_console_of_linux_has_ascii_graphs() {
        let graph = |term: &str| {
            let environment = Environment {
                term: Some(term.into()),
                ..Environment::default()
            };
            environment.graph()
        };
        assert_eq!(graph("linux"), GraphCharacters::Ascii);
        assert_eq!(graph("xterm"), GraphCharacters::Braille);
    }
}
