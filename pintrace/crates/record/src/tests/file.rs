//! Tests of recordings in files.

use std::fs;

use pintrace_testing::event_builder::fio_and_others;

use super::{read, tick, written};
use crate::{CreateError, Existing, Recording, WriteError};

#[test]
fn a_recording_that_never_began_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.pin");
    drop(Recording::create(&path, Existing::KeepForeign).unwrap());
    assert!(!path.exists());
}

#[test]
fn only_the_owner_can_read_a_new_recording() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.pin");
    let mut recording = Recording::create(&path, Existing::KeepForeign).unwrap();
    let before = fs::metadata(&path).unwrap();
    recording.give_to(before.uid(), before.gid()).unwrap();
    recording.append(&tick(1)).unwrap();
    recording.finish().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_earlier_recording_is_moved_aside_when_the_session_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.pin");
    let old = written(&fio_and_others().events);
    fs::write(&path, &old).unwrap();
    drop(Recording::create(&path, Existing::KeepForeign).unwrap());
    assert_eq!(fs::read(&path).unwrap(), old);
    let mut recording = Recording::create(&path, Existing::KeepForeign).unwrap();
    let aside = folder.path().join("old.pin.old");
    assert_eq!(recording.begin().unwrap(), Some(aside.clone()));
    let tick = tick(1);
    recording.append(&tick).unwrap();
    recording.finish().unwrap();
    let new = fs::read(&path).unwrap();
    assert_eq!(read(&new).0, [tick]);
    assert_eq!(recording.written_bytes(), u64::try_from(new.len()).unwrap());
    assert_eq!(fs::read(&aside).unwrap(), old);
    drop(recording);

    // The next recording takes its place, also with the wish to replace any file.
    let mut third = Recording::create(&path, Existing::Replace).unwrap();
    assert_eq!(third.begin().unwrap(), Some(aside.clone()));
    assert_eq!(fs::read(&aside).unwrap(), new);
    // A session without a frame leaves no file, and the earlier recording.
    drop(third);
    assert!(!path.exists() && aside.exists());
}

#[test]
fn an_earlier_recording_never_replaces_a_file_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.pin");
    let old = written(&fio_and_others().events);
    fs::write(&path, &old).unwrap();
    fs::write(folder.path().join("old.pin.old"), "notes").unwrap();
    let refused = Recording::create(&path, Existing::Replace).err().unwrap();
    assert!(refused.to_string().contains("old.pin.old"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), old);
}

#[test]
fn a_foreign_file_is_replaced_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thesis.txt");
    fs::write(&path, "three years of work").unwrap();
    let refused = Recording::create(&path, Existing::KeepForeign).err().unwrap();
    assert!(matches!(refused, CreateError::Foreign(_)));
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"three years of work");
    Recording::create(&path, Existing::Replace).unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    Recording::create(&empty, Existing::KeepForeign).unwrap();
    assert!(empty.exists(), "a file of another process was removed");
}

#[test]
fn two_recordings_never_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.pin");
    let _first = Recording::create(&path, Existing::KeepForeign).unwrap();
    assert!(matches!(
        Recording::create(&path, Existing::Replace),
        Err(CreateError::Busy(_))
    ));
}

#[test]
fn a_path_that_cannot_be_opened_is_named_with_the_remedy() {
    let refused = Recording::create("/nonexistent/x.pin".as_ref(), Existing::KeepForeign)
        .err()
        .unwrap();
    let message = refused.to_string();
    assert!(
        message.starts_with("/nonexistent/x.pin: ") && message.contains("-o FILE"),
        "{message}"
    );
}

#[test]
fn a_full_disk_is_named_and_every_unwritten_event_is_counted() {
    let mut recording = Recording::create("/dev/full".as_ref(), Existing::KeepForeign).unwrap();
    let tick = tick(1);
    let failure = recording.append(&tick).unwrap_err();
    let message = failure.to_string();
    assert!(matches!(failure, WriteError::Output { events: 0, .. }));
    assert!(
        message.contains("/dev/full") && message.contains("Free some space"),
        "{message}"
    );
    assert!(matches!(recording.append(&tick), Err(WriteError::Stopped(_))));
    assert_eq!(recording.unwritten_events(), 2);
}

#[test]
fn a_recording_can_go_to_a_device() {
    let mut recording = Recording::create("/dev/null".as_ref(), Existing::KeepForeign).unwrap();
    recording.append(&tick(1)).unwrap();
    recording.finish().unwrap();
}

#[test]
fn the_recording_behind_a_symbolic_link_is_moved_and_the_link_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("big-disk"), folder.path().join("link"));
    let old = written(&fio_and_others().events);
    fs::write(&file, &old).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut recording = Recording::create(&link, Existing::KeepForeign).unwrap();
    let aside = recording.begin().unwrap().unwrap();
    recording.append(&tick(1)).unwrap();
    recording.finish().unwrap();
    assert_eq!(aside.file_name().unwrap(), "big-disk.old");
    assert_eq!(fs::read(&aside).unwrap(), old);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(read(&fs::read(&link).unwrap()).0, [tick(1)]);
}

#[test]
fn a_recording_that_is_being_written_is_not_replaced_by_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("x"), folder.path().join("x.old"));
    let old = written(&fio_and_others().events);
    fs::write(&path, &old).unwrap();
    let mut live = Recording::create(&aside, Existing::KeepForeign).unwrap();
    live.append(&tick(1)).unwrap();
    assert!(matches!(
        Recording::create(&path, Existing::KeepForeign),
        Err(CreateError::Busy(_))
    ));
    drop(live);
    // A file that appears after the start of the session.
    let mut recording = Recording::create(&path, Existing::KeepForeign).unwrap();
    fs::write(&aside, "notes").unwrap();
    assert!(matches!(recording.begin(), Err(CreateError::NoPlace { .. })));
    drop(recording);
    assert_eq!(fs::read(&path).unwrap(), old);
}

#[test]
fn a_fifo_at_the_place_of_an_earlier_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, written(&fio_and_others().events)).unwrap();
    let fifo = folder.path().join("x.old");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(
        Recording::create(&path, Existing::KeepForeign),
        Err(CreateError::NoPlace { .. })
    ));
}
