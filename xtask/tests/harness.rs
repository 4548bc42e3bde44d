//! Tests of the guest harness with real guests. `cargo xtask test` runs these tests, and `cargo test` does not.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn vm(words: &[&str], script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["vm", "run", "--bare", "--kernel", "6.12"])
        .args(words)
        .args(["--", script]);
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn xtask_has_the_output_and_exit_code_of_the_command() {
    let output = vm(&[], "echo one; echo two >&2; exit 7");
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert_eq!(stdout(&output), "one\ntwo\n");
}

#[test]
fn kernel_messages_do_not_mix_with_the_output() {
    let output = vm(
        &[],
        "for i in 1 2 3 4 5; do echo '<0>from the kernel' >/dev/kmsg; echo $i; done",
    );
    assert_eq!(stdout(&output), "1\n2\n3\n4\n5\n", "{}", stderr(&output));
}

#[test]
fn long_output_is_complete() {
    let output = vm(&[], "seq 20000");
    assert_eq!(stdout(&output).lines().count(), 20000);
    assert!(stdout(&output).ends_with("\n20000\n"));
}

/// Under load a kernel measures the time-stamp counter wrongly, and a clock based on this counter runs at a wrong rate.
#[test]
fn the_clock_does_not_depend_on_a_measurement_at_boot() {
    let output = vm(
        &[],
        "cat /sys/devices/system/clocksource/clocksource0/current_clocksource",
    );
    assert_eq!(stdout(&output), "acpi_pm\n", "{}", stderr(&output));
}

#[test]
fn a_remaining_process_does_not_keep_the_guest_running() {
    let output = vm(&["--timeout", "60s"], "sleep 1000 & seq 20000");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("\n20000\n"));
}

#[test]
fn the_console_is_kept_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let console = folder.path().join("console");
    let output = vm(
        &["--console", console.to_str().unwrap()],
        "echo '<0>from the kernel' >/dev/kmsg",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(fs::read_to_string(console).unwrap().contains("from the kernel"));
}

#[test]
fn a_command_that_hangs_is_ended_at_the_time_limit() {
    let start = Instant::now();
    let output = vm(&["--timeout", "10s"], "echo before; sleep 1000");
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(stdout(&output), "before\n");
    assert!(
        stderr(&output).contains("did not end within the time limit"),
        "{}",
        stderr(&output)
    );
    assert!(start.elapsed() < Duration::from_secs(40));
}

#[test]
fn a_guest_that_hangs_while_booting_has_a_separate_message() {
    let output = vm(
        &[
            "--timeout",
            "3s",
            "--append",
            "rdinit=/bin/none",
            "--qemu-arg",
            "-S",
        ],
        "true",
    );
    assert_eq!(output.status.code(), Some(124));
    assert!(
        stderr(&output).contains("hangs while booting"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_panic_is_reported_with_the_end_of_the_console() {
    // The panic comes after the serial line has sent the output, because a panic discards bytes that are still in the
    // guest.
    let sent = "until grep -qE '^1: .* tx:([7-9]|[1-9][0-9])' /proc/tty/driver/serial; do sleep 0.1; done";
    let output = vm(
        &[],
        &format!("echo before; {sent}; echo c >/proc/sysrq-trigger; sleep 100"),
    );
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(stdout(&output), "before\n");
    assert!(stderr(&output).contains("Kernel panic"), "{}", stderr(&output));
}

#[test]
fn a_fault_of_the_emulator_is_reported_and_retried_once() {
    let script = "echo '<0>Oops: int3: 0000' >/dev/kmsg; echo c >/proc/sysrq-trigger; sleep 100";
    let output = vm(&[], script);
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(
        stderr(&output).matches("a second and last time").count(),
        1,
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_error_of_qemu_is_quoted() {
    let output = vm(&["--qemu-arg", "-no-such-option"], "true");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("QEMU failed") && stderr(&output).contains("no-such-option"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn files_in_out_are_copied_back() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = vm(
        &["--out", out.to_str().unwrap()],
        "mkdir /out/a; echo x >/out/a/b; dd if=/dev/zero of=/out/c bs=1M count=20",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(out.join("a/b")).unwrap(), "x\n");
    assert_eq!(fs::metadata(out.join("c")).unwrap().len(), 20 << 20);
}

#[test]
fn files_and_folders_reach_the_guest_and_dynamic_binaries_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/deep")).unwrap();
    fs::write(folder.path().join("data/deep/file"), "content\n").unwrap();
    let data = format!("{}=/data", folder.path().join("data").display());
    // getconf is a dynamic binary of this machine.
    let output = vm(
        &["--add", &data, "--add", "/usr/bin/getconf"],
        "cat /data/deep/file && ./getconf PAGE_SIZE",
    );
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "content\n4096\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_disk_takes_direct_io() {
    let script = "fio --name=x --directory=/mnt --direct=1 --bs=64k --size=4M --rw=read --ioengine=io_uring --output=/dev/null";
    let output = vm(&["--package", "fio"], script);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
}

#[test]
fn the_full_flavour_finds_its_disk_too() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args([
        "vm",
        "run",
        "--bare",
        "--kernel",
        "6.12",
        "--flavour",
        "full",
        "--",
        "grep -c /mnt /proc/mounts",
    ]);
    let output = command.output().unwrap();
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "1\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn modules_are_loaded_with_their_dependencies() {
    let output = vm(&["--modules", "virtio_net,loop"], "lsmod");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("virtio_net"), "{}", stdout(&output));
    let output = vm(&["--modules", "no_such_module"], "true");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("has no module no_such_module"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn instruction_counting_works() {
    let output = vm(
        &["--icount"],
        "nproc; cat /sys/devices/system/clocksource/clocksource0/current_clocksource",
    );
    assert_eq!(
        (output.status.code(), stdout(&output).lines().next()),
        (Some(0), Some("1")),
        "{}",
        stderr(&output)
    );
}
