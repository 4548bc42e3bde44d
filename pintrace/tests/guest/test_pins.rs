//! Test pins: pintrace finds out at its start whether pins and releases reach the hooks, and leaves no trace in the
//! figures.

use std::fs;
use std::process::Command;

use pintrace::pipeline::start::{Mode, SessionOptions};
use pintrace::pipeline::trace_session::TraceSession;
use pintrace_events::{Body, Event, MissingHook};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_model::Model;
use pintrace_probes::options::LoadOptions;
use pintrace_probes::table;
use pintrace_source::test_pins::{Outcome, Path, TestPins};
use serde_json::Value;

use crate::harness::kernel_at_least;

/// Starts a session in this process without the hooks on some functions.
fn session(left_out: &[&'static str]) -> (TraceSession, Vec<Event>) {
    let roots = Roots::with_btf(None);
    let options = SessionOptions {
        mode: Mode::Trace,
        load: LoadOptions {
            findings: None,
            left_out: left_out.to_vec(),
            ..LoadOptions::default()
        },
        ..SessionOptions::default()
    };
    let kernel = Kernel::read(&roots, table::functions()).unwrap();
    TraceSession::start(kernel, &roots, &options).unwrap()
}

fn test_of(session: &TraceSession, path: Path) -> &TestPins {
    let mut tests = session.test_pins().iter();
    tests.find(|test| test.path == path).unwrap()
}

/// Returns the entries of the stream's header for paths that are not seen.
fn unseen(events: &[Event]) -> Vec<&MissingHook> {
    let started = events.iter().find_map(|event| match &event.body {
        Body::Started(started) => Some(started),
        _ => None,
    });
    let missing = started.unwrap().missing.iter();
    missing.filter(|hook| hook.function.is_empty()).collect()
}

#[test]
fn each_path_is_seen_and_no_figure_contains_the_test_pins() {
    let (mut session, first) = session(&[]);
    println!("{:?}", session.test_pins());
    for path in [Path::ProcessVm, Path::IoUring] {
        let test = test_of(&session, path);
        assert_eq!(test.outcome, Outcome::Seen, "{test:?}");
        let figures = test.figures;
        assert!(figures.expected > 1, "{test:?}");
        assert_eq!(
            (figures.acquired, figures.released),
            (figures.expected, figures.expected),
            "{test:?}"
        );
    }
    assert_eq!(unseen(&first), Vec::<&MissingHook>::new());
    let mut model = Model::default();
    for event in first.iter().chain(&session.tick().unwrap()) {
        model.apply(event);
    }
    let snapshot = model.snapshot();
    let own = std::process::id();
    assert!(
        snapshot.processes.iter().all(|process| process.pid.0 != own),
        "{:?}",
        snapshot.processes
    );
    assert_eq!(snapshot.balance.unaccounted, 0, "{:?}", snapshot.balance);
}

/// The executable of a guest lies on a file system in memory, which has no direct I/O. So this test runs a copy on the
/// disk.
#[test]
fn doctor_tests_direct_reads_where_the_kernel_pins_for_them() {
    let folder = std::env::var("PINTRACE_TEST_DISK").unwrap_or_else(|_| "/mnt".to_owned());
    let copy = format!("{folder}/pintrace-copy");
    let own = Command::new("sh")
        .args(["-c", "command -v pintrace"])
        .output()
        .unwrap();
    fs::copy(String::from_utf8(own.stdout).unwrap().trim(), &copy).unwrap();
    let doctor = Command::new(&copy).args(["doctor", "--json"]).output().unwrap();
    fs::remove_file(&copy).unwrap();
    let diagnosis: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let paths = diagnosis["paths"].as_array().unwrap();
    println!("{paths:?}");
    let of = |name: &str| paths.iter().find(|path| path["path"] == name).unwrap();
    for name in ["process_vm_readv", "io_uring"] {
        assert_eq!(of(name)["outcome"], "seen", "{paths:?}");
    }
    let direct = of("direct I/O");
    // Direct I/O pins since 6.5; before, it takes references (FOLL_GET).
    if kernel_at_least(6, 5) {
        assert_eq!(direct["outcome"], "seen", "{direct}");
        assert_eq!(
            (&direct["acquired"], &direct["released"]),
            (&1.into(), &1.into()),
            "{direct}"
        );
    } else {
        assert_eq!(direct["outcome"], "skipped", "{direct}");
        assert_eq!(
            direct["text"], "skipped: direct I/O takes no pins here: nr_foll_pin_acquired does not change",
            "{direct}"
        );
    }
}

/// process_vm_readv releases by unpin_user_pages_dirty_lock, which calls unpin_user_pages. A kernel that inlined
/// unpin_user_pages there is like a kernel whose unpin_user_pages has no hook.
#[test]
fn a_release_that_reaches_no_hook_is_said_with_its_consequence() {
    let (session, first) = session(&["unpin_user_pages"]);
    let test = test_of(&session, Path::ProcessVm);
    assert_eq!(test.outcome, Outcome::ReleaseNotSeen, "{test:?}");
    assert_eq!((test.figures.acquired, test.figures.released), (4, 0), "{test:?}");
    // io_uring releases by another function.
    let control = test_of(&session, Path::IoUring);
    assert_eq!(control.outcome, Outcome::Seen, "{control:?}");
    let [hook] = unseen(&first).try_into().unwrap();
    assert_eq!(
        hook.lost,
        "releases by process_vm_readv do not reach a hook on this kernel: such pins are shown although they are gone"
    );
}

#[test]
fn a_pin_that_reaches_no_hook_is_said_with_its_consequence() {
    let (session, first) = session(&["pin_user_pages_remote"]);
    let test = test_of(&session, Path::ProcessVm);
    assert_eq!(test.outcome, Outcome::PinNotSeen, "{test:?}");
    assert_eq!(test_of(&session, Path::IoUring).outcome, Outcome::Seen);
    let [hook] = unseen(&first).try_into().unwrap();
    assert_eq!(
        hook.lost,
        "pins by process_vm_readv do not reach a hook on this kernel: such pins are not shown"
    );
}
