//! pintrace in a pid namespace of its own, as in a container. The same tests run in guests and, if permitted, on this
//! machine (`cargo xtask test`).

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Checks, Pinload, number, skipped};
use crate::scan::{Scan, holders, is_possible};

/// Starts pinload in the namespace, waits until it holds pins, and runs pintrace in the ways that the test compares. The
/// first line of the output is the line of pinload, and each further line is one JSON document.
const SCRIPT: &str = "
cd $(mktemp -d)
mkfifo gate
pinload io-uring --pages 32 --hold-until-stdin <gate >ready &
exec 3>gate
until grep -q ready ready; do sleep 0.1; done
head -n 1 ready
pintrace scan --json
pintrace top --once --json
fd=$(ls -l /proc/$!/fd | sed -n 's/.* \\([0-9]*\\) -> anon_inode:.io_uring.*/\\1/p')
pintrace scan --fd $!:$fd --json
exec 3>&-
wait
";

/// Runs the script in a new pid namespace. Returns the JSON lines, or the reason why there is no namespace.
fn in_namespace() -> Result<Vec<Value>, String> {
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "sh", "-c", SCRIPT])
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if lines.is_empty() {
        return Err(format!("no pid namespace: {errors}"));
    }
    assert_eq!(lines.len(), 4, "{text}{errors}");
    Ok(lines)
}

#[test]
fn a_scan_in_a_pid_namespace_has_its_pids_and_says_that_others_are_not_seen() {
    const NAME: &str = "a_scan_in_a_pid_namespace_has_its_pids_and_says_that_others_are_not_seen";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let (outside, ready) = Pinload::hold("io-uring --pages 64 --name outside", 1);
    let lines = match in_namespace() {
        Ok(lines) => lines,
        Err(why) => return skipped(NAME, &why),
    };
    let pid = number(&lines[0]["pid"]);
    checks.holds(pid < 50, "a small pid, as in a new namespace");

    checks.about("scan");
    let scan = Scan {
        document: lines[1].clone(),
    };
    checks.same("pages of the process inside", scan.pages(pid), 32);
    let process = scan.process(pid);
    checks.same("comm", process["comm"].as_str(), Some("pinload"));
    checks.same("holders", holders(process), vec![("io_uring", "kernel_table")]);
    let processes = scan.document["processes"].as_array().unwrap();
    checks.same("processes", processes.len(), 1);
    checks.same(
        "pins of the process outside",
        &scan.document["unknown_pins"]["pages"],
        &json!(64),
    );
    let hidden = scan.document["hidden_processes"].as_str().unwrap_or_default();
    checks.holds(hidden.contains("--pid=host"), "the remedy");

    checks.about("top");
    let top = &lines[2];
    checks.same("mode", top["mode"].as_str(), Some("scan"));
    let why = top["without_trace"].as_str().unwrap_or_default();
    checks.holds(why.contains("pid namespace"), "the reason why nothing is traced");
    let processes = top["processes"].as_array().unwrap().iter();
    let named: Vec<_> = processes
        .filter(|process| process["pages_held"] == 32)
        .map(|process| (number(&process["pid"]), process["comm"].as_str()))
        .collect();
    checks.same("the process inside", named, vec![(pid, Some("pinload"))]);

    checks.about("a descriptor");
    let found = &lines[3]["descriptor"];
    checks.same("pinned", &found["pinned"]["pages"], &json!(32));
    let openers = found["opened_by"].as_array().unwrap();
    checks.holds(
        !openers.is_empty() && openers.iter().all(|one| one["pid"] == pid),
        "only the process inside has the ring open",
    );

    checks.about("the control: a scan in the initial namespace");
    let scan = Scan::now();
    checks.same("pages of the process", scan.pages(number(&ready[0]["pid"])), 64);
    checks.same(
        "hidden_processes",
        &scan.document["hidden_processes"],
        &Value::Null,
    );
    checks.holds(outside.end().success(), "pinload's end");
    checks.conclude();
}

#[test]
fn doctor_names_a_pid_namespace() {
    let check = |namespace: bool| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "pintrace", "doctor", "--json"]);
        if !namespace {
            command = Command::new("pintrace");
            command.args(["doctor", "--json"]);
        }
        let output = command.output().map_err(|error| error.to_string())?;
        let document: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let checks = document["environment"].as_array().unwrap().clone();
        Ok::<_, String>(checks.into_iter().find(|check| check["name"] == "pid namespace"))
    };
    let inside = match check(true) {
        Ok(inside) => inside,
        Err(why) => return skipped("doctor_names_a_pid_namespace", &why),
    };
    let mut checks = Checks::default();
    let inside = inside.unwrap_or_default();
    checks.same("state", inside["state"].as_str(), Some("bad"));
    checks.holds(
        inside["remedy"]
            .as_str()
            .unwrap_or_default()
            .contains("--pid=host"),
        "the remedy",
    );
    checks.same("the check outside", check(false), Ok(None));
    checks.conclude();
}
