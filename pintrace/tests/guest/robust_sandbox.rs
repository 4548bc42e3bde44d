//! The sandbox: every thread of a session is restricted, the service manager hears from the session, and finding hooks
//! that are attached later work.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Checks, Pinload, Report, kernel_at_least, left_out, wait_for};
use super::on_terminal::OnTerminal;
use super::robust_kit::{Running, children, json_of, path};

/// The mode of a seccomp filter in /proc/PID/status.
const FILTERED: &str = "2";
const ADDRESS: &str = "127.0.0.1:9966";

/// Returns the mode of seccomp of each thread.
fn seccomp(pid: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let mode = |folder: &Path| {
        let status = fs::read_to_string(folder.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        line.unwrap().trim().to_owned()
    };
    threads.map(|thread| mode(&thread.path())).collect()
}

/// Debian's kernels have Landlock from 5.13 on, and enable it from 6.1 on.
fn has_landlock() -> bool {
    kernel_at_least(6, 1)
}

fn serve(options: &[&str]) -> Running {
    let words = [
        &["serve", "--web.listen-address", ADDRESS, "--interval", "200ms"],
        options,
    ]
    .concat();
    let serve = Running::start(&words);
    serve.wait_for_stderr("serving");
    serve
}

fn end(serve: Running) {
    serve.signal(Signal::TERM);
    assert_eq!(serve.end().code, 0);
}

#[test]
fn serve_and_the_process_of_the_statistics_are_restricted_and_say_so() {
    let restricted = serve(&[]);
    let errors = restricted.stderr();
    let expected = if has_landlock() {
        "sandbox: Landlock version "
    } else {
        "sandbox: no Landlock ("
    };
    assert!(
        errors.contains(expected) && errors.contains(", seccomp filter\n"),
        "{errors}"
    );
    assert_eq!(seccomp(restricted.pid()), [FILTERED]);
    let [statistics] = children(restricted.pid())[..] else {
        panic!("serve has one child");
    };
    wait_for("the filter of the child", || {
        (seccomp(statistics) == [FILTERED]).then_some(())
    });
    end(restricted);

    let free = serve(&["--no-sandbox"]);
    assert!(
        free.stderr().contains("sandbox: off (--no-sandbox)\n"),
        "{}",
        free.stderr()
    );
    assert_eq!(seccomp(free.pid()), ["0"]);
    end(free);
    let doctor = Running::start(&["doctor", "--json"]).end();
    let doctor: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(doctor["sandbox"]["seccomp"], true);
    assert_eq!(doctor["sandbox"]["landlock"].is_number(), has_landlock());
}

#[test]
fn top_writes_only_into_its_folder_and_the_folder_for_temporary_files() {
    let folder = path("save");
    fs::create_dir(&folder).unwrap();
    let line = format!("cd {} && pintrace top --interval 200ms", folder.display());
    let top = OnTerminal::start(&line);
    let threads = wait_for("the threads of the runtime", || {
        let threads = seccomp(top.program());
        (threads.len() >= 3).then_some(threads)
    });
    assert!(threads.iter().all(|mode| mode == FILTERED), "{threads:?}");
    top.key(b":save here.json\r");
    wait_for("the file", || folder.join("here.json").exists().then_some(()));
    top.key(b":save /tmp/robust-sandbox.json\r");
    wait_for("the file", || {
        Path::new("/tmp/robust-sandbox.json").exists().then_some(())
    });
    if has_landlock() {
        top.key(b":save /root/outside.json\r");
        wait_for("the refusal", || top.screen().contains("Not saved").then_some(()));
        assert!(!Path::new("/root/outside.json").exists());
    } else {
        left_out("a file in another folder", &"this kernel has no Landlock");
    }
    top.key(b"q");
    assert_eq!(top.end(), 0);
}

#[test]
fn hooks_that_wait_for_pins_are_attached_in_the_sandbox_and_find() {
    let file = path("waits.pintrace");
    let record = Running::start(&["record", "--interval", "200ms", "-o", file.to_str().unwrap()]);
    wait_for("the session", || {
        (seccomp(record.pid()) == [FILTERED]).then_some(())
    });
    let (pinload, _) = Pinload::hold("io-uring --pages 16", 1);
    // The hooks are attached once the pins above are seen.
    wait_for("the finding hooks", || {
        let functions = fs::read_to_string("/sys/kernel/tracing/enabled_functions").unwrap();
        functions.contains("do_wp_page").then_some(())
    });
    pinload.kill();
    record.signal(Signal::INT);
    let ended = record.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = Report::new(json_of(&["report", "--json", file.to_str().unwrap()]));
    let mut checks = Checks::default();
    checks.about("after the pins");
    checks.same("unaccounted", report.balance("unaccounted"), 0);
    checks.holds(report.balance("ledger_acquired") >= 16, "the pins are counted");
    let missing = report.document["missing"].to_string();
    checks.holds(!missing.contains("do_wp_page"), &missing);
    checks.conclude();
}

#[test]
fn the_service_manager_hears_that_serve_is_ready_alive_and_about_to_end() {
    let socket = path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    let mut command = Command::new("pintrace");
    command
        .args(["serve", "--web.listen-address", ADDRESS, "--interval", "200ms"])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "3000000");
    let serve = Running::start_with(&mut command);
    let message = || {
        let mut bytes = [0; 512];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut heard = Vec::new();
    let mut wait_to_hear = |what: &str| {
        wait_for(what, || {
            let message = message();
            let found = message.contains(what);
            heard.push(message);
            found.then_some(())
        });
    };
    wait_to_hear("READY=1");
    for _ in 0..3 {
        wait_to_hear("WATCHDOG=1");
    }
    let (pinload, _) = Pinload::hold("io-uring --pages 16", 1);
    wait_to_hear("STATUS=Tracing: 1 process holds 16 pages");
    pinload.kill();
    // A stopped process is stuck: it reports no more.
    serve.signal(Signal::STOP);
    manager.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
    while manager.recv(&mut [0; 512]).is_ok() {}
    serve.signal(Signal::CONT);
    manager.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    wait_to_hear("WATCHDOG=1");
    serve.signal(Signal::TERM);
    wait_to_hear("STOPPING=1");
    assert_eq!(serve.end().code, 0, "{heard:?}");
}
