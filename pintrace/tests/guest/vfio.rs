//! A device's DMA mapping, in guests with a device behind an IOMMU: `cargo xtask test` gives the full flavours one.

use crate::harness::{Began, Findings, Pinload, Recording, number, skipped};
use crate::scan::Scan;

const PAGES: u64 = 256;

#[test]
fn a_mapping_is_held_by_the_process_that_mapped_it() {
    const NAME: &str = "a_mapping_is_held_by_the_process_that_mapped_it";
    let recording = Recording::start("vfio");
    let mut findings = Findings::default();
    for release in ["explicit", "close", "kill"] {
        let words = format!("vfio --pages {PAGES} --release {release}");
        let (pinload, ready) = match Pinload::begin(&words, 1) {
            Began::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Began::Unavailable(why) => return skipped(NAME, &why),
        };
        findings.about(format!("{words}, held"));
        let pid = number(&ready["pid"]);
        let report = recording.settled();
        report.check(&mut findings);
        for figure in ["pages_held", "longterm_pages_held", "acquired"] {
            findings.same(figure, report.figure(pid, figure), PAGES);
        }
        let subsystems = report.process(pid)["subsystems"].clone();
        findings.same("subsystems", subsystems, serde_json::json!({ "vfio": PAGES }));
        let scan = Scan::now();
        scan.check(&mut findings);
        findings.same("pages by scan", scan.pages(pid), PAGES);
        pinload.end();
        findings.about(format!("{words}, released"));
        let report = recording.once(&words, |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut findings);
        findings.same("released", report.figure(pid, "released"), PAGES);
    }
    findings.about("older than a second recording");
    let (pinload, ready) = Pinload::hold(&format!("vfio --pages {PAGES}"), 1);
    let second = Recording::start("vfio-older");
    let pid = number(&ready[0]["pid"]);
    let report = second.settled();
    report.check(&mut findings);
    findings.same("pages_held", report.figure(pid, "pages_held"), PAGES);
    pinload.end();
    let report = second.once("the release", |report| report.figure(pid, "pages_held") == 0);
    report.check(&mut findings);
    second.finish().check(&mut findings);
    let report = recording.finish();
    findings.about("at the end");
    report.check(&mut findings);
    findings.same("truth.ledger_held", report.truth("ledger_held"), 0);
    findings.conclude();
}
