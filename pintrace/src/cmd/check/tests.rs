use std::sync::Arc;

use pintrace_common::counters;
use quick_xml::events::Event;
use serde_json::Value;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{MappingChange, MissingHook, Started, Stopped};
use pintrace_model::finding::{Finding, FindingKind, PinSide, Severity, TriggerKind, TriggerSide};
use pintrace_model::snapshot::{Balance, Snapshot};
use pintrace_model::subsystem::Subsystem;

use super::allow::AllowFile;
use super::result::{CheckResult, CheckRules, Ruling};
use super::*;

/// What a process may call itself: markup, quotes, an escape sequence, what XML cannot say, what was no UTF-8.
const NASTY: &str = "<a&\"'\u{1b}[31m\0\u{fffe}\u{fffd}]]>";

fn finding(kind: FindingKind, severity: Severity, comm: &str) -> Finding {
    let stack = |frames: &[&str]| frames.iter().map(|&frame| frame.to_owned()).collect::<Arc<_>>();
    Finding {
        certain: true,
        kind,
        severity,
        pid: Pid(7),
        comm: comm.into(),
        address: 0x1000,
        end: 0x3000,
        pages: 2,
        count: 1,
        first: Nanos(2_000_000_000),
        last: Nanos(2_000_000_000),
        pin: Some(PinSide {
            tid: Tid(8),
            subsystem: Subsystem::IoUring,
            pages: 2,
            longterm: true,
            stack: stack(&["io_pin_pages+0x12", "io_sqe_buffer_register.isra.0+0x3 [mod]"]),
            ..PinSide::default()
        }),
        trigger: Some(TriggerSide {
            what: TriggerKind::Mapping(MappingChange::Munmap),
            pid: Pid(7),
            tid: Tid(7),
            comm: comm.into(),
            stack: stack(&["unmap_region+0x1"]),
        }),
        explanation: "It went wrong.",
        advice: "Do better.",
    }
}

fn snapshot(findings: Vec<Finding>) -> Snapshot {
    Snapshot {
        time: Nanos(3_000_000_000),
        duration: Nanos(2_000_000_000),
        started: Arc::new(Started {
            command: vec!["job".into(), NASTY.into()],
            ..Started::default()
        }),
        ending: Some(Stopped {
            reason: "command".into(),
            exit_code: Some(0),
        }),
        balance: Balance {
            vmstat_readable: true,
            ..Balance::default()
        },
        loss: counters::Loss::ALL.iter().map(|loss| (loss.name(), 0)).collect(),
        findings,
        ..Snapshot::default()
    }
}

fn mapping_change() -> Finding {
    finding(FindingKind::MappingTouched, Severity::Hazard, "job")
}

fn noted() -> Finding {
    finding(FindingKind::ForkCopiedPinned, Severity::Note, "job")
}

fn allow(text: &str) -> AllowFile {
    AllowFile::parse(text, "allow.toml").unwrap()
}

/// Whether it passes by these rules.
fn passes(snapshot: &Snapshot, fail_on: &[FindingKind], allowed: &AllowFile, allow_loss: bool) -> bool {
    let rules = CheckRules {
        fail_on,
        allowed,
        allow_loss,
    };
    CheckResult::reach(snapshot, &rules).passed()
}

fn passes_by_default(snapshot: &Snapshot) -> bool {
    passes(snapshot, &[], &AllowFile::default(), false)
}

#[test]
fn hazards_and_alarms_fail_and_notes_are_listed() {
    assert!(passes_by_default(&snapshot(vec![])));
    assert!(passes_by_default(&snapshot(vec![noted()])));
    assert!(!passes_by_default(&snapshot(vec![noted(), mapping_change()])));
    let alarm = finding(FindingKind::CowAfterPin, Severity::Alarm, "job");
    assert!(!passes_by_default(&snapshot(vec![alarm])));
}

#[test]
fn kinds_that_are_named_fail_and_no_others() {
    let none = AllowFile::default();
    let fork = [FindingKind::ForkCopiedPinned];
    assert!(!passes(&snapshot(vec![noted()]), &fork, &none, false));
    assert!(passes(&snapshot(vec![mapping_change()]), &fork, &none, false));
}

#[test]
fn loss_fails_unless_it_is_allowed_or_hides_no_finding() {
    let none = AllowFile::default();
    for loss in counters::Loss::ALL {
        let mut lossy = snapshot(vec![]);
        lossy.loss[loss.index() as usize].1 = 1;
        let harmless = ["name_unread", "stack_lost"].contains(&loss.name());
        assert_eq!(passes_by_default(&lossy), harmless, "{}", loss.name());
        assert!(passes(&lossy, &[], &none, true));
        lossy.findings = vec![mapping_change()];
        assert!(!passes(&lossy, &[], &none, true));
    }
    let changes: [fn(&mut Snapshot); 5] = [
        |snapshot| snapshot.loss.push(("unnamed", 1)),
        |snapshot| snapshot.unapplied_events = 1,
        |snapshot| snapshot.findings_dropped = 1,
        |snapshot| snapshot.balance.unaccounted = 1,
        |snapshot| snapshot.balance.unaccounted = -1,
    ];
    for change in changes {
        let mut lossy = snapshot(vec![]);
        change(&mut lossy);
        assert!(!passes_by_default(&lossy));
        assert!(passes(&lossy, &[], &none, true));
    }
}

#[test]
fn without_vmstat_nothing_is_unaccounted_and_that_is_said() {
    let mut unread = snapshot(vec![]);
    unread.balance = Balance {
        unaccounted: 5,
        ..Balance::default()
    };
    assert!(passes_by_default(&unread));
    let rules = CheckRules {
        fail_on: &[],
        allowed: &AllowFile::default(),
        allow_loss: false,
    };
    assert!(
        text::render(&CheckResult::reach(&unread, &rules)).contains("warning  the kernel's vmstat counters")
    );
}

#[test]
fn an_entry_fits_where_all_that_it_names_does() {
    for (entry, fits) in [
        ("kind = 'mapping-touched'", true),
        ("kind = 'cow-after-pin'", false),
        ("subsystem = 'io_uring'", true),
        ("subsystem = 'rdma'", false),
        ("comm = 'job'", true),
        ("comm = 'jo'", false),
        ("symbol = 'io_pin_pages'", true),
        ("symbol = 'io_pin'", false),
        ("symbol = 'io_sqe_buffer_register'", true),
        ("symbol = 'io_sqe_buffer_register.isra.0'", true),
        ("symbol = 'unmap_region'", true),
        (
            "kind = 'mapping-touched'\ncomm = 'job'\nsymbol = 'unmap_region'",
            true,
        ),
        ("kind = 'mapping-touched'\ncomm = 'other'", false),
    ] {
        let allowed = allow(&format!("[[allow]]\n{entry}\nreason = 'known'\n"));
        let found = snapshot(vec![mapping_change()]);
        assert_eq!(passes(&found, &[], &allowed, false), fits, "{entry}");
    }
}

#[test]
fn a_finding_without_a_pin_is_allowed_by_no_subsystem() {
    let mut found = mapping_change();
    found.pin = None;
    let allowed = allow("[[allow]]\nsubsystem = 'io_uring'\nreason = 'known'\n");
    assert!(!passes(&snapshot(vec![found]), &[], &allowed, false));
}

#[test]
fn entries_that_fit_nothing_are_warned_of_with_their_line() {
    let allowed = allow(
        "[[allow]]\ncomm = 'job'\nreason = 'known'\n\n# old\n[[allow]]\ncomm = 'gone'\nreason = 'was fixed'\n",
    );
    let found = snapshot(vec![mapping_change()]);
    let rules = CheckRules {
        fail_on: &[],
        allowed: &allowed,
        allow_loss: false,
    };
    let result = CheckResult::reach(&found, &rules);
    assert!(result.passed());
    assert!(matches!(result.findings[0].ruling, Ruling::Allowed(entry) if entry.reason == "known"));
    assert_eq!(
        result.warnings,
        ["allow.toml:6: allows nothing that was found: was fixed"]
    );
    let text = text::render(&result);
    assert!(
        text.contains("allowed  hazard mapping-touched") && text.contains("allow.toml:1: known"),
        "{text}"
    );
}

#[test]
fn a_bad_allow_file_is_told_with_its_line() {
    for (text, line, why) in [
        ("[[allow]]\nkind = 'mapping-touched'\n", 1, "reason"),
        ("[[allow]]\nkind = 'nothing'\nreason = 'x'\n", 2, "cow-after-pin"),
        ("\n[[allow]]\nreason = 'x'\nsubsystem = 'usb'\n", 4, "io_uring"),
        ("[[allow]]\ncomn = 'job'\nreason = 'x'\n", 2, "comn"),
        ("[[allow]]\nreason = 'x'\n", 1, "allow everything"),
        ("[[allow]]\ncomm = 'job'\nreason = ' '\n", 1, "reason is empty"),
        ("[[allow]]\ncomm = 5\nreason = 'x'\n", 2, "string"),
        ("[allow]\ncomm = 'job'\n", 1, "sequence"),
        ("[[allowed]]\n", 1, "allowed"),
        ("# fine\n[[allow]]\ncomm = 'job\n", 3, ""),
    ] {
        let error = AllowFile::parse(text, "allow.toml").unwrap_err();
        let location = format!("allow.toml:{line}: ");
        assert!(
            error.starts_with(&location) && error.contains(why),
            "{text}{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(allow("").entries.is_empty());
}

/// Everything at once, with names that would break out of any format.
fn rendered(format: Format) -> String {
    let nasty = finding(FindingKind::MappingTouched, Severity::Hazard, NASTY);
    let known = finding(FindingKind::CowAfterPin, Severity::Alarm, "job");
    let mut found = snapshot(vec![known, nasty, noted()]);
    found.loss[0].1 = 3;
    let started = Arc::make_mut(&mut found.started);
    started.missing = vec![MissingHook {
        function: "unmap_region".into(),
        why: NASTY.into(),
        lost: "unmapping".into(),
    }];
    let allowed = AllowFile::parse(
        "[[allow]]\nkind = 'cow-after-pin'\nreason = '''<&>\n]]>'''\n",
        "<&>.toml",
    );
    let rules = CheckRules {
        fail_on: &[],
        allowed: &allowed.unwrap(),
        allow_loss: false,
    };
    super::render(&CheckResult::reach(&found, &rules), format).unwrap()
}

#[test]
fn text_says_what_was_found_and_steers_no_terminal() {
    let text = rendered(Format::Text);
    assert!(text.chars().all(|one| one == '\n' || !one.is_control()), "{text}");
    for part in [
        "pintrace: check failed: 1 finding; something was lost",
        "FAILS    hazard mapping-touched (munmap): <a&\"'\\u{1b}[31m",
        "pinned by thread 8 through io_uring, long-term, 2 pages",
        "io_pin_pages+0x12 < io_sqe_buffer_register",
        "Do better.",
        "allowed  alarm cow-after-pin",
        "listed   note fork-copied-pinned",
        "FAILS    ring_full 3: ",
        "warning  not seen: unmapping",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn json_tells_each_ruling() {
    let report: Value = serde_json::from_str(&rendered(Format::Json)).unwrap();
    assert_eq!(
        (&report["passed"], &report["command_exit_code"]),
        (&false.into(), &0.into())
    );
    assert_eq!(report["command"][1], NASTY);
    let rulings: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["ruling"].as_str().unwrap())
        .collect();
    assert_eq!(rulings, ["allowed", "fails", "listed"]);
    assert_eq!(report["findings"][1]["comm"], NASTY);
    assert_eq!(report["findings"][1]["trigger"]["operation"], "munmap");
    assert_eq!(report["findings"][0]["reason"], "<&>\n]]>");
    assert_eq!(report["losses"][0]["name"], "ring_full");
    assert_eq!(report["losses"][0]["amount"], 3);
}

#[test]
fn junit_has_a_case_for_each_kind_for_loss_and_for_each_finding() {
    let xml = rendered(Format::Junit);
    let allowed_by_xml = |one: char| matches!(one, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed_by_xml), "{xml}");
    let mut reader = quick_xml::Reader::from_str(&xml);
    reader.config_mut().check_comments = true;
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut names = Vec::new();
    let mut suite = std::collections::BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => {
                let element = tag.name().as_ref().to_owned();
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    let value = attribute
                        .normalized_value(quick_xml::XmlVersion::Explicit1_0)
                        .unwrap()
                        .into_owned();
                    match (element.as_str(), key.as_str()) {
                        ("testcase", "name") => names.push(value),
                        ("testsuite", _) => drop(suite.insert(key, value)),
                        _ => {}
                    }
                }
                *seen.entry(element).or_default() += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen["testcase"], FindingKind::ALL.len() + 1 + 3);
    // The kind, the finding itself, and loss.
    assert_eq!((seen["failure"], seen["skipped"]), (3, 1));
    assert_eq!(
        (suite["failures"].as_str(), suite["skipped"].as_str()),
        ("3", "1")
    );
    assert_eq!(suite["tests"], seen["testcase"].to_string());
    assert!(
        names.iter().any(|name| name.contains("<a&\"'\\u{1b}[31m")),
        "{names:?}"
    );
}

#[test]
fn sarif_has_rules_results_and_suppressions() {
    let log: Value = serde_json::from_str(&rendered(Format::Sarif)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(rules.len(), FindingKind::ALL.len());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let levels: Vec<_> = results
        .iter()
        .map(|result| result["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, ["warning", "error", "note"]);
    assert_eq!(results[0]["suppressions"][0]["kind"], "external");
    assert_eq!(results[1]["suppressions"], Value::Array(vec![]));
    assert_eq!(
        results[1]["locations"][0]["logicalLocations"][0]["name"],
        "unmap_region"
    );
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["toolExecutionNotifications"][0]["level"], "error");
}

#[test]
fn a_report_file_is_replaced_with_a_report_and_left_alone_without() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::write(&old, "a long report of yesterday").unwrap();
    drop((ReportFile::open(&old).unwrap(), ReportFile::open(&new).unwrap()));
    assert_eq!(
        std::fs::read_to_string(&old).unwrap(),
        "a long report of yesterday"
    );
    assert!(!new.exists());
    for path in [old, new] {
        ReportFile::open(&path).unwrap().write("short").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short");
    }
}
