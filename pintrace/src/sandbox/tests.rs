//! The restrictions, each in a thread of its own, because a thread cannot lift them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use super::*;

/// Restricts a new thread, and runs `check` in a thread that the restricted thread has started.
fn restricted(work: Work<'_>, check: impl FnOnce(&Restrictions) + Send) {
    thread::scope(|scope| {
        let outer = scope.spawn(|| {
            rustix::thread::set_no_new_privs(true).unwrap();
            let restrictions = enter(work);
            let inner = thread::scope(|scope| scope.spawn(|| check(&restrictions)).join());
            inner.unwrap();
        });
        outer.join().unwrap();
    });
}

fn session<'a>(creates_in: &'a [&'a Path], removes_in: &'a [&'a Path]) -> Work<'a> {
    Work::Session {
        writes: Writes {
            creates_in,
            removes_in,
        },
        processes: false,
    }
}

fn code<T>(result: io::Result<T>) -> Option<i32> {
    result.err()?.raw_os_error()
}

/// Returns the error of bpf(2) for a command without attributes.
fn bpf(command: u32) -> Option<i32> {
    // SAFETY: the size of the attributes is 0, so the kernel reads none.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, 0_usize, 0_usize) };
    (result < 0).then(|| io::Error::last_os_error().raw_os_error().unwrap())
}

#[test]
fn a_session_starts_no_program_and_loads_none_and_opens_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    restricted(session(&[], &[]), |restrictions| {
        assert_eq!(restrictions.seccomp, Ok(()));
        assert_eq!(code(Command::new("/bin/true").status()), Some(libc::EPERM));
        assert_eq!(code(TcpListener::bind("127.0.0.1:0")), Some(libc::EPERM));
        assert_eq!(code(TcpStream::connect(address)), Some(libc::EPERM));
        // SAFETY: perf_event_open reads its attributes from the null pointer, which fails.
        let perf = unsafe { libc::syscall(libc::SYS_perf_event_open, 0_usize, 0, 0, 0, 0) };
        assert_eq!(
            (perf, code::<()>(Err(io::Error::last_os_error()))),
            (-1, Some(libc::EPERM))
        );
        // An open socket keeps working.
        assert!(listener.accept().is_ok());
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
    });
    drop(client);
}

#[test]
fn only_the_commands_of_bpf_that_a_session_needs_reach_the_kernel() {
    const LOAD: u32 = 5;
    const CREATE_MAP: u32 = 0;
    const ENABLE_STATISTICS: u32 = 32;
    const LOOKUP: u32 = 1;
    const FUTURE: u32 = 4000;
    // The kernel itself refuses bpf(2) to an unprivileged user with EPERM, so the answers are compared.
    let unrestricted = |command| bpf(command);
    let lookup = unrestricted(LOOKUP);
    let statistics = unrestricted(ENABLE_STATISTICS);
    let restricted_answers = |work| {
        let mut answers = Vec::new();
        restricted(work, |_| {
            answers.extend([LOAD, CREATE_MAP, FUTURE, LOOKUP, ENABLE_STATISTICS].map(bpf));
        });
        answers
    };
    let refused = Some(libc::EPERM);
    assert_eq!(
        restricted_answers(session(&[], &[])),
        [refused, refused, refused, lookup, refused]
    );
    assert_eq!(
        restricted_answers(Work::Statistics),
        [refused, refused, refused, refused, statistics]
    );
    if rustix::process::geteuid().is_root() {
        assert_ne!(
            lookup, refused,
            "the kernel refuses bpf(2), so the test shows nothing"
        );
    }
}

#[test]
fn a_session_opens_only_the_files_that_it_needs() {
    if let Err(why) = files::version() {
        println!("skipped: a_session_opens_only_the_files_that_it_needs: no Landlock: {why}");
        return;
    }
    let (saves, records, other) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let create = |folder: &Path, name: &str| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).open(folder.join(name))
    };
    let mut open = create(other.path(), "open").unwrap();
    create(records.path(), "empty").unwrap();
    restricted(session(&[saves.path()], &[records.path()]), |restrictions| {
        assert!(restrictions.landlock.is_ok());
        assert!(fs::read("/proc/self/status").is_ok());
        assert!(fs::read_dir("/sys/kernel").is_ok());
        assert!(File::open(std::env::current_exe().unwrap()).is_ok());
        for path in ["/etc/passwd", "/etc/shadow", "/bin/sh"] {
            assert_eq!(code(File::open(path)), Some(libc::EACCES), "{path}");
        }
        assert_eq!(code(fs::read_dir("/root")), Some(libc::EACCES));
        assert_eq!(code(create(other.path(), "new")), Some(libc::EACCES));
        assert_eq!(code(create(records.path(), "new")), Some(libc::EACCES));
        assert!(create(saves.path(), "new").is_ok());
        assert!(fs::remove_file(records.path().join("empty")).is_ok());
        // An open file keeps working.
        assert!(io::Write::write_all(&mut open, b"more").is_ok());
        assert!(open.set_len(0).is_ok());
    });
}

#[test]
fn the_process_of_the_statistics_opens_no_file() {
    if let Err(why) = files::version() {
        println!("skipped: the_process_of_the_statistics_opens_no_file: no Landlock: {why}");
        return;
    }
    restricted(Work::Statistics, |_| {
        assert_eq!(code(fs::read("/proc/self/status")), Some(libc::EACCES));
    });
}

#[test]
fn the_state_is_one_phrase() {
    let state = |landlock, seccomp| Restrictions {
        landlock,
        seccomp,
        enabled: true,
    };
    assert_eq!(
        state(Ok(6), Ok(())).to_string(),
        "Landlock version 6, seccomp filter"
    );
    let missing = || "this kernel has none".to_owned();
    assert_eq!(
        state(Err(missing()), Err(missing())).to_string(),
        "no Landlock (this kernel has none), no seccomp filter (this kernel has none)"
    );
    assert_eq!(off().to_string(), "off (--no-sandbox)");
}

#[test]
fn a_session_that_scans_keeps_the_files_of_other_processes() {
    let scan = Work::Session {
        writes: Writes::default(),
        processes: true,
    };
    restricted(scan, |restrictions| {
        assert!(restrictions.landlock.is_err());
        assert_eq!(restrictions.seccomp, Ok(()));
        assert!(File::open("/etc/passwd").is_ok());
    });
}
