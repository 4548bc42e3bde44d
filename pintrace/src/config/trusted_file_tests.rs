//! Tests of the check of the owner.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use tempfile::TempDir;

use super::*;

const USER: u32 = 12_345;

fn owned(uid: u32, mode: u32) -> Ownership {
    Ownership { uid, gid: uid, mode }
}

#[test]
fn only_files_of_the_user_and_of_root_that_no_other_can_write_are_trusted() {
    for (uid, mode) in [(USER, 0o600), (USER, 0o644), (0, 0o644)] {
        assert_eq!(owned(uid, mode).distrust(USER), None, "{uid} {mode:o}");
    }
    let refused = |uid, mode, user| owned(uid, mode).distrust(user).unwrap();
    assert_eq!(
        refused(54_321, 0o600, USER),
        "belongs to uid 54321, and not to this user or root"
    );
    assert_eq!(refused(USER, 0o600, 0), "belongs to uid 12345, and not to root");
    for mode in [0o620, 0o602] {
        assert!(refused(USER, mode, USER).contains("can be written by other users"));
    }
}

#[test]
fn a_file_is_readable_by_owner_group_and_others() {
    assert!(owned(0, 0o644).is_readable(USER, &[]));
    assert!(!owned(0, 0o640).is_readable(USER, &[]));
    assert!(owned(0, 0o640).is_readable(USER, &[0]));
    assert!(owned(USER, 0o400).is_readable(USER, &[]));
    assert!(owned(USER, 0o600).is_readable(0, &[]));
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

fn write(folder: &TempDir, content: &[u8], mode: u32) -> Place {
    let path = folder.path().join("config.toml");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    Place {
        path,
        trust: Trust::OwnedBy(me()),
    }
}

fn environment() -> Environment {
    Environment {
        real_uid: me(),
        ..Environment::default()
    }
}

fn refused(place: &Place) -> String {
    let why = read(place, &environment()).unwrap_err();
    let folder = place.path.parent().unwrap().display().to_string();
    why.replace(&folder, "FOLDER")
}

#[test]
fn a_missing_file_is_none_and_a_missing_named_file_is_a_mistake() {
    let folder = folder();
    let mut place = write(&folder, b"", 0o600);
    assert_eq!(read(&place, &environment()), Ok(Some(String::new())));
    place.path = folder.path().join("config.toml/pintrace/config.toml");
    assert_eq!(read(&place, &environment()), Ok(None));
    place.path = folder.path().join("none.toml");
    assert_eq!(read(&place, &environment()), Ok(None));
    place.trust = Trust::Named;
    assert_eq!(
        refused(&place),
        "FOLDER/none.toml: No such file or directory (os error 2)"
    );
}

#[test]
fn a_file_or_a_folder_that_others_can_write_is_refused() {
    let folder = folder();
    let place = write(&folder, b"", 0o666);
    assert_eq!(
        refused(&place),
        "FOLDER/config.toml: not read, because it can be written by other users; chmod go-w helps; --no-config reads no \
         configuration"
    );
    let place = write(&folder, b"", 0o600);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&place).contains("because its folder can be written"));
    let named = Place {
        trust: Trust::Named,
        ..place
    };
    assert_eq!(read(&named, &environment()), Ok(Some(String::new())));
}

#[test]
fn the_owner_is_that_of_the_file_behind_a_link() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested: only root can give files to other users");
        return;
    }
    let folder = folder();
    let mut place = write(&folder, b"", 0o644);
    place.trust = Trust::OwnedBy(USER);
    assert_eq!(read(&place, &environment()), Ok(Some(String::new())), "of root");
    chown(&place.path, Some(54_321), None).unwrap();
    assert!(refused(&place).contains("because it belongs to uid 54321"));
    // A link of the user to a file that only root can read.
    let secret = folder.path().join("secret");
    fs::rename(&place.path, &secret).unwrap();
    chown(&secret, Some(0), None).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    chown(folder.path(), Some(USER), None).unwrap();
    symlink(&secret, &place.path).unwrap();
    assert!(refused(&place).contains("belongs to root, and other users cannot read it"));
}

#[test]
fn a_named_file_that_only_the_capabilities_can_read_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested: every file of the test is its own user's");
        return;
    }
    let folder = folder();
    let place = Place {
        trust: Trust::Named,
        ..write(&folder, b"", 0o600)
    };
    let other = Environment {
        real_uid: USER,
        ..Environment::default()
    };
    assert!(read(&place, &other).unwrap_err().contains("Permission denied"));
}

#[test]
fn what_is_no_text_or_too_large_is_refused() {
    let folder = folder();
    let most = vec![b'#'; 64 * 1024];
    assert!(read(&write(&folder, &most, 0o600), &environment()).is_ok());
    let more = vec![b'#'; 64 * 1024 + 1];
    assert_eq!(
        refused(&write(&folder, &more, 0o600)),
        "FOLDER/config.toml: larger than 64 KiB, which is no configuration"
    );
    assert_eq!(
        refused(&write(&folder, b"a\xff", 0o600)),
        "FOLDER/config.toml: no UTF-8 text at byte 1"
    );
}

#[test]
fn a_pipe_does_not_stop_the_start() {
    let folder = folder();
    let place = Place {
        path: folder.path().join("config.toml"),
        trust: Trust::OwnedBy(me()),
    };
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &place.path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(refused(&place).contains("no file"));
}
