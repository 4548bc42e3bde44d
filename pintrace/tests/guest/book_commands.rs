//! Each line of README.md and of the book that runs pintrace, typed as a reader types it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pintrace_testing::documents;
use pintrace_testing::documents::shell::{self, ShellLine};
use rustix::process::Signal;

use super::harness::{Pinload, wait_for};
use super::on_terminal::OnTerminal;
use super::robust_kit::{Running, json_of, path};

/// The folder with README.md and docs.
const BOOK: &str = "/usr/local/share/book";
/// Programs of the lines that are run. Other lines need a package, systemd or the sources.
const PROGRAMS: [&str; 4] = ["pintrace", "jq", "tee", "mkdir"];
/// Recordings that the pages take for granted.
const RECORDINGS: [&str; 2] = ["x.pintrace", "/var/lib/pintrace/incident.pintrace"];

/// The system of the reader: a process that holds pins, and the files that the pages name.
struct ReaderSystem {
    pinload: Pinload,
    /// Examples in the pages, each with what it stands for here.
    examples: Vec<(&'static str, String)>,
}

impl ReaderSystem {
    fn new() -> Self {
        let (pinload, ready) = Pinload::hold("io-uring --pages 64", 1);
        let pid = &ready[0]["pid"];
        let scan = json_of(&["scan", "--json", "--pages"]);
        let processes = scan["processes"].as_array().unwrap();
        let process = processes.iter().find(|one| one["pid"] == *pid).unwrap();
        let pfn = process["ranges"][0]["pfn"].as_u64().unwrap();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let ring = descriptors
            .filter(|one| fs::read_link(one.path()).is_ok_and(|link| link.ends_with("anon_inode:[io_uring]")))
            .map(|one| one.file_name().into_string().unwrap())
            .next();
        let ring = ring.unwrap();
        Self {
            pinload,
            examples: vec![
                ("0x1a3000-0x1a31ff", format!("{pfn:#x}-{:#x}", pfn + 511)),
                ("[1a3000, 1a3200)", format!("[{pfn:x}, {:x})", pfn + 512)),
                ("0x1a3014", format!("{pfn:#x}")),
                ("1234:5", format!("{pid}:{ring}")),
                // The shell here is busybox, and runs its own setpriv, which lacks options.
                ("setpriv ", "/usr/bin/setpriv ".to_owned()),
            ],
        }
    }

    /// Returns a line with the examples replaced, and with an end for an output that has none.
    fn typed(&self, line: &str) -> String {
        let mut text = line.to_owned();
        for (example, real) in &self.examples {
            text = text.replace(example, real);
        }
        if text.contains("--batch") && !text.contains(" -n ") {
            text = text.replacen("--batch", "--batch -n 1", 1);
        }
        text
    }
}

/// Makes the folder in which a reader tries a page.
fn folder_of_reader() -> PathBuf {
    let folder = path("reader");
    fs::create_dir_all(folder.join("bin")).unwrap();
    symlink(format!("{BOOK}/docs"), folder.join("docs")).unwrap();
    // The tests are root.
    for (name, text) in [
        ("bin/sudo", "exec \"$@\""),
        ("program", "exec pinload io-uring --pages 32"),
    ] {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for recording in RECORDINGS {
        let file = folder.join(recording);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::copy(format!("{BOOK}/docs/pictures/demo.pintrace"), file).unwrap();
    }
    folder
}

/// Returns true if a line can be typed here and runs pintrace, or prepares a line that does.
fn is_run(line: &ShellLine) -> bool {
    let commands = line.commands().unwrap();
    let programs: Vec<&str> = commands.iter().map(|one| one.words[0].as_str()).collect();
    let known = programs.iter().all(|program| PROGRAMS.contains(program));
    known
        && programs
            .iter()
            .any(|program| ["pintrace", "mkdir"].contains(program))
}

/// Returns a line without its comment.
fn without_comment(line: &str) -> String {
    let end = line.find(" #").unwrap_or(line.len());
    line[..end].trim_end().to_owned()
}

/// Types a line in a folder, and quits what does not end by itself. Returns the exit code and what was printed.
fn run(line: &str, folder: &Path) -> (i32, String) {
    let has = |word: &str| line.split_whitespace().any(|one| one == word);
    let place = folder.display();
    let prepared = format!("cd {place}; export PATH={place}/bin:$PATH HOME={place}");
    if (has("top") && !has("--once") && !has("--batch")) || has("replay") {
        let view = OnTerminal::start(&format!("{prepared}; {line}"));
        wait_for("the view", || view.screen().contains("unaccounted").then_some(()));
        view.key(b"q");
        let code = view.end();
        view.assert_restored();
        return (code, String::new());
    }
    let runs_until_stopped = has("record") && !has("--");
    let first = if runs_until_stopped { "exec " } else { "" };
    let mut command = Command::new("sh");
    let running =
        Running::start_with(command.args(["-c", &format!("{prepared}; set -o pipefail; {first}{line}")]));
    if runs_until_stopped {
        running.wait_for_stderr("recording into");
        running.signal(Signal::INT);
    }
    let ended = running.end();
    (ended.code, ended.stdout + &ended.stderr)
}

#[test]
fn each_line_of_the_book_that_runs_pintrace_succeeds() {
    // docs/privileges.md: the line without root needs this level.
    fs::write("/proc/sys/kernel/perf_event_paranoid", "2").unwrap();
    fs::create_dir_all("/etc/systemd/system").unwrap();
    let system = ReaderSystem::new();
    let mut done: Vec<String> = Vec::new();
    let mut failed = Vec::new();
    for document in documents::of_book(Path::new(BOOK)).unwrap() {
        let folder = folder_of_reader();
        for line in shell::lines(&document).into_iter().filter(is_run) {
            let typed = system.typed(&line.text);
            // A line with a file depends on its page; any other line is run once, whatever its comment.
            let words = without_comment(&typed);
            if !words.contains(".pintrace") && done.contains(&words) {
                continue;
            }
            println!("{}: {typed}", line.place);
            let (code, text) = run(&typed, &folder);
            if code != 0 {
                failed.push(format!("{}: `{typed}` ended with {code}: {text}", line.place));
            }
            done.push(words);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(done.len() > 30, "only {} lines", done.len());
    assert!(system.pinload.end().success());
}
