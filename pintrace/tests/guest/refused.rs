//! Registrations that the kernel refuses after it has pinned pages (`pinload refused`): the pins on the way are counted as
//! pinned and released, and nothing is found.

use serde_json::Value;

use crate::harness::{Checks, Pinload, Started, expected, number};
use crate::recording::Recording;

#[test]
fn pins_of_refused_registrations_are_counted_and_released() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for case in ["memlock", "efault", "quiet"] {
        let words = format!("refused {case} --hold-until-stdin");
        checks.about(&words);
        let before = recording.settled();
        let (pinload, line) = match Pinload::at_first(&words, "calls") {
            Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
            Started::Unavailable(why) => panic!("{words}: {why}"),
        };
        let pid = number(&line["pid"]);
        let pages = expected(&line, "acquired").unwrap();
        checks.holds(pages > 0, "the case pins on the way");
        let report = recording.once("the calls", |report| report.figure(pid, "released") == pages);
        report.check(&mut checks);
        checks.same("acquired", report.figure(pid, "acquired"), pages);
        checks.same("pages held", report.figure(pid, "pages_held"), 0);
        checks.same("open extents", report.figure(pid, "extents"), 0);
        let held = ["vmstat_held", "ledger_held"].map(|key| report.balance(key) - before.balance(key));
        checks.same("pages held by vmstat and ledger", held, [0, 0]);
        let findings = report.document["findings"].as_array().unwrap().iter();
        let own: Vec<&Value> = findings.filter(|finding| finding["pid"] == pid).collect();
        checks.same("findings", own, Vec::new());
        checks.holds(pinload.end().success(), "pinload's end");
    }
    recording.finish();
    checks.conclude();
}
