//! Refusals: exit code, message and remedy if pintrace cannot trace or the command line is wrong, without any change to
//! files. No test needs a kernel that can be traced. tests/report.rs has the tests of `report`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/command.rs"]
mod command;
#[path = "support/recording.rs"]
mod recording;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use command::{PINTRACE, code, output, pintrace, stderr};

const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs pintrace so that the kernel refuses every BPF program: as root without capabilities, or as the user that runs
/// the tests.
fn refused(arguments: &[&str]) -> Output {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--", PINTRACE]);
        command
    } else {
        Command::new(PINTRACE)
    };
    command.args(arguments);
    output(command)
}

/// Runs pintrace as a user who is not root.
fn unprivileged(arguments: &[&str]) -> Output {
    if !is_root() {
        return pintrace(arguments);
    }
    // Another user may not be able to read the build folder.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("pintrace");
    fs::copy(PINTRACE, &copy).unwrap();
    let mut command = Command::new(&copy);
    command.args(arguments).uid(NOBODY).gid(NOBODY).current_dir("/");
    output(command)
}

/// Asserts exit code 3 and two lines: the reason and the remedy.
fn cannot_trace(output: &Output, remedy: &str) {
    let message = stderr(output);
    assert_eq!(code(output), 3, "{message}");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(lines[0].starts_with("pintrace: cannot trace here: "), "{message}");
    assert!(lines[1].contains(remedy), "{message}");
    assert!(output.stdout.is_empty(), "output without tracing");
}

/// Asserts exit code 1 and one line, which begins with the path and gives the reason once.
fn failed(output: &Output, path: &Path, why: &str) {
    let message = stderr(output);
    assert_eq!(code(output), 1, "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    let start = format!("pintrace: {}: ", path.display());
    assert!(message.starts_with(&start) && message.contains(why), "{message}");
    assert_eq!(
        message.matches(why).count(),
        1,
        "the reason is printed twice: {message}"
    );
}

fn folder_with(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

/// Returns a recording.
fn recorded() -> Vec<u8> {
    recording::recording(&pintrace_testing::event_builder::fio_and_others())
}

#[test]
fn a_refusal_of_the_kernel_is_printed_in_two_lines_with_a_remedy() {
    let remedy = if is_root() { "cargo xtask demo" } else { "sudo" };
    let (_folder, path) = folder_with("x.pintrace", b"");
    let file = path.to_str().unwrap();
    let commands: [&[&str]; 7] = [
        &["scan"],
        &["top", "--once", "--mode", "scan"],
        &["top", "--once"],
        &["top", "--once", "--json"],
        &["record", "-o", file, "--duration", "1s"],
        &["serve", "--web.listen-address", "127.0.0.1:0"],
        &["check", "--", "true"],
    ];
    for command in commands {
        let output = refused(command);
        cannot_trace(&output, remedy);
        cannot_trace(&output, "pintrace doctor");
    }
}

#[test]
fn top_works_if_and_only_if_doctor_says_so() {
    let doctor = pintrace(&["doctor", "--json"]);
    let diagnosis: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let can = |what: &str| diagnosis[what].as_bool().unwrap();
    let codes: &[i32] = match (can("can_trace"), can("can_scan")) {
        (true, _) => &[0, 4],
        (false, true) => &[4],
        (false, false) => &[3],
    };
    assert!(codes.contains(&code(&doctor)), "{}", code(&doctor));
    for (mode, possible) in [
        ("auto", can("can_trace") || can("can_scan")),
        ("trace", can("can_trace")),
        ("scan", can("can_scan")),
    ] {
        let words = ["top", "--once", "--interval", "100ms", "--mode", mode];
        let top = pintrace(&words);
        if possible {
            assert_eq!(code(&top), 0, "{mode}: {}", stderr(&top));
        } else {
            cannot_trace(&top, "pintrace doctor");
        }
    }
}

#[test]
fn a_user_who_is_not_root_is_told_to_use_sudo() {
    cannot_trace(
        &unprivileged(&["top", "--once"]),
        "run the command again with sudo",
    );
    cannot_trace(
        &unprivileged(&["serve", "--web.listen-address", "127.0.0.1:0"]),
        "run the command again with sudo",
    );
}

#[test]
fn doctor_without_root_names_the_plan_and_the_remedy() {
    let output = unprivileged(&["doctor", "--json"]);
    assert_eq!(code(&output), 3);
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diagnosis["tried"], false);
    let problems = diagnosis["problems"].to_string();
    assert!(problems.contains("sudo"), "{problems}");
    // The output names the missing capability and the remedy.
    let environment = diagnosis["environment"].as_array().unwrap();
    let bpf = environment
        .iter()
        .find(|check| check["name"] == "CAP_BPF")
        .unwrap();
    assert_eq!(bpf["state"], "bad", "{bpf}");
    assert!(
        bpf["remedy"].as_str().unwrap().contains("AmbientCapabilities"),
        "{bpf}"
    );
}

#[test]
fn doctor_explains_each_purpose_and_lists_all_for_an_unknown_purpose() {
    for purpose in ["acquire", "retry", "release", "exit"] {
        let output = pintrace(&["doctor", "--explain", purpose]);
        assert_eq!(code(&output), 0);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("lost without this hook: "), "{text}");
    }
    let output = pintrace(&["doctor", "--explain", "everything"]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("acquire, retry, release, exit"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_missing_btf_file_is_named_with_the_option_for_another() {
    for command in [["top", "--once"], ["serve", "--interval=1s"], ["scan", "--json"]] {
        let output = pintrace(&[command[0], command[1], "--btf", "/missing/vmlinux"]);
        cannot_trace(&output, "pintrace doctor");
        let message = stderr(&output);
        for part in [
            "/missing/vmlinux",
            "No such file",
            "CONFIG_DEBUG_INFO_BTF",
            "--btf",
        ] {
            assert_eq!(message.matches(part).count(), 1, "{part}: {message}");
        }
    }
    let doctor = pintrace(&["doctor", "--btf", "/missing/vmlinux"]);
    assert_eq!(code(&doctor), 3);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("/missing/vmlinux"));
}

#[test]
fn a_file_that_is_no_btf_is_named() {
    let (_folder, path) = folder_with("vmlinux", b"\x7fELF, or nearly so, and far from BTF");
    let output = pintrace(&["top", "--once", "--btf", path.to_str().unwrap()]);
    cannot_trace(&output, "pintrace doctor");
    assert!(stderr(&output).contains("is not BTF"), "{}", stderr(&output));
}

#[test]
fn a_folder_is_refused_as_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let output = pintrace(&["record", "-o", folder.path().to_str().unwrap()]);
    failed(&output, folder.path(), "Is a directory");
    assert!(stderr(&output).contains("-o FILE"));
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    for path in ["/nonexistent/x.pintrace", "/proc/x.pintrace"] {
        let output = pintrace(&["record", "-o", path]);
        failed(&output, Path::new(path), "No such file");
        assert!(stderr(&output).contains("choose another place with -o FILE"));
    }
    let path = "/usr/x.pintrace";
    failed(
        &unprivileged(&["record", "-o", path]),
        Path::new(path),
        "Permission denied",
    );
}

#[test]
fn a_file_that_is_no_recording_is_not_replaced() {
    let content = b"the only copy of something else";
    let (_folder, path) = folder_with("thesis.tex", content);
    let output = pintrace(&["record", "-o", path.to_str().unwrap(), "--duration", "1s"]);
    failed(&output, &path, "is no recording");
    assert!(stderr(&output).contains("--force"));
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn a_failed_start_keeps_an_existing_file_even_with_force() {
    for (content, force) in [(recorded(), false), (b"something else".to_vec(), true)] {
        let (_folder, path) = folder_with("x.pintrace", &content);
        let mut words = vec!["record", "-o", path.to_str().unwrap()];
        words.extend(force.then_some("--force"));
        let output = refused(&words);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_failed_start_leaves_no_file_and_runs_no_command() {
    let folder = tempfile::tempdir().unwrap();
    let (file, trace) = (folder.path().join("x.pintrace"), folder.path().join("ran"));
    let output = refused(&[
        "record",
        "-o",
        file.to_str().unwrap(),
        "--",
        "touch",
        trace.to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn check_runs_no_command_if_nothing_can_be_traced() {
    let folder = tempfile::tempdir().unwrap();
    let (report, recording, trace) = (
        folder.path().join("report.xml"),
        folder.path().join("x.pintrace"),
        folder.path().join("ran"),
    );
    let output = refused(&[
        "check",
        "-o",
        recording.to_str().unwrap(),
        "--format",
        "junit",
        "--report-file",
        report.to_str().unwrap(),
        "--",
        "touch",
        trace.to_str().unwrap(),
    ]);
    cannot_trace(&output, "pintrace doctor");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn check_lists_all_kinds_for_an_unknown_kind() {
    let output = pintrace(&["check", "--fail-on", "cow-after-pin,cow", "--", "true"]);
    assert_eq!(code(&output), 2);
    let message = stderr(&output);
    assert!(
        message.contains("'cow'") && message.contains("mapping-touched, pin-outlives-mm"),
        "{message}"
    );
}

#[test]
fn a_bad_allow_file_is_a_usage_error_and_no_command_runs() {
    let (folder, path) = folder_with("allow.toml", b"# known\n[[allow]]\nkind = 'cow'\nreason = 'x'\n");
    let (bytes, missing) = (
        folder.path().join("bytes.toml"),
        folder.path().join("missing.toml"),
    );
    fs::write(&bytes, b"\xff\xfe").unwrap();
    let trace = folder.path().join("ran");
    for (path, why) in [
        (&path, ":3: no such kind: the kinds are cow-after-pin"),
        (&bytes, ": stream did not contain valid UTF-8"),
        (&missing, ": No such file"),
    ] {
        let output = pintrace(&[
            "check",
            "--allow",
            path.to_str().unwrap(),
            "--",
            "touch",
            trace.to_str().unwrap(),
        ]);
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{message}");
        assert!(
            message.starts_with(&format!("pintrace: {}{why}", path.display())),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!trace.exists());
    }
}

#[test]
fn a_report_that_cannot_be_written_fails_before_the_command_runs() {
    let path = "/nonexistent/report.xml";
    let output = refused(&["check", "--report-file", path, "--", "true"]);
    failed(&output, Path::new(path), "No such file");
    assert!(stderr(&output).contains("--report-file FILE"));
}

#[test]
fn a_recording_that_another_process_writes_is_not_replaced() {
    let content = recorded();
    let (_folder, path) = folder_with("x.pintrace", &content);
    let other = fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let output = pintrace(&["record", "-o", path.to_str().unwrap()]);
    failed(&output, &path, "another pintrace is writing to this file");
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn an_address_in_use_fails_before_hooks_are_attached() {
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = used.local_addr().unwrap().to_string();
    // The check of the address comes before the checks for tracing.
    let output = refused(&["serve", "--web.listen-address", &address]);
    let message = stderr(&output);
    assert_eq!(code(&output), 1, "{message}");
    assert!(
        message.contains(&address) && message.contains("--web.listen-address"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_mistake_in_a_query_has_a_caret_below_it_and_what_is_possible() {
    let query = "fio and pagse_held > 3";
    let commands: [&[&str]; 3] = [
        &["report", "/nonexistent/x.pintrace", "--where", query],
        &["top", "--once", "--where", query],
        &["top", "--once", "--json", "--where", query],
    ];
    for command in commands {
        let output = pintrace(command);
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{message}");
        assert!(output.stdout.is_empty());
        let lines: Vec<&str> = message.lines().collect();
        assert!(
            lines[0].ends_with("column 9: processes have no field `pagse_held`"),
            "{message}"
        );
        assert_eq!(lines[1..3], ["  fio and pagse_held > 3", "          ^"]);
        assert!(lines[3].starts_with("possible: pages_held, "), "{message}");
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let commands: [&[&str]; 26] = [
        &[],
        &["watch"],
        &["top", "--json"],
        &["top", "--once", "--interval", "0"],
        &["top", "--once", "--interval", "soon"],
        &["top", "--once", "--pid", "init"],
        &["top", "--once", "--map-entries", "NOSUCH=1"],
        &["top", "--once", "--mode", "nobody"],
        &["top", "--once", "--scan-budget", "0"],
        &["top", "--once", "--where", "pid = init"],
        &["report", "x.pintrace", "--where"],
        &["scan", "--pid", "init"],
        &["top", "extra"],
        &["record"],
        &["record", "-o"],
        &["record", "-o", "/tmp/x.pintrace", "--duration", "0s"],
        &["record", "-o", "/tmp/x.pintrace", "true"],
        &["serve", "--web.listen-address", "everywhere"],
        &["doctor", "--btf"],
        &["check"],
        &["check", "--"],
        &["check", "true"],
        &["check", "--fail-on", "everything", "--", "true"],
        &["check", "--format", "junit", "--", "true"],
        &[
            "check",
            "--format",
            "yaml",
            "--report-file",
            "/tmp/x",
            "--",
            "true",
        ],
        &["check", "--force", "--", "true"],
    ];
    for command in commands {
        let output = pintrace(command);
        assert_eq!(code(&output), 2, "{command:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("--help") || stderr(&output).contains("Usage"));
    }
}

#[test]
fn a_process_that_does_not_exist_is_an_error() {
    // No pid is above 4194304.
    let commands: [&[&str]; 3] = [
        &["scan", "--pid", "4194305"],
        &["scan", "--pid", "1,4194305", "--json"],
        &["top", "--once", "--pid", "4194305"],
    ];
    for command in commands {
        let output = pintrace(command);
        let message = stderr(&output);
        assert_eq!(code(&output), 1, "{command:?}: {message}");
        assert_eq!(
            message,
            "pintrace: no process has the pid 4194305: `ps` lists the processes\n"
        );
        assert!(output.stdout.is_empty(), "{command:?}");
    }
    let pid = std::process::id().to_string();
    let exists = pintrace(&["scan", "--pid", &pid]);
    assert!([0, 3].contains(&code(&exists)), "{}", stderr(&exists));
}

#[test]
fn a_wrong_number_has_an_error_in_words() {
    let commands: [(&[&str], &str); 3] = [
        (&["scan", "--pid", "abc"], "expected a pid such as 1234"),
        (&["top", "--once", "--pid", "0"], "expected a pid such as 1234"),
        (&["top", "--batch", "-n", "0"], "expected a whole number above 0"),
    ];
    for (command, words) in commands {
        let output = pintrace(command);
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{command:?}: {message}");
        assert!(message.contains(words), "{command:?}: {message}");
        assert!(!message.contains("invalid digit"), "{message}");
    }
}

#[test]
fn top_without_a_terminal_names_the_options_for_one_table() {
    let output = pintrace(&["top"]);
    assert_eq!(code(&output), 1);
    let message = stderr(&output);
    assert!(
        message.contains("not a terminal") && message.contains("--once") && message.contains("--json"),
        "{message}"
    );
}

#[test]
fn a_broken_pipe_is_no_failure() {
    for command in [&["doctor"][..], &["doctor", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut pintrace = Command::new(PINTRACE);
        pintrace.args(command).stdout(writer);
        let output = output(pintrace);
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{command:?}");
    }
}
