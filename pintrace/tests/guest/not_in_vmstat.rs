//! Pins that the kernel's vmstat counters count only when they are released: legacy direct I/O adds them (`folio_add_pin`).

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::harness::{Findings, Report, number, skipped};
use crate::recording::Recording;

/// Pins that this guest's vmstat has counted as released and never as acquired. A scan finds vmstat short by them until
/// the guest is booted again.
pub(crate) static RELEASED_ONLY: AtomicI64 = AtomicI64::new(0);

/// Where a file system with legacy direct I/O is mounted.
const FOLDER: &str = "/tmp/fat";
/// Bytes of that file system.
const SIZE: u64 = 16 << 20;
/// What direct I/O pins of a page (`iov_iter_extract_pages`).
const ONCE: u64 = 1;
/// What it adds for each part of a page that lies in one piece on the disk: once as the page that it is about, once as
/// one of the request's (`submit_page_section` and `dio_bio_add_page`, fs/direct-io.c).
const ADDED: u64 = 2;
/// Blocks of this file system, of 512 bytes, in a page.
const BLOCKS: u64 = 8;

/// A small FAT file system, unmounted at the end.
struct Fat;

impl Fat {
    fn mount() -> Result<Self, String> {
        let known = fs::read_to_string("/proc/filesystems").unwrap();
        if !known.contains("\tvfat\n") || !std::path::Path::new("/dev/loop0").exists() {
            return Err("this kernel came without the modules vfat and loop".to_owned());
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

/// Runs it to its end, which must be a good one.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Where a block of the file lies on the disk: FIBMAP (fs/ioctl.c).
fn place_of(file: &File, mut block: i32) -> i32 {
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

/// A file in the pieces in which it lies on the disk.
struct Pieces {
    path: String,
    pages: u64,
    /// In how many parts its pages lie there: at least one a page.
    parts: u64,
}

impl Pieces {
    /// Asks the file system where each of its blocks lies.
    fn of(path: String, pages: u64) -> Self {
        let file = File::open(&path).unwrap();
        file.sync_all().unwrap();
        let mut parts = 0;
        let mut last = 0;
        for block in 0..pages * BLOCKS {
            let place = place_of(&file, i32::try_from(block).unwrap());
            if block % BLOCKS == 0 || place != last + 1 {
                parts += 1;
            }
            last = place;
        }
        Self { path, pages, parts }
    }

    /// One that lies in one piece, if the file system has it so.
    fn whole(path: String, pages: u64) -> Self {
        fs::write(&path, vec![0; bytes_of(pages)]).unwrap();
        Self::of(path, pages)
    }

    /// One of pieces of six KiB, with another file's between them.
    fn torn(path: String, pages: u64) -> Self {
        let mut between = File::create(format!("{path}.between")).unwrap();
        let mut file = File::create(&path).unwrap();
        let mut left = bytes_of(pages);
        while left > 0 {
            let piece = left.min(6144);
            file.write_all(&vec![0; piece]).unwrap();
            between.write_all(&[0; 2048]).unwrap();
            left -= piece;
        }
        let pieces = Self::of(path, pages);
        assert!(pieces.parts > pages, "the file system has put it in one piece");
        pieces
    }

    fn pins(&self) -> u64 {
        ONCE * self.pages + ADDED * self.parts
    }
}

#[test]
fn pins_that_legacy_direct_io_adds_are_counted_though_vmstat_counts_their_release_alone() {
    const NAME: &str = "pins_that_legacy_direct_io_adds_are_counted_though_vmstat_counts_their_release_alone";
    let functions = fs::read_to_string("/proc/kallsyms").unwrap();
    if !functions.contains(" folio_add_pin\n") {
        return skipped(NAME, &"direct I/O of this kernel takes no pins");
    }
    let _fat = match Fat::mount() {
        Ok(fat) => fat,
        Err(why) => return skipped(NAME, &why),
    };
    let files = [
        Pieces::whole(format!("{FOLDER}/whole"), 1024),
        Pieces::torn(format!("{FOLDER}/torn"), 384),
    ];
    let recording = Recording::shared();
    let before = recording.settled();
    let mut findings = Findings::default();
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
    // From memory that nobody has touched: the zero page, of which no pin is taken and none added.
    let zeros = format!("{FOLDER}/zeros");
    run(Command::new("pinload").args(["direct-write", "--untouched", "--file", &zeros]));
    let report = recording.once("the last release", |report| report.balance("ledger_held") == 0);
    report.check(&mut findings);
    let since = |key: &str| u64::try_from(report.balance(key) - before.balance(key)).unwrap();
    findings.same("balance.not_in_vmstat", since("not_in_vmstat"), all - once);
    findings.same("balance.vmstat_acquired", since("vmstat_acquired"), once);
    findings.same("balance.vmstat_released", since("vmstat_released"), all);
    findings.same("balance.ledger_acquired", since("ledger_acquired"), all);
    let by_direct_io = |report: &Report| report.document["subsystems"]["direct_io"]["acquired"].as_u64();
    let acquired = by_direct_io(&report).unwrap() - by_direct_io(&before).unwrap_or(0);
    findings.same("acquired by direct I/O", acquired, all);
    let told: Vec<_> = before.processes().iter().map(|process| &process["pid"]).collect();
    let new = report
        .processes()
        .iter()
        .filter(|process| !told.contains(&&process["pid"]));
    let fio = new.filter(|process| process["comm"] == "fio");
    let acquired: u64 = fio.map(|process| number(&process["acquired"])).sum();
    findings.same("acquired by fio", acquired, all);
    recording.finish().check(&mut findings);
    findings.conclude();
}
