//! The errors of the guest harness for bad input, without booting a guest.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// An unreachable mirror: the discard port of the loopback interface.
const UNREACHABLE: &str = "deb [trusted=yes] http://127.0.0.1:9/debian sid main\n";

fn xtask(cache: &Path, words: &[&str]) -> Output {
    xtask_with_sources(cache, UNREACHABLE, words)
}

fn xtask_with_sources(cache: &Path, sources: &str, words: &[&str]) -> Output {
    let list = cache.join("sources.list");
    fs::write(&list, sources).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(words)
        .env("PINTRACE_CACHE", cache)
        .env("PINTRACE_APT_SOURCES", list);
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_unknown_series_is_a_usage_error_that_lists_the_known_series() {
    let cache = tempfile::tempdir().unwrap();
    let output = xtask(
        cache.path(),
        &["vm", "run", "--bare", "--kernel", "6.6", "--", "true"],
    );
    assert_eq!(output.status.code(), Some(2));
    let stderr = stderr(&output);
    assert!(
        stderr.contains("5.10 6.1 6.12 6.16 6.17 6.18 6.19 7.0 7.1 7.2 7.3 newest"),
        "{stderr}"
    );
}

#[test]
fn a_kernel_without_network_is_a_failure_with_a_remedy_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let output = xtask(
        cache.path(),
        &["vm", "run", "--bare", "--kernel", "6.12", "--", "true"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let stderr = stderr(&output);
    assert!(
        stderr.contains("kernel 6.12 (cloud, x86_64) is not in the cache and could not be fetched"),
        "{stderr}"
    );
    assert!(
        stderr.contains("check the network and the system's apt sources"),
        "{stderr}"
    );
    assert!(!cache.path().join("kernels").exists());
}

#[test]
fn a_package_without_network_is_a_failure_with_a_remedy_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    // A cached kernel needs no network, so only the package fails.
    let kernel = cache.path().join("kernels/6.12.0-1-cloud-amd64");
    fs::create_dir_all(&kernel).unwrap();
    fs::write(kernel.join("vmlinux"), "").unwrap();
    let words = [
        "vm",
        "run",
        "--bare",
        "--kernel",
        "6.12",
        "--package",
        "fio",
        "--",
        "true",
    ];
    let output = xtask(cache.path(), &words);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let stderr = stderr(&output);
    assert!(
        stderr.contains("Debian package fio is not in the cache and could not be fetched"),
        "{stderr}"
    );
    assert!(stderr.contains("check the network"), "{stderr}");
    assert!(!cache.path().join("packages").exists());
}

#[test]
fn a_module_of_a_kernel_without_modules_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let kernel = cache.path().join("kernels/7.0.13+deb13-cloud-amd64");
    fs::create_dir_all(&kernel).unwrap();
    fs::write(kernel.join("vmlinux"), "").unwrap();
    let words = [
        "vm",
        "run",
        "--bare",
        "--kernel",
        "7.0",
        "--modules",
        "vfio-pci",
        "--",
        "true",
    ];
    let output = xtask(cache.path(), &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("Debian has dropped the modules"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_missing_file_of_add_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let kernel = cache.path().join("kernels/6.12.0-1-cloud-amd64");
    fs::create_dir_all(&kernel).unwrap();
    fs::write(kernel.join("vmlinux"), "").unwrap();
    let words = [
        "vm",
        "run",
        "--bare",
        "--kernel",
        "6.12",
        "--add",
        "/no/such/file",
        "--",
        "true",
    ];
    let output = xtask(cache.path(), &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("cannot add /no/such/file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_kernel_with_a_wrong_checksum_is_refused_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let archive = tempfile::tempdir().unwrap();
    let sum = "0".repeat(64);
    let index = format!(
        "Package: linux-image-6.12.1-cloud-amd64\nVersion: 1\nArchitecture: amd64\nMaintainer: none\n\
         Filename: ./kernel.deb\nSize: 6\nSHA256: {sum}\nDescription: kernel\n"
    );
    fs::write(archive.path().join("Packages"), index).unwrap();
    fs::write(archive.path().join("kernel.deb"), "forged").unwrap();
    let sources = format!("deb [trusted=yes] file:{} ./\n", archive.path().display());
    let words = ["vm", "run", "--bare", "--kernel", "6.12", "--", "true"];
    let output = xtask_with_sources(cache.path(), &sources, &words);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("Hash Sum mismatch"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_dir(cache.path().join("kernels")).unwrap().count(), 0);
}

#[test]
fn a_series_that_debian_has_dropped_is_an_error() {
    let cache = tempfile::tempdir().unwrap();
    let archive = tempfile::tempdir().unwrap();
    fs::write(archive.path().join("Packages"), "").unwrap();
    let sources = format!("deb [trusted=yes] file:{} ./\n", archive.path().display());
    let words = ["vm", "run", "--bare", "--kernel", "6.16", "--", "true"];
    let output = xtask_with_sources(cache.path(), &sources, &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("Debian offers no 6.16 (cloud) any more"),
        "{}",
        stderr(&output)
    );
}
