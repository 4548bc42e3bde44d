//! What the commands that trace say where they cannot, and to what makes no sense: exit code, message, remedy, and that
//! nothing is touched. None of it needs a kernel that can be traced; `report` has a file of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const PINTRACE: &str = env!("CARGO_BIN_EXE_pintrace");
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn pintrace(arguments: &[&str]) -> Output {
    Command::new(PINTRACE)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// pintrace where the kernel refuses every BPF program, whatever this machine allows: as root without capabilities, or
/// as the user that runs the tests.
fn refused(arguments: &[&str]) -> Output {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--", PINTRACE]);
        command
    } else {
        Command::new(PINTRACE)
    };
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// pintrace as a user who is not root.
fn unprivileged(arguments: &[&str]) -> Output {
    if !is_root() {
        return pintrace(arguments);
    }
    // The checkout may lie where nobody else can look.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("pintrace");
    fs::copy(PINTRACE, &copy).unwrap();
    Command::new(&copy)
        .args(arguments)
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Exit code 3 and two lines: why, and what to run instead.
fn cannot_trace(output: &Output, remedy: &str) {
    let said = said(output);
    assert_eq!(code(output), 3, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("pintrace: cannot trace here: "), "{said}");
    assert!(lines[1].contains(remedy), "{said}");
    assert!(output.stdout.is_empty(), "an answer without tracing");
}

/// Exit code 1, one line that begins with the path and says this, and each thing once.
fn failed(output: &Output, path: &Path, why: &str) {
    let said = said(output);
    assert_eq!(code(output), 1, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let start = format!("pintrace: {}: ", path.display());
    assert!(said.starts_with(&start) && said.contains(why), "{said}");
    assert_eq!(said.matches(why).count(), 1, "said twice: {said}");
}

fn folder_with(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn a_recording() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fio-1.pintrace")).unwrap()
}

#[test]
fn a_kernel_that_refuses_is_told_in_two_lines_with_what_to_run_instead() {
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
fn top_shows_something_where_doctor_says_that_it_can_and_nowhere_else() {
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
            assert_eq!(code(&top), 0, "{mode}: {}", said(&top));
        } else {
            cannot_trace(&top, "pintrace doctor");
        }
    }
}

#[test]
fn a_user_who_is_not_root_is_told_to_use_sudo() {
    cannot_trace(&unprivileged(&["top", "--once"]), "run it again with sudo");
    cannot_trace(
        &unprivileged(&["serve", "--web.listen-address", "127.0.0.1:0"]),
        "run it again with sudo",
    );
}

#[test]
fn doctor_without_root_says_what_it_would_try_and_how_to_try_it() {
    let output = unprivileged(&["doctor", "--json"]);
    assert_eq!(code(&output), 3);
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diagnosis["tried"], false);
    let problems = diagnosis["problems"].to_string();
    assert!(problems.contains("sudo"), "{problems}");
    // Which capability is missing, and what gives it.
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
fn doctor_explains_each_purpose_and_names_them_all_where_it_does_not_know_one() {
    for purpose in ["acquire", "retry", "release", "exit"] {
        let output = pintrace(&["doctor", "--explain", purpose]);
        assert_eq!(code(&output), 0);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("without it is lost: "), "{text}");
    }
    let output = pintrace(&["doctor", "--explain", "everything"]);
    assert_eq!(code(&output), 2);
    assert!(
        said(&output).contains("acquire, retry, release, exit"),
        "{}",
        said(&output)
    );
}

#[test]
fn types_that_are_missing_are_named_with_the_option_that_gives_them() {
    for command in [["top", "--once"], ["serve", "--interval=1s"], ["scan", "--json"]] {
        let output = pintrace(&[command[0], command[1], "--btf", "/missing/vmlinux"]);
        cannot_trace(&output, "pintrace doctor");
        let said = said(&output);
        for part in [
            "/missing/vmlinux",
            "No such file",
            "CONFIG_DEBUG_INFO_BTF",
            "--btf",
        ] {
            assert_eq!(said.matches(part).count(), 1, "{part}: {said}");
        }
    }
    let doctor = pintrace(&["doctor", "--btf", "/missing/vmlinux"]);
    assert_eq!(code(&doctor), 3);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("/missing/vmlinux"));
}

#[test]
fn a_file_that_holds_no_types_is_named() {
    let (_folder, path) = folder_with("vmlinux", b"\x7fELF, or nearly so, and far from BTF");
    let output = pintrace(&["top", "--once", "--btf", path.to_str().unwrap()]);
    cannot_trace(&output, "pintrace doctor");
    assert!(said(&output).contains("is not BTF"), "{}", said(&output));
}

#[test]
fn a_folder_takes_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let output = pintrace(&["record", "-o", folder.path().to_str().unwrap()]);
    failed(&output, folder.path(), "Is a directory");
    assert!(said(&output).contains("-o FILE"));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    for path in ["/nonexistent/x.pintrace", "/proc/x.pintrace"] {
        let output = pintrace(&["record", "-o", path]);
        failed(&output, Path::new(path), "No such file");
        assert!(said(&output).contains("choose another place with -o FILE"));
    }
    let path = "/usr/x.pintrace";
    failed(
        &unprivileged(&["record", "-o", path]),
        Path::new(path),
        "Permission denied",
    );
}

#[test]
fn a_foreign_file_is_left_alone() {
    let content = b"the only copy of something else";
    let (_folder, path) = folder_with("thesis.tex", content);
    let output = pintrace(&["record", "-o", path.to_str().unwrap(), "--duration", "1s"]);
    failed(&output, &path, "is no recording");
    assert!(said(&output).contains("--force"));
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn a_start_that_fails_destroys_no_file_not_even_with_force() {
    for (content, force) in [(a_recording(), false), (b"something else".to_vec(), true)] {
        let (_folder, path) = folder_with("x.pintrace", &content);
        let mut words = vec!["record", "-o", path.to_str().unwrap()];
        words.extend(force.then_some("--force"));
        let output = refused(&words);
        assert_eq!(code(&output), 3, "{}", said(&output));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_start_that_fails_leaves_no_file_and_runs_no_command() {
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
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn check_runs_nothing_where_nothing_can_be_traced() {
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
fn check_lists_the_kinds_where_it_does_not_know_one() {
    let output = pintrace(&["check", "--fail-on", "cow-after-pin,cow", "--", "true"]);
    assert_eq!(code(&output), 2);
    let said = said(&output);
    assert!(
        said.contains("'cow'") && said.contains("mapping-touched, pin-outlives-mm"),
        "{said}"
    );
}

#[test]
fn a_bad_allow_file_is_wrong_usage_and_no_command_runs() {
    let (folder, path) = folder_with("allow.toml", b"# known\n[[allow]]\nkind = 'cow'\nreason = 'x'\n");
    let (bytes, missing) = (
        folder.path().join("bytes.toml"),
        folder.path().join("missing.toml"),
    );
    fs::write(&bytes, b"\xff\xfe").unwrap();
    let trace = folder.path().join("ran");
    for (path, why) in [
        (&path, ":3: no such kind; there are cow-after-pin"),
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
        let said = said(&output);
        assert_eq!(code(&output), 2, "{said}");
        assert!(
            said.starts_with(&format!("pintrace: {}{why}", path.display())),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!trace.exists());
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_runs() {
    let path = "/nonexistent/report.xml";
    let output = refused(&["check", "--report-file", path, "--", "true"]);
    failed(&output, Path::new(path), "No such file");
    assert!(said(&output).contains("--report-file FILE"));
}

#[test]
fn a_recording_that_another_writes_to_is_left_to_it() {
    let content = a_recording();
    let (_folder, path) = folder_with("x.pintrace", &content);
    let other = fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let output = pintrace(&["record", "-o", path.to_str().unwrap()]);
    failed(&output, &path, "another pintrace is writing to it");
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn an_address_in_use_is_told_before_anything_is_attached() {
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = used.local_addr().unwrap().to_string();
    // Even where nothing can be traced: the code is that of the address.
    let output = refused(&["serve", "--web.listen-address", &address]);
    let said = said(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert!(
        said.contains(&address) && said.contains("--web.listen-address"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_wrong_usage() {
    let commands: [&[&str]; 24] = [
        &[],
        &["watch"],
        &["top", "--json"],
        &["top", "--once", "--interval", "0"],
        &["top", "--once", "--interval", "soon"],
        &["top", "--once", "--pid", "init"],
        &["top", "--once", "--map-entries", "NOSUCH=1"],
        &["top", "--once", "--mode", "nobody"],
        &["top", "--once", "--scan-budget", "0"],
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
        assert_eq!(code(&output), 2, "{command:?}: {}", said(&output));
        assert!(said(&output).contains("--help") || said(&output).contains("Usage"));
    }
}

#[test]
fn a_view_without_a_terminal_names_the_options_for_one_table() {
    let output = pintrace(&["top"]);
    assert_eq!(code(&output), 1);
    let said = said(&output);
    assert!(
        said.contains("no terminal") && said.contains("--once") && said.contains("--json"),
        "{said}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for command in [&["doctor"][..], &["doctor", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(PINTRACE)
            .args(command)
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!((code(&output), said(&output).as_str()), (0, ""), "{command:?}");
    }
}
