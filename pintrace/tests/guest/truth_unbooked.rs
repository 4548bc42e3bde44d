//! Pins that the kernel's books count only when they are released: legacy direct I/O adds them (`folio_add_pin`).

use std::fs::{self, File};
use std::process::{Command, Stdio};

use crate::harness::{Findings, Report, number, skipped};
use crate::recording::Recording;

/// Where a file system with legacy direct I/O is mounted.
const FOLDER: &str = "/tmp/fat";
/// Bytes of that file system.
const SIZE: u64 = 16 << 20;
/// What direct I/O pins of a page (`iov_iter_extract_pages`), and what it adds: once as the page that it is about, once
/// as one of the request's (`dio_pin_page`, fs/direct-io.c).
const ONCE: u64 = 1;
const ADDED: u64 = 2;

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

#[test]
fn pins_that_legacy_direct_io_adds_are_counted_though_the_books_know_their_release_alone() {
    const NAME: &str =
        "pins_that_legacy_direct_io_adds_are_counted_though_the_books_know_their_release_alone";
    let functions = fs::read_to_string("/proc/kallsyms").unwrap();
    if !functions.contains(" folio_add_pin\n") {
        return skipped(NAME, &"direct I/O of this kernel takes no pins");
    }
    let _fat = match Fat::mount() {
        Ok(fat) => fat,
        Err(why) => return skipped(NAME, &why),
    };
    let file = format!("{FOLDER}/file");
    fs::write(&file, vec![0; 8 << 20]).unwrap();
    let recording = Recording::shared();
    let before = recording.settled();
    let mut findings = Findings::default();
    let mut pages = 0;
    for (options, bytes) in [
        (
            "--ioengine=psync --rw=randread --bs=4k --number_ios=300",
            300 * 4096,
        ),
        (
            "--ioengine=libaio --iodepth=4 --rw=randwrite --bs=64k --number_ios=50",
            50 << 16,
        ),
    ] {
        let mut fio = Command::new("fio");
        fio.arg(format!("--filename={file}"))
            .args("--name=job --size=8M --direct=1 --output=/dev/null".split(' '));
        run(fio.args(options.split(' ')));
        pages += bytes / 4096;
    }
    // From memory that nobody has touched: the zero page, of which no pin is taken and none added.
    let zeros = format!("{FOLDER}/zeros");
    run(Command::new("pinload").args(["direct-write", "--untouched", "--file", &zeros]));
    let report = recording.once("the last release", |report| report.truth("ledger_held") == 0);
    report.check(&mut findings);
    let since = |key: &str| u64::try_from(report.truth(key) - before.truth(key)).unwrap();
    findings.same("truth.unbooked", since("unbooked"), ADDED * pages);
    findings.same("truth.books_acquired", since("books_acquired"), ONCE * pages);
    findings.same(
        "truth.books_released",
        since("books_released"),
        (ONCE + ADDED) * pages,
    );
    findings.same(
        "truth.ledger_acquired",
        since("ledger_acquired"),
        (ONCE + ADDED) * pages,
    );
    let by_direct_io = |report: &Report| report.document["subsystems"]["direct_io"]["acquired"].as_u64();
    let acquired = by_direct_io(&report).unwrap() - by_direct_io(&before).unwrap_or(0);
    findings.same("acquired by direct I/O", acquired, (ONCE + ADDED) * pages);
    let told: Vec<_> = before.processes().iter().map(|process| &process["pid"]).collect();
    let new = report
        .processes()
        .iter()
        .filter(|process| !told.contains(&&process["pid"]));
    let fio = new.filter(|process| process["comm"] == "fio");
    let acquired: u64 = fio.map(|process| number(&process["acquired"])).sum();
    findings.same("acquired by fio", acquired, (ONCE + ADDED) * pages);
    recording.finish().check(&mut findings);
    findings.conclude();
}
