//! A file system that fills up under `pintrace record`: what is said, what stays on the disk, and that the remedy works.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::skipped;
use super::recording::NO_FINDINGS;
use super::robust_kit::{Before, Running, path, pintrace};

/// Bytes of the whole file system.
const SIZE: u64 = 256 << 10;
/// Bytes that are free when the recording begins: enough for some frames. Blocks as large as pages, so that the kernel takes
/// the first part of the frame for which there is no room.
const ROOM: u64 = 6 * 4096;

#[test]
fn a_full_disk_ends_the_recording_but_neither_the_file_nor_the_command() {
    const NAME: &str = "a_full_disk_ends_the_recording_but_neither_the_file_nor_the_command";
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
    recorder.wait_until_said("continues and is no longer recorded");
    assert!(!went_on.exists());
    // What cannot be recorded is not traced either.
    before.assert_nothing_is_left_of_the_probes();
    fs::write(&enough, "").unwrap();
    let ended = recorder.end();
    assert_eq!(ended.code, 1, "{}", ended.said);
    assert!(went_on.exists(), "the command was not left to its end");
    assert_eq!(ended.said.lines().count(), 2, "{}", ended.said);
    let told = format!("pintrace: {}: recording stopped: No space left", file.display());
    assert!(ended.said.starts_with(&told), "{}", ended.said);
    let remedy = "Free some space, or record to another file system with -o FILE";
    assert!(ended.said.contains(remedy), "{}", ended.said);
    before.assert_nothing_is_left();

    // What was said to be kept is what the disk holds, also for the next mount.
    let kept = number_before(&ended.said, " events before.");
    disk.remount();
    assert_eq!(disk.names(), ["full.pintrace", "lost+found", "other"]);
    assert!(fs::read(&filler).unwrap().iter().all(|byte| *byte == FILLING[0]));
    let (events, json) = cut_short(&file);
    assert_eq!(events, kept, "{}", ended.said);
    assert!(
        json["balance"]["ledger_acquired"].as_u64().unwrap() >= 64,
        "{json}"
    );
    assert!(
        ends_with_a_whole_frame(&file, kept),
        "the torn frame was not taken back"
    );

    // The remedy that was named.
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
    assert_eq!(ended.code, 0, "{}", ended.said);
    let ended = pintrace(&["report", "--json", file.to_str().unwrap()]);
    assert!(ended.out.contains(r#""complete":true"#), "{}", ended.said);
    before.assert_nothing_is_left();
}

/// The report on a recording that was cut short, and how many events it says are on file.
fn cut_short(file: &Path) -> (u64, serde_json::Value) {
    let ended = pintrace(&["report", "--json", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(json["complete"], false);
    (number_before(&ended.said, " events: the report ends there"), json)
}

/// The last byte belongs to the last of so many events.
fn ends_with_a_whole_frame(file: &Path, events: u64) -> bool {
    let shorter = path("shorter");
    let bytes = fs::read(file).unwrap();
    fs::write(&shorter, &bytes[..bytes.len() - 1]).unwrap();
    cut_short(&shorter).0 < events
}

/// The number that stands before these words.
fn number_before(text: &str, words: &str) -> u64 {
    let (before, _) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("{words}: {text}"));
    let number = before.rsplit(' ').next().unwrap();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no number before{words}: {text}"))
}

/// What lies on the disk besides the recording.
const FILLING: [u8; 4096] = [0x5a; 4096];

/// A small ext4 on a file of the disk at /mnt, through a loop device. Gone at the end.
struct SmallDisk {
    image: PathBuf,
    place: PathBuf,
}

impl SmallDisk {
    fn mount() -> Result<Self, &'static str> {
        if !Path::new("/dev/loop-control").exists() {
            return Err("this kernel comes without loop devices");
        }
        let disk = Self {
            image: PathBuf::from("/mnt/small.ext4"),
            place: PathBuf::from("/tmp/small"),
        };
        fs::create_dir_all(&disk.place).unwrap();
        File::create(&disk.image).unwrap().set_len(SIZE).unwrap();
        // Without blocks that only root may use: pintrace is root.
        let make = Command::new("mke2fs")
            .args(["-F", "-b", "4096", "-m", "0"])
            .arg(&disk.image)
            .output();
        assert!(make.unwrap().status.success());
        disk.attach();
        Ok(disk)
    }

    fn attach(&self) {
        // As ext4, whatever it was made as: with delayed allocation, as disks are used.
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "ext4", "-o", "loop"])
            .arg(&self.image)
            .arg(&self.place);
        assert!(mount.status().unwrap().success());
    }

    /// Everything out of the kernel's memory and back from the disk.
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

    /// Fills it with a file until only so much is free.
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
