//! The failures of the cases of holders.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_thp_disable;
use serde_json::Value;

use crate::holder::{ALL, start};
use crate::refusal::refuse;
use crate::session::{HoldingPinload, command, exclusive, root, run, shared};

/// The cases without an io_uring.
const SOCKETS: [&str; 2] = ["shared-umem", "in-flight-socket"];

/// Runs a case on a kernel that refuses a call. Returns the exit code and the first line.
fn run_refused(case: &str, call: i64, argument: Option<u32>, error: Errno) -> (Option<i32>, Value) {
    let mut command = command(&format!("holder {case}"));
    refuse(&mut command, call, argument, error);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let first = text
        .lines()
        .next()
        .map(|line| serde_json::from_str(line).unwrap());
    (output.status.code(), first.unwrap_or_default())
}

#[test]
fn a_kernel_without_io_uring_offers_no_case_with_a_ring() {
    let _together = shared();
    for case in ALL.into_iter().filter(|case| !SOCKETS.contains(case)) {
        let (code, line) = run_refused(case, libc::SYS_io_uring_setup, None, Errno::ENOSYS);
        assert_eq!((code, &line["code"]), (Some(3), &3.into()), "{case}: {line}");
        let what = line["what"].as_str().unwrap();
        assert!(what.starts_with("cannot create an io_uring"), "{case}: {what}");
    }
}

#[test]
fn a_refused_call_is_named() {
    let _together = shared();
    let register = libc::SYS_io_uring_register;
    for (case, call, argument, code, what) in [
        ("half-unmapped", register, Some(0), 1, "cannot register 2 buffers"),
        ("zombie-leader", register, Some(0), 1, "cannot register 1 buffers"),
        ("sparse-table", register, Some(15), 3, "cannot register a table"),
        (
            "registered-ring",
            register,
            Some(20),
            3,
            "cannot register the ring",
        ),
        ("buffer-ring", register, Some(22), 3, "cannot register a ring"),
        (
            "shared-memory",
            libc::SYS_process_vm_readv,
            None,
            1,
            "cannot read the own memory",
        ),
        ("passed-ring", libc::SYS_sendmsg, None, 1, "cannot send a message"),
        (
            "passed-ring",
            libc::SYS_recvmsg,
            None,
            1,
            "cannot receive a message",
        ),
        (
            "in-flight-ring",
            libc::SYS_sendmsg,
            None,
            3,
            "cannot send the descriptor",
        ),
        (
            "duplicated",
            libc::SYS_fcntl,
            Some(libc::F_DUPFD_CLOEXEC as u32),
            1,
            "cannot duplicate",
        ),
        (
            "execed",
            libc::SYS_fcntl,
            Some(libc::F_SETFD as u32),
            1,
            "cannot keep the ring open",
        ),
        (
            "shared-umem",
            libc::SYS_socket,
            None,
            3,
            "cannot open an AF_XDP socket",
        ),
        (
            "in-flight-socket",
            libc::SYS_socket,
            None,
            3,
            "cannot open an AF_XDP socket",
        ),
    ] {
        let (actual, line) = run_refused(case, call, argument, Errno::EPERM);
        assert_eq!(
            (actual, &line["code"]),
            (Some(code), &code.into()),
            "{case}: {line}"
        );
        assert!(line["what"].as_str().unwrap().starts_with(what), "{case}: {line}");
    }
}

#[test]
fn a_kernel_that_carries_no_ring_lets_a_child_take_the_ring() {
    let _together = shared();
    let in_message = start("in-flight-ring")
        .map(|(pinload, _)| pinload.end())
        .is_some();
    let (code, line) = run_refused("passed-ring", libc::SYS_pidfd_getfd, None, Errno::EPERM);
    assert_eq!(code, Some(if in_message { 0 } else { 3 }), "{line}");
}

#[test]
fn many_owners_needs_a_huge_page() {
    let _together = shared();
    let mut command = command("holder many-owners");
    // SAFETY: between fork and exec, the closure only makes a system call.
    unsafe { command.pre_exec(|| Ok(set_thp_disable(true)?)) };
    let output = command.stderr(Stdio::null()).output().unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &line["code"]),
        (Some(3), &3.into()),
        "{line}"
    );
}

#[test]
fn pins_that_others_take_meanwhile_end_a_case_with_code_4() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let mut pinload = HoldingPinload::start("holder half-unmapped --verify");
    pinload.expect("ready");
    let mut other = HoldingPinload::start("io-uring --pages 8");
    other.expect("ready");
    pinload.resume();
    assert_eq!(pinload.expect("error")["code"], 4);
    assert_eq!(pinload.end().code(), Some(4));
    assert!(other.end().success());
}

#[test]
fn a_case_holds_for_a_given_time() {
    let _together = shared();
    let (output, lines) = run("holder half-unmapped --hold 1ms");
    assert!(
        output.status.success() && lines[0]["event"] == "ready",
        "{lines:#?}"
    );
    for wrong in ["no-such-case", "half-unmapped --hold 1ms --hold-until-stdin"] {
        assert_eq!(
            run(&format!("holder {wrong}")).0.status.code(),
            Some(2),
            "{wrong}"
        );
    }
}
