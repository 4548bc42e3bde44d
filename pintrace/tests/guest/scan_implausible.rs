//! Pages that only look pinned: heuristic false positives.

use std::fs;
use std::process::Command;

use crate::harness::{Checks, number};
use crate::scan::{Job, Scan, is_possible};

#[test]
fn a_page_that_a_thousand_processes_map_is_not_reported_as_pinned() {
    const NAME: &str = "a_page_that_a_thousand_processes_map_is_not_reported_as_pinned";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let before = number(&Scan::now().document["heuristic_false_positives"]["folios"]);
    // A file in tmpfs has small pages; other file systems may use large folios.
    let program = "/dev/shm/pintrace-sleep";
    fs::create_dir_all("/dev/shm").unwrap();
    fs::copy("/bin/sleep", program).unwrap();
    let start = |_| {
        let mut sleep = Command::new(program);
        // busybox selects its applet by argv[0].
        std::os::unix::process::CommandExt::arg0(&mut sleep, "sleep");
        Job(sleep.arg("600").spawn().unwrap())
    };
    let sleepers: Vec<_> = (0..1100).map(start).collect();
    let scan = Scan::once("a page that looks pinned", |scan| {
        number(&scan.document["heuristic_false_positives"]["folios"]) > before
    });
    scan.check(&mut checks);
    let frames = scan.document["heuristic_false_positives"]["frames"]
        .as_array()
        .unwrap();
    let mapped = frames
        .iter()
        .filter(|frame| number(&frame["maps"]) >= 1024 && number(&frame["references"]) >= 1024)
        .count();
    checks.holds(mapped > 0, "a frame with its references and maps");
    for sleeper in &sleepers {
        checks.same("pages of a sleeper", scan.pages(u64::from(sleeper.0.id())), 0);
    }
    drop(sleepers);
    fs::remove_file(program).unwrap();
    checks.conclude();
}
