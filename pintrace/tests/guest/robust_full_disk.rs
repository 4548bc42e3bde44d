//! A file system that fills up during `pintrace record`: the message, the file on the disk, and the remedy.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::skipped;
use super::recording::NO_FINDINGS;
use super::robust_kit::{Before, Running, path, pintrace};
use super::sums;

/// Bytes of the file system.
const SIZE: u64 = 256 << 10;
/// Free bytes at the start of the recording: enough for some frames. Blocks are as large as pages, so that the kernel
/// writes the first part of the frame that does not fit.
const ROOM: u64 = 6 * 4096;

#[test]
fn a_full_disk_ends_the_recording_and_keeps_the_file_and_the_command() {
    const NAME: &str = "a_full_disk_ends_the_recording_and_keeps_the_file_and_the_command";
    let before = Before::now();
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(why) => return skipped(NAME, &why),
    };
    let filler = disk.fill_but(ROOM);
    let file = disk.file("full.pintrace");
    let (enough, went_on) = (path("enough"), path("went-on"));
    let script = format!(
        "while [ ! -e {} ]; do pinload process-vm --name $RANDOM >/dev/null; done; touch {}",
        enough.display(),
        went_on.display()
    );
    let recorder = Running::start(&[
        "record",
        NO_FINDINGS,
        "--interval",
        "10ms",
        "-o",
        file.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        &script,
    ]);
    recorder.wait_for_stderr("continues and is no longer recorded");
    assert!(!went_on.exists());
    // Tracing ends with the recording.
    before.assert_nothing_is_left_of_the_probes();
    fs::write(&enough, "").unwrap();
    let ended = recorder.end();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(went_on.exists(), "the command did not run to its end");
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    let message = format!("pintrace: {}: recording stopped: No space left", file.display());
    assert!(ended.stderr.starts_with(&message), "{}", ended.stderr);
    let remedy = "Free some space, or record to another file system with -o FILE";
    assert!(ended.stderr.contains(remedy), "{}", ended.stderr);
    before.assert_nothing_is_left();

    // The file has the number of events of the message, also after a remount.
    let kept = number_before(&ended.stderr, " events written before.");
    disk.remount();
    assert_eq!(disk.names(), ["full.pintrace", "lost+found", "other"]);
    assert!(fs::read(&filler).unwrap().iter().all(|byte| *byte == FILLING[0]));
    let (events, json) = cut_short(&file);
    assert_eq!(events, kept, "{}", ended.stderr);
    assert!(
        json["balance"]["ledger_acquired"].as_u64().unwrap() >= 64,
        "{json}"
    );
    assert!(
        ends_with_a_whole_frame(&file, kept),
        "the incomplete frame was not removed"
    );

    // The remedy of the message works.
    fs::remove_file(&filler).unwrap();
    let words = [
        "record",
        NO_FINDINGS,
        "-o",
        file.to_str().unwrap(),
        "--",
        "pinload",
        "process-vm",
    ];
    let ended = pintrace(&words);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = pintrace(&["report", "--json", file.to_str().unwrap()]);
    assert!(ended.stdout.contains(r#""complete":true"#), "{}", ended.stderr);
    before.assert_nothing_is_left();
}

/// Returns the number of events of a recording that was cut short, and its report.
fn cut_short(file: &Path) -> (u64, serde_json::Value) {
    let ended = pintrace(&["report", "--json", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["complete"], false);
    // A recording that is cut inside a tick may have the accounts of the tick and not its balance.
    assert_eq!(sums::between_views(&json), Vec::<String>::new(), "{json}");
    (
        number_before(&ended.stderr, " events: the report ends there"),
        json,
    )
}

/// Returns true if the last byte of a file with `events` events belongs to the last event.
fn ends_with_a_whole_frame(file: &Path, events: u64) -> bool {
    let shorter = path("shorter");
    let bytes = fs::read(file).unwrap();
    fs::write(&shorter, &bytes[..bytes.len() - 1]).unwrap();
    cut_short(&shorter).0 < events
}

/// Returns the number before `words`.
fn number_before(text: &str, words: &str) -> u64 {
    let (before, _) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("{words}: {text}"));
    let number = before.rsplit(' ').next().unwrap();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no number before{words}: {text}"))
}

/// Content of the other file on the disk.
const FILLING: [u8; 4096] = [0x5a; 4096];

/// A small ext4 in a file at /mnt, mounted through a loop device, removed when dropped.
struct SmallDisk {
    image: PathBuf,
    place: PathBuf,
}

impl SmallDisk {
    fn mount() -> Result<Self, &'static str> {
        if !Path::new("/dev/loop-control").exists() {
            return Err("this kernel has no loop devices");
        }
        let disk = Self {
            image: PathBuf::from("/mnt/small.ext4"),
            place: PathBuf::from("/tmp/small"),
        };
        fs::create_dir_all(&disk.place).unwrap();
        File::create(&disk.image).unwrap().set_len(SIZE).unwrap();
        // No blocks are reserved for root, because pintrace runs as root.
        let make = Command::new("mke2fs")
            .args(["-F", "-b", "4096", "-m", "0"])
            .arg(&disk.image)
            .output();
        assert!(make.unwrap().status.success());
        disk.attach();
        Ok(disk)
    }

    fn attach(&self) {
        // Mounted as ext4 in any case, for delayed allocation.
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "ext4", "-o", "loop"])
            .arg(&self.image)
            .arg(&self.place);
        assert!(mount.status().unwrap().success());
    }

    /// Unmounts and mounts the file system, so that all data come from the disk.
    fn remount(&self) {
        assert!(
            Command::new("umount")
                .arg(&self.place)
                .status()
                .unwrap()
                .success()
        );
        self.attach();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    fn free(&self) -> u64 {
        let sizes = rustix::fs::statvfs(&self.place).unwrap();
        sizes.f_bavail * sizes.f_frsize
    }

    /// Fills the file system with a file until at most `room` bytes are free.
    fn fill_but(&self, room: u64) -> PathBuf {
        let path = self.file("other");
        let mut file = File::create(&path).unwrap();
        while self.free() > room {
            file.write_all(&FILLING).unwrap();
        }
        file.sync_all().unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.place).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.place).status();
        let _ = fs::remove_file(&self.image);
    }
}
