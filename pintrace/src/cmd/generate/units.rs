//! The systemd units. The program contains the files of packaging/systemd as they are at its build: a unit is changed there,
//! and `generate unit` and all packages have the change. A printed unit runs the program that prints it.

use std::path::Path;

/// The program that the packages install.
const PACKAGED: &str = "/usr/bin/pintrace";
/// Folders of the root folder that the units hide from the service (`ProtectHome=` and `PrivateTmp=`, systemd.exec(5)).
const HIDDEN: [&str; 5] = ["home", "root", "run/user", "tmp", "var/tmp"];

/// A unit of packaging/systemd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// pintrace.service: serves metrics
    #[default]
    Serve,
    /// pintrace-record@.service: records into a file
    #[value(name = "record@")]
    Record,
}

impl Unit {
    /// Returns the text of the unit, with the path of the program that it is to run.
    ///
    /// # Errors
    ///
    /// Returns an error if a unit would have to quote the path.
    pub(super) fn text(self, program: &Path) -> anyhow::Result<String> {
        let text = match self {
            Self::Serve => include_str!("../../../../packaging/systemd/pintrace.service"),
            Self::Record => include_str!("../../../../packaging/systemd/pintrace-record@.service"),
        };
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._+-".contains(char);
        match program.to_str() {
            Some(path) if path.chars().all(is_plain) => Ok(text.replace(PACKAGED, path)),
            _ => anyhow::bail!(
                "{}: a unit cannot run a program whose path has blanks or special characters: install it, for example \
                 as /usr/local/bin/pintrace",
                program.display()
            ),
        }
    }
}

/// Returns what has to be said of a program that the unit cannot see.
pub(super) fn hidden(program: &Path) -> Option<String> {
    let inside = program.strip_prefix("/").ok()?;
    let folder = HIDDEN.iter().find(|folder| inside.starts_with(folder))?;
    Some(format!(
        "{}: the unit hides /{folder} from the service (ProtectHome=, PrivateTmp=): install the program, for example as \
         /usr/local/bin/pintrace, and let it print the unit there",
        program.display()
    ))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_unit_runs_the_program_that_prints_it() {
        for unit in Unit::value_variants() {
            let packaged = unit.text(PACKAGED.as_ref()).unwrap();
            let local = unit.text("/usr/local/bin/pintrace".as_ref()).unwrap();
            let runs = |text: &str, path: &str| text.matches(&format!("={path} ")).count();
            assert_eq!(
                (runs(&packaged, PACKAGED), runs(&local, PACKAGED)),
                (2, 0),
                "{unit:?}"
            );
            assert_eq!(runs(&local, "/usr/local/bin/pintrace"), 2, "{unit:?}");
        }
    }

    #[test]
    fn a_path_that_needs_quotes_is_refused_and_a_hidden_one_is_named() {
        assert!(
            Unit::Serve
                .text("/opt/my tools/pintrace".as_ref())
                .unwrap_err()
                .to_string()
                .contains("special")
        );
        assert!(
            hidden("/home/me/pintrace".as_ref())
                .unwrap()
                .contains("ProtectHome")
        );
        assert_eq!(hidden("/usr/bin/pintrace".as_ref()), None);
    }
}
