//! The scenarios and the findings that they expect.

use std::fs;

use serde_json::{Value, json};

use crate::session::{HoldingPinload, exclusive, is_alive, pid, root, run, shared, skipped, vmstat};

const ALL: [&str; 55] = [
    "fork-write-parent",
    "fork-write-child",
    "protect-write",
    "unmap-remap",
    "dontneed",
    "process-dontneed",
    "free",
    "mremap",
    "mremap-keep",
    "concurrent-pins",
    "map-over",
    "uffd-wp-writers",
    "uffd-wp-storm",
    "soft-dirty",
    "read-pin-write",
    "ksm",
    "truncate",
    "dontneed-failed",
    "dontneed-refused",
    "dontneed-part-of-hugetlb",
    "close-unmap",
    "unmap-close",
    "adjoining-kept",
    "adjoining-calls",
    "compat-call-unmap",
    "foreign-pin",
    "spanning-punch",
    "many-buffers",
    "exit-inherited-ring",
    "exec-keep",
    "exec-cloexec",
    "missing-longterm",
    "short-term-unmap",
    "reference-fork-write",
    "flood",
    "guard-install",
    "read-fork-write",
    "remap-file-pages",
    "scan-protect",
    "truncate-part",
    "quiet-fork",
    "quiet-unmap",
    "quiet-protect",
    "quiet-release",
    "quiet-partial-release",
    "quiet-reference",
    "quiet-foreign-pin",
    "quiet-spanning-punch",
    "quiet-many-buffers",
    "quiet-flood",
    "quiet-guard-install",
    "quiet-read-fork-write",
    "quiet-read-pin-write",
    "quiet-scan",
    "quiet-truncate",
];

/// Controls that call MADV_DONTNEED, each on the kind of memory that it is for.
const DISCARDS: [&str; 4] = [
    "dontneed-refused",
    "dontneed-part-of-hugetlb --reserve",
    "quiet-foreign-pin --reserve",
    "quiet-many-buffers --reserve",
];

/// Controls that choose their memory themselves.
const OWN_MEMORY: [&str; 8] = [
    "quiet-spanning-punch",
    "quiet-spanning-punch --areas 16",
    "quiet-flood",
    "quiet-guard-install",
    "quiet-read-fork-write",
    "quiet-read-pin-write",
    "quiet-scan",
    "quiet-truncate",
];

/// Runs a scenario and returns its lines, or the reason if the machine does not offer the scenario.
fn try_play(line: &str) -> Result<Vec<Value>, String> {
    let (output, lines) = run(&format!("scenario {line}"));
    if output.status.code() == Some(3) {
        return Err(format!("{line}: {}", lines.last().unwrap()["what"]));
    }
    assert!(output.status.success(), "{line}: {lines:#?}");
    assert_eq!(lines[0]["event"], "ready", "{line}");
    assert_eq!(lines.last().unwrap()["event"], "done", "{line}");
    Ok(lines)
}

/// Runs the only scenario of a test and returns its lines. The test is skipped if the machine does not offer the
/// scenario.
fn play(line: &str) -> Option<Vec<Value>> {
    try_play(line).inspect_err(|reason| skipped(reason)).ok()
}

/// Runs the scenario of each case and returns the cases with their lines. Cases that the machine does not offer are
/// left out. The test is skipped if no case remains.
fn play_each<C: Clone>(
    cases: impl IntoIterator<Item = C>,
    line: impl Fn(C) -> String,
) -> Vec<(C, Vec<Value>)> {
    let play_case = |case: C| match try_play(&line(case.clone())) {
        Ok(lines) => Some((case, lines)),
        Err(reason) => {
            println!("left out: {reason}");
            None
        }
    };
    let played: Vec<_> = cases.into_iter().filter_map(play_case).collect();
    if played.is_empty() {
        skipped("this machine offers no case");
    }
    played
}

/// Returns the line with the findings to expect.
fn expected(lines: &[Value]) -> &Value {
    let line = &lines[lines.len() - 2];
    assert_eq!(line["event"], "expected");
    line
}

/// Returns kind, count and pages of the finding with a trigger: the values that do not vary between runs.
fn finding(lines: &[Value], trigger: &str) -> Option<(Value, Value, Value)> {
    let findings = expected(lines)["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["trigger"] == trigger)?;
    Some((
        found["kind"].clone(),
        found["count"].clone(),
        found["pages"].clone(),
    ))
}

#[test]
fn each_scenario_has_a_help_text() {
    let _together = shared();
    for name in ALL {
        let output = crate::session::command(&format!("scenario {name} --help"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && text.contains("--hold-until-stdin"),
            "{name}"
        );
    }
}

#[test]
fn a_system_call_on_pinned_memory_is_one_finding_with_its_pages() {
    if !root() {
        return;
    }
    let _together = shared();
    for ((line, trigger, count, pages), lines) in play_each(
        [
            ("protect-write", "mprotect", 1, 64),
            ("unmap-remap", "munmap", 1, 64),
            ("dontneed --pages 7", "dontneed", 1, 7),
            ("free", "free", 1, 64),
            ("mremap", "mremap", 1, 64),
            ("mremap-keep", "mremap", 1, 64),
            ("map-over --pages 7", "mmap_over", 1, 4),
            ("soft-dirty", "soft_dirty", 1, 64),
            ("truncate", "truncate", 2, 48),
            ("unmap-close", "munmap", 1, 64),
            ("dontneed-failed", "dontneed", 1, 64),
            ("adjoining-kept", "munmap", 1, 32),
            ("adjoining-kept --backing thp --reserve", "munmap", 1, 32),
            ("adjoining-calls", "munmap", 1, 32),
            ("spanning-punch", "truncate", 1, 32),
            ("spanning-punch --areas 16", "truncate", 1, 32),
            ("foreign-pin --reserve", "dontneed", 1, 64),
            ("many-buffers --reserve", "dontneed", 8, 8),
            (
                "dontneed --backing hugetlb --pages 512 --reserve",
                "dontneed",
                1,
                512,
            ),
            ("short-term-unmap --pages 7", "munmap", 1, 4),
            ("short-term-unmap --backing thp --reserve", "munmap", 1, 32),
            ("uffd-wp-writers --rounds 9", "uffd_wp", 9, 64),
            ("protect-write --backing thp --reserve", "mprotect", 1, 64),
            (
                "map-over --backing hugetlb --pages 1024 --reserve",
                "mmap_over",
                1,
                512,
            ),
            (
                "uffd-wp-writers --rounds 9 --backing hugetlb --reserve",
                "uffd_wp",
                9,
                64,
            ),
        ],
        |case| case.0.to_owned(),
    ) {
        let wanted = (json!("mapping-touched"), json!(count), json!(pages));
        assert_eq!(finding(&lines, trigger), Some(wanted), "{line}: {lines:#?}");
    }
}

#[test]
fn a_write_copies_a_file_page_pinned_for_reading() {
    if !root() {
        return;
    }
    let _together = shared();
    let Some(lines) = play("read-pin-write --pages 9") else {
        return;
    };
    let wanted = (json!("cow-after-pin"), json!(9), json!(9));
    assert_eq!(finding(&lines, "write"), Some(wanted), "{lines:#?}");
}

/// The second case has more pages than one pipe holds.
#[test]
fn a_write_after_fork_copies_pages_that_a_pipe_references() {
    if !root() {
        return;
    }
    let _together = shared();
    for ((line, pages), lines) in play_each(
        [
            ("reference-fork-write --pages 9", 9),
            ("reference-fork-write --pages 300", 300),
        ],
        |case| case.0.to_owned(),
    ) {
        assert_eq!(lines[1]["pages_changed"], 0, "{line}");
        let wanted = (json!("get-not-pin"), json!(pages), json!(pages));
        assert_eq!(finding(&lines, "write"), Some(wanted), "{line}");
        assert_eq!(
            expected(&lines)["findings"].as_array().unwrap().len(),
            1,
            "{line}"
        );
    }
}

/// Control: the same pages are copied, but no pipe references them.
#[test]
fn a_copy_after_the_pipe_is_drained_is_no_finding() {
    if !root() {
        return;
    }
    let _together = shared();
    let Some(lines) = play("quiet-reference --pages 9") else {
        return;
    };
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        ["ready", "released", "step", "changed", "expected", "done"]
    );
    assert_eq!(lines[2]["pages_copied"], 9);
    assert_eq!(expected(&lines)["findings"], json!([]));
}

#[test]
fn the_second_buffer_is_released_before_it_is_unmapped() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let Some(lines) = play("quiet-partial-release --pages 10") else {
        return;
    };
    // Other programs may release pins meanwhile.
    assert!(lines[1]["pins_released"].as_u64().unwrap() >= 5, "{lines:#?}");
    assert_eq!(lines[2]["pages_changed"], 0);
}

#[test]
fn a_write_does_not_copy_pages_that_fork_has_copied() {
    if !root() {
        return;
    }
    let _together = shared();
    for (line, lines) in play_each(
        [
            "fork-write-parent",
            "fork-write-child",
            "fork-write-parent --backing thp --reserve",
        ],
        str::to_owned,
    ) {
        let wanted = (json!("fork-copied-pinned"), json!(1), json!(64));
        assert_eq!(finding(&lines, "fork"), Some(wanted), "{line}");
        assert_eq!(finding(&lines, "write"), None, "{line}");
    }
}

#[test]
fn controls_expect_no_finding() {
    if !root() {
        return;
    }
    let _together = shared();
    let apart = |name: &str| {
        DISCARDS
            .iter()
            .chain(&OWN_MEMORY)
            .any(|line| line.starts_with(name))
    };
    let controls = ALL
        .iter()
        .filter(|name| name.starts_with("quiet") && !apart(name));
    let cases = controls
        .flat_map(|name| ["small", "thp"].map(|backing| format!("{name} --backing {backing} --reserve")));
    let cases = cases.chain(OWN_MEMORY.map(str::to_owned));
    for (case, lines) in play_each(cases, |line| line) {
        assert_eq!(expected(&lines)["findings"], json!([]), "{case:?}");
        assert_eq!(expected(&lines)["windows"], json!([]), "{case:?}");
    }
}

#[test]
fn a_discard_that_drops_no_pinned_page_is_no_finding() {
    if !root() {
        return;
    }
    let _together = shared();
    for (line, lines) in play_each(DISCARDS, str::to_owned) {
        let steps: Vec<_> = lines.iter().filter(|step| step["step"] == "dontneed").collect();
        assert!(!steps.is_empty(), "{line}");
        assert!(
            steps.iter().all(|step| step["pages_changed"] == 0),
            "{line}: {lines:#?}"
        );
        assert_eq!(expected(&lines)["findings"], json!([]), "{line}");
    }
}

#[test]
fn a_discard_fails_at_locked_pages_after_it_has_dropped_the_pages_before_them() {
    if !root() {
        return;
    }
    let _together = shared();
    for ((line, dropped), lines) in play_each([("dontneed-failed", 64), ("dontneed-refused", 0)], |case| {
        case.0.to_owned()
    }) {
        assert_eq!(lines[1]["error"], nix::libc::EINVAL, "{line}");
        assert_eq!(lines[1]["pages_changed"], dropped, "{line}");
    }
}

#[test]
fn an_unmap_after_the_close_of_the_ring_is_optional() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let Some(lines) = play("close-unmap --pages 9") else {
        return;
    };
    let wanted = (json!("mapping-touched"), json!(1), json!(9));
    assert_eq!(finding(&lines, "munmap"), Some(wanted), "{lines:#?}");
    let found = &expected(&lines)["findings"][0];
    assert_eq!(
        (&found["optional"], &found["severity"]),
        (&json!(true), &json!("note"))
    );
    let Some(lines) = play("unmap-close") else { return };
    let found = &expected(&lines)["findings"][0];
    assert_eq!(
        (found.get("optional"), &found["severity"]),
        (None, &json!("hazard"))
    );
}

#[test]
fn a_write_protect_of_untouched_memory_is_no_window() {
    if !root() {
        return;
    }
    let _together = shared();
    for (_, lines) in play_each(
        [
            "uffd-wp-storm --rounds 30 --threads 3 --empty 5",
            "uffd-wp-storm --rounds 30 --threads 3 --empty 5 --shared --writers 0",
        ],
        str::to_owned,
    ) {
        let step = &lines[1];
        assert_eq!(
            (&step["write_protects"], &step["changed"]),
            (&json!(105), &json!(90))
        );
        assert_eq!(expected(&lines)["findings"], json!([]));
        assert_eq!(
            expected(&lines)["windows"],
            json!([{"cause": "uffd_wp", "count": 90}])
        );
    }
}

#[test]
fn concurrent_pins_pin_each_page_twice_and_cause_no_finding() {
    if !root() {
        return;
    }
    let _together = shared();
    let Some(lines) = play("concurrent-pins --pages 12") else {
        return;
    };
    assert_eq!(lines[1]["pins"], 24);
    assert_eq!(expected(&lines)["findings"], json!([]));
}

#[test]
fn a_scenario_waits_before_it_acts_and_before_it_releases() {
    if !root() {
        return;
    }
    let _together = shared();
    let mut pinload = HoldingPinload::start("scenario dontneed --pages 8");
    let ready = pinload.expect("ready");
    assert_eq!((&ready["pages"], &ready["kind"]), (&json!(8), &json!("io-uring")));
    assert!(pinload.child.try_wait().unwrap().is_none());
    pinload.resume();
    pinload.expect("step");
    pinload.expect("changed");
    assert!(pinload.child.try_wait().unwrap().is_none());
    pinload.resume();
    assert_eq!(pinload.expect("released")["address"], ready["address"]);
    let found = &pinload.expect("expected")["findings"][0];
    assert_eq!(
        (&found["address"], &found["pid"]),
        (&ready["address"], &ready["pid"])
    );
    pinload.expect("done");
    assert!(pinload.end().success());
}

#[test]
fn pins_of_an_inherited_ring_are_attributed_to_the_exited_child() {
    if !root() {
        return;
    }
    let _together = shared();
    let mut pinload = HoldingPinload::start("scenario exit-inherited-ring");
    let ready = pinload.expect("ready");
    assert!(is_alive(pid(&ready)));
    pinload.resume();
    pinload.expect("step");
    pinload.expect("changed");
    assert!(!is_alive(pid(&ready)));
    pinload.resume();
    pinload.expect("released");
    let found = pinload.expect("expected")["findings"][0].clone();
    assert_eq!(
        (&found["kind"], &found["pid"], &found["pages"]),
        (&json!("pin-outlives-mm"), &ready["pid"], &json!(64))
    );
    pinload.expect("done");
    assert!(pinload.end().success());
}

/// The process is the same before and after execve, so the test compares what it executes.
#[test]
fn a_ring_without_cloexec_outlasts_execve() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    for (name, rings) in [("exec-keep", 1), ("exec-cloexec", 0)] {
        let mut pinload = HoldingPinload::start(&format!("scenario {name}"));
        let ready = pinload.expect("ready");
        let executes = || fs::read_to_string(format!("/proc/{}/cmdline", pid(&ready))).unwrap();
        assert!(executes().contains(name), "{}", executes());
        pinload.resume();
        let step = pinload.expect("step");
        assert_eq!(
            (&step["child_pid"], &step["open_rings"]),
            (&ready["pid"], &json!(rings))
        );
        let released_early = rings == 0;
        if released_early {
            pinload.expect("released");
        }
        pinload.expect("changed");
        assert!(executes().contains("wait-for-parent"), "{}", executes());
        pinload.resume();
        if !released_early {
            pinload.expect("released");
        }
        let findings = pinload.expect("expected")["findings"].clone();
        if released_early {
            assert_eq!(findings, json!([]));
        } else {
            let found = &findings[0];
            assert_eq!(
                (&found["kind"], &found["severity"], &found["pid"], &found["pages"]),
                (
                    &json!("pin-outlives-mm"),
                    &json!("note"),
                    &ready["pid"],
                    &json!(64)
                )
            );
        }
        assert!(!is_alive(pid(&ready)), "{name}");
        pinload.expect("done");
        assert!(pinload.end().success());
    }
}

/// Returns the number of pins that /proc/vmstat shows as held.
fn held_by_vmstat() -> i64 {
    vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released")
}

/// Other programs on this machine may pin during the test, so the test repeats a run with a difference.
#[test]
fn pins_without_longterm_are_held_while_the_call_waits() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    for attempt in 1.. {
        let before = held_by_vmstat();
        let mut pinload = HoldingPinload::start("scenario missing-longterm --pages 100");
        assert_eq!(pinload.expect("ready")["kind"], "process-vm");
        let during = held_by_vmstat();
        pinload.resume();
        pinload.expect("changed");
        pinload.resume();
        pinload.expect("released");
        let after = held_by_vmstat();
        let found = pinload.expect("expected")["findings"][0].clone();
        assert_eq!(
            (&found["kind"], &found["pages"]),
            (&json!("undeclared-longterm"), &json!(100))
        );
        if (during, after) == (before + 100, before) {
            return;
        }
        assert!(attempt < 3, "{before} {during} {after}");
    }
}

#[test]
fn the_settings_of_ksm_are_restored() {
    if !root() {
        return;
    }
    let _together = shared();
    let settings = || {
        ["run", "pages_to_scan", "sleep_millisecs"]
            .map(|name| fs::read(format!("/sys/kernel/mm/ksm/{name}")).ok())
    };
    let before = settings();
    let Some(lines) = play("ksm") else { return };
    assert_eq!(lines[1]["pages_merged"], 0, "{lines:#?}");
    assert_eq!(settings(), before);
}

#[test]
fn an_impossible_scenario_is_a_usage_error() {
    let _together = shared();
    for line in [
        "truncate --pages 6",
        "truncate --pages 512 --backing hugetlb",
        "missing-longterm --pages 1025",
        "short-term-unmap --pages 1025",
        "quiet-partial-release --pages 7",
        "adjoining-kept --pages 7",
        "adjoining-calls --pages 512 --backing hugetlb",
        "spanning-punch --areas 3",
        "spanning-punch --pages 63",
        "foreign-pin --pages 512",
        "foreign-pin --backing small",
        "many-buffers --pages 257",
        "quiet-partial-release --pages 512 --backing hugetlb",
        "reference-fork-write --backing thp",
        "ksm --backing thp",
        "dontneed --rounds 3",
    ] {
        let (output, _) = run(&format!("scenario {line}"));
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
}
