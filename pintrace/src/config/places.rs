//! The files of the configuration: that of the system, and that of the user who runs pintrace.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::flags::FileFlags;
use super::trusted_file;

/// The file of the system.
const SYSTEM: &str = "/etc/pintrace/config.toml";

/// A file that may contain a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Who may own it.
    pub(super) trust: Trust,
}

/// The condition under which a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The command line names the file, and the user can read it.
    Named,
    /// The file and its folder belong to this user or to root, and nobody else can write to them.
    OwnedBy(u32),
}

/// The state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The file is read.
    Read,
    /// There is no such file.
    Missing,
    /// The file cannot be read or is not trusted.
    Refused(String),
}

/// Returns the files to read, the file of the system first.
pub(super) fn places(flags: &FileFlags, environment: &Environment) -> Vec<Place> {
    if flags.no_config {
        return Vec::new();
    }
    if let Some(path) = &flags.config {
        return vec![Place {
            path: path.clone(),
            trust: Trust::Named,
        }];
    }
    let system = Place {
        path: SYSTEM.into(),
        trust: Trust::OwnedBy(0),
    };
    let (uid, folder) = user_folder(environment);
    let user = folder.map(|folder| Place {
        path: folder.join("pintrace/config.toml"),
        trust: Trust::OwnedBy(uid),
    });
    [Some(system), user].into_iter().flatten().collect()
}

/// Returns the user who runs pintrace, also by sudo, and the folder of the configurations of the user. Under sudo, HOME and
/// `XDG_CONFIG_HOME` may be those of root or of the user, so only the database of users tells the folder.
fn user_folder(environment: &Environment) -> (u32, Option<PathBuf>) {
    let in_database = |uid: u32| environment.home_of.and_then(|home_of| home_of(uid));
    let in_home = |home: PathBuf| home.join(".config");
    if let Some(uid) = sudo_uid(environment) {
        return (uid, in_database(uid).map(in_home));
    }
    let uid = environment.real_uid;
    let folder = absolute(environment.xdg_config_home.as_ref())
        .or_else(|| absolute(environment.home.as_ref()).map(in_home))
        .or_else(|| in_database(uid).map(in_home));
    (uid, folder)
}

/// Returns the user who has called sudo.
fn sudo_uid(environment: &Environment) -> Option<u32> {
    let text = environment.sudo_uid.as_ref()?.to_str()?;
    text.parse().ok().filter(|_| environment.real_uid == 0)
}

/// The XDG specification tells to ignore relative paths.
fn absolute(value: Option<&OsString>) -> Option<PathBuf> {
    let path = Path::new(value?);
    path.is_absolute().then(|| path.to_owned())
}

/// Returns the files and whether they are read.
pub fn states(flags: &FileFlags, environment: &Environment) -> Vec<(Place, FileState)> {
    let state = |place: &Place| match trusted_file::read(place, environment) {
        Ok(Some(_)) => FileState::Read,
        Ok(None) => FileState::Missing,
        Err(error) => FileState::Refused(error),
    };
    let places = places(flags, environment).into_iter();
    places.map(|place| (place.clone(), state(&place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes(uid: u32) -> Option<PathBuf> {
        (uid == 1000).then(|| "/home/me".into())
    }

    fn environment(real_uid: u32) -> Environment {
        Environment {
            real_uid,
            home_of: Some(homes),
            ..Environment::default()
        }
    }

    fn user_file(environment: &Environment) -> Option<(String, Trust)> {
        let places = places(&FileFlags::default(), environment);
        let user = places.get(1)?;
        Some((user.path.display().to_string(), user.trust))
    }

    fn file(path: &str, uid: u32) -> (String, Trust) {
        (path.to_owned(), Trust::OwnedBy(uid))
    }

    #[test]
    fn the_file_of_the_user_is_in_xdg_config_home_or_else_in_home() {
        let mut environment = environment(1000);
        assert_eq!(
            user_file(&environment),
            Some(file("/home/me/.config/pintrace/config.toml", 1000))
        );
        environment.home = Some("/elsewhere".into());
        assert_eq!(
            user_file(&environment),
            Some(file("/elsewhere/.config/pintrace/config.toml", 1000))
        );
        environment.xdg_config_home = Some("relative".into());
        assert_eq!(
            user_file(&environment),
            Some(file("/elsewhere/.config/pintrace/config.toml", 1000))
        );
        environment.xdg_config_home = Some("/xdg".into());
        assert_eq!(
            user_file(&environment),
            Some(file("/xdg/pintrace/config.toml", 1000))
        );
    }

    #[test]
    fn under_sudo_the_database_of_users_tells_the_folder_and_no_variable() {
        let mut environment = Environment {
            sudo_uid: Some("1000".into()),
            home: Some("/root".into()),
            xdg_config_home: Some("/tmp/evil".into()),
            ..environment(0)
        };
        assert_eq!(
            user_file(&environment),
            Some(file("/home/me/.config/pintrace/config.toml", 1000))
        );
        environment.sudo_uid = Some("1001".into());
        assert_eq!(user_file(&environment), None, "a user without an entry");
        for text in ["", "me", "-1", "99999999999"] {
            environment.sudo_uid = Some(text.into());
            assert_eq!(
                user_file(&environment),
                Some(file("/tmp/evil/pintrace/config.toml", 0)),
                "{text}"
            );
        }
    }

    #[test]
    fn sudo_uid_has_no_meaning_for_other_users() {
        let environment = Environment {
            sudo_uid: Some("0".into()),
            ..environment(1000)
        };
        assert_eq!(
            user_file(&environment),
            Some(file("/home/me/.config/pintrace/config.toml", 1000))
        );
    }

    #[test]
    fn a_named_file_takes_the_place_of_all_others() {
        let named = FileFlags {
            config: Some("x.toml".into()),
            no_config: false,
        };
        let environment = environment(1000);
        let named = places(&named, &environment);
        assert_eq!((named.len(), named[0].trust), (1, Trust::Named));
        assert!(places(&FileFlags::NONE, &environment).is_empty());
    }
}
