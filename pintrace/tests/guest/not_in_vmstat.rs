//! Pins by `folio_add_pin` (legacy direct I/O), which vmstat counts only at their release.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::process::Signal;

use crate::follow::Follower;
use crate::harness::{Checks, Report, number, skipped};
use crate::recording::Recording;
use crate::robust_kit::{Running, path};

/// Number of pins whose release vmstat has counted and whose acquisition it has not. `unaccounted` of each scan is lower by
/// this number until the guest boots again.
pub(crate) static RELEASED_ONLY: AtomicI64 = AtomicI64::new(0);

/// Mount point of a file system with legacy direct I/O.
const FOLDER: &str = "/tmp/fat";
/// Bytes of the file system.
const SIZE: u64 = 16 << 20;
/// Pins of a page by direct I/O (`iov_iter_extract_pages`).
const ONCE: u64 = 1;
/// Pins that legacy direct I/O adds for each part of a page that is contiguous on the disk: one for the current page
/// (`submit_page_section`, fs/direct-io.c), one for the bio (`dio_bio_add_page`).
const ADDED: u64 = 2;
/// Blocks of 512 bytes in a page.
const BLOCKS: u64 = 8;

/// A small FAT file system, unmounted when dropped.
struct Fat;

impl Fat {
    fn mount() -> Result<Self, String> {
        let known = fs::read_to_string("/proc/filesystems").unwrap();
        if !known.contains("\tvfat\n") || !std::path::Path::new("/dev/loop0").exists() {
            return Err("this kernel has no modules vfat and loop".to_owned());
        }
        fs::create_dir_all(FOLDER).unwrap();
        let image = format!("{FOLDER}.img");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        run(Command::new("mkfs.vfat")
            .env("PATH", "/usr/sbin:/sbin")
            .arg(&image));
        let options = ["-t", "vfat", "-o", "loop,codepage=437,iocharset=ascii"];
        run(Command::new("mount").args(options).args([&image, FOLDER]));
        Ok(Self)
    }
}

impl Drop for Fat {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(FOLDER).status();
    }
}

/// Runs a command. Fails if the command fails.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Returns the disk block of a block of a file: FIBMAP (fs/ioctl.c).
fn disk_block(file: &File, mut block: i32) -> i32 {
    const FIBMAP: rustix::ioctl::Opcode = 1;
    // SAFETY: the call takes and gives an int.
    let request = unsafe { rustix::ioctl::Updater::<FIBMAP, i32>::new(&mut block) };
    // SAFETY: as above.
    unsafe { rustix::ioctl::ioctl(file, request) }.unwrap();
    assert_ne!(block, 0, "a hole");
    block
}

fn bytes_of(pages: u64) -> usize {
    usize::try_from(pages * 4096).unwrap()
}

/// A file and its layout on the disk.
struct DiskFile {
    path: String,
    pages: u64,
    /// Contiguous parts of its pages on the disk: at least one per page.
    parts: u64,
}

impl DiskFile {
    /// Reads the disk block of each block of a file.
    fn of(path: String, pages: u64) -> Self {
        let file = File::open(&path).unwrap();
        file.sync_all().unwrap();
        let mut parts = 0;
        let mut last = 0;
        for block in 0..pages * BLOCKS {
            let place = disk_block(&file, i32::try_from(block).unwrap());
            if block % BLOCKS == 0 || place != last + 1 {
                parts += 1;
            }
            last = place;
        }
        Self { path, pages, parts }
    }

    /// Writes a file that the file system is expected to store contiguously.
    fn contiguous(path: String, pages: u64) -> Self {
        fs::write(&path, vec![0; bytes_of(pages)]).unwrap();
        Self::of(path, pages)
    }

    /// Writes a file in fragments of six KiB, between which fragments of another file lie.
    fn fragmented(path: String, pages: u64) -> Self {
        let mut between = File::create(format!("{path}.between")).unwrap();
        let mut file = File::create(&path).unwrap();
        let mut left = bytes_of(pages);
        while left > 0 {
            let piece = left.min(6144);
            file.write_all(&vec![0; piece]).unwrap();
            between.write_all(&[0; 2048]).unwrap();
            left -= piece;
        }
        let file = Self::of(path, pages);
        assert!(file.parts > pages, "the file is not fragmented");
        file
    }

    fn pins(&self) -> u64 {
        ONCE * self.pages + ADDED * self.parts
    }
}

#[test]
fn pins_that_legacy_direct_io_adds_are_counted_as_not_in_vmstat() {
    const NAME: &str = "pins_that_legacy_direct_io_adds_are_counted_as_not_in_vmstat";
    let functions = fs::read_to_string("/proc/kallsyms").unwrap();
    if !functions.contains(" folio_add_pin\n") {
        return skipped(NAME, &"direct I/O of this kernel adds no pins");
    }
    let _fat = match Fat::mount() {
        Ok(fat) => fat,
        Err(why) => return skipped(NAME, &why),
    };
    let files = [
        DiskFile::contiguous(format!("{FOLDER}/contiguous"), 1024),
        DiskFile::fragmented(format!("{FOLDER}/fragmented"), 384),
    ];
    let recording = Recording::shared();
    let before = recording.settled();
    let mut checks = Checks::default();
    let (mut once, mut all) = (0, 0);
    for options in [
        "--ioengine=psync --rw=read --bs=4k",
        "--ioengine=libaio --iodepth=4 --rw=write --bs=64k",
    ] {
        for file in &files {
            let mut fio = Command::new("fio");
            fio.args([
                format!("--filename={}", file.path),
                format!("--size={}k", file.pages * 4),
            ])
            .args("--name=job --direct=1 --output=/dev/null".split(' '));
            run(fio.args(options.split(' ')));
            once += ONCE * file.pages;
            all += file.pins();
            let added = i64::try_from(file.pins() - ONCE * file.pages).unwrap();
            RELEASED_ONLY.fetch_add(added, Ordering::Relaxed);
        }
    }
    // A write from untouched memory uses the zero page, which direct I/O does not pin.
    let zeros = format!("{FOLDER}/zeros");
    run(Command::new("pinload").args(["direct-write", "--untouched", "--file", &zeros]));
    let report = recording.once("the last release", |report| report.balance("ledger_held") == 0);
    report.check(&mut checks);
    let since = |key: &str| u64::try_from(report.balance(key) - before.balance(key)).unwrap();
    checks.same("balance.not_in_vmstat", since("not_in_vmstat"), all - once);
    checks.same("balance.vmstat_acquired", since("vmstat_acquired"), once);
    checks.same("balance.vmstat_released", since("vmstat_released"), all);
    checks.same("balance.ledger_acquired", since("ledger_acquired"), all);
    let by_direct_io = |report: &Report| report.document["subsystems"]["direct_io"]["acquired"].as_u64();
    let acquired = by_direct_io(&report).unwrap() - by_direct_io(&before).unwrap_or(0);
    checks.same("acquired by direct I/O", acquired, all);
    let known: Vec<_> = before.processes().iter().map(|process| &process["pid"]).collect();
    let new = report
        .processes()
        .iter()
        .filter(|process| !known.contains(&&process["pid"]));
    let fio = new.filter(|process| process["comm"] == "fio");
    let acquired: u64 = fio.map(|process| number(&process["acquired"])).sum();
    checks.same("acquired by fio", acquired, all);
    recording.finish().check(&mut checks);
    checks.conclude();
    finding_hooks_do_not_wait();
}

/// vmstat has counted more releases than pins: there may be pins that it has not counted.
fn finding_hooks_do_not_wait() {
    let file = path("uncounted").with_extension("pintrace");
    let recorder = Running::start(&["record", "--interval", "100ms", "-o", file.to_str().unwrap()]);
    let follower = Follower::start(&file);
    let report = follower.once(1, "the first tick", |_| true);
    assert_eq!(report.document["finding_hooks"]["wait"], false);
    recorder.signal(Signal::INT);
    assert_eq!(recorder.end().code, 0);
    assert_eq!(follower.finish().document["complete"], true);
}
