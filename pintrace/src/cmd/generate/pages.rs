//! What the man pages say in addition to the options: exit codes, files, and related pages.

use crate::exit::Exit;

/// A file that a command reads or writes.
pub(super) struct FileEntry {
    /// The path.
    pub(super) path: &'static str,
    /// Its use.
    pub(super) meaning: &'static str,
}

const fn file(path: &'static str, meaning: &'static str) -> FileEntry {
    FileEntry { path, meaning }
}

const BTF: FileEntry = file("/sys/kernel/btf/vmlinux", "The types of the running kernel.");
const SYSTEM_CONFIGURATION: FileEntry = file(
    "/etc/pintrace/config.toml",
    "The configuration of the live view for all users.",
);
const USER_CONFIGURATION: FileEntry = file(
    "~/.config/pintrace/config.toml",
    "The configuration of the live view for one user.",
);
const VMSTAT: FileEntry = file(
    "/proc/vmstat",
    "The kernel's own counts of pins and releases (nr_foll_pin_acquired, nr_foll_pin_released).",
);
const PAGEMAP: FileEntry = file("/proc/PID/pagemap", "The page frames that a process maps.");
const SERVE_UNIT: FileEntry = file(
    "/usr/lib/systemd/system/pintrace.service",
    "The unit that runs pintrace serve.",
);
const RECORD_UNIT: FileEntry = file(
    "/usr/lib/systemd/system/pintrace-record@.service",
    "The unit that runs pintrace record.",
);
const SHARED: FileEntry = file(
    "/usr/share/pintrace/",
    "A dashboard for Grafana and alert rules for Prometheus.",
);
const RECORDING: FileEntry = file("FILE.pintrace", "A recording, in the format of pintrace record.");
const PAGES: FileEntry = file("/usr/share/man/man1/", "The man pages of an installed package.");
const COMPLETIONS: FileEntry = file(
    "/usr/share/bash-completion/completions/pintrace",
    "The completions for bash of an installed package.",
);

/// Returns the files of a page.
pub(super) fn files(page: &str) -> &'static [FileEntry] {
    match page {
        "pintrace" => &[
            BTF,
            VMSTAT,
            SYSTEM_CONFIGURATION,
            USER_CONFIGURATION,
            SERVE_UNIT,
            RECORD_UNIT,
            SHARED,
        ],
        "pintrace-top" => &[BTF, VMSTAT, SYSTEM_CONFIGURATION, USER_CONFIGURATION],
        "pintrace-scan" => &[BTF, VMSTAT, PAGEMAP],
        "pintrace-serve" => &[BTF, VMSTAT, SERVE_UNIT, SHARED],
        "pintrace-record" => &[BTF, VMSTAT, RECORD_UNIT, RECORDING],
        "pintrace-report" => &[RECORDING],
        "pintrace-replay" => &[RECORDING, SYSTEM_CONFIGURATION, USER_CONFIGURATION],
        "pintrace-generate-man" => &[PAGES],
        "pintrace-generate-completions" => &[COMPLETIONS],
        "pintrace-generate-unit" => &[SERVE_UNIT, RECORD_UNIT],
        "pintrace-generate-config" => &[SYSTEM_CONFIGURATION],
        "pintrace-generate" => &[PAGES, COMPLETIONS, SERVE_UNIT, RECORD_UNIT, SYSTEM_CONFIGURATION],
        page if page.starts_with("pintrace-config") => &[SYSTEM_CONFIGURATION, USER_CONFIGURATION],
        _ => &[BTF, VMSTAT],
    }
}

/// Returns the exit codes of a page.
pub(super) fn exits(page: &str) -> Vec<Exit> {
    let mut exits = vec![Exit::Done, Exit::Failed, Exit::Usage];
    let page = page.strip_prefix("pintrace-").unwrap_or("");
    if matches!(
        page,
        "" | "top" | "scan" | "record" | "check" | "serve" | "doctor"
    ) {
        exits.push(Exit::CannotTrace);
    }
    if matches!(page, "" | "check" | "doctor") {
        exits.push(Exit::IssuesFound);
    }
    if matches!(page, "" | "record" | "check") {
        exits.push(Exit::Command(0));
    }
    exits
}

/// Returns the related pages of a page, besides its command and its commands.
pub(super) fn related(page: &str) -> &'static [(&'static str, &'static str)] {
    match page {
        "pintrace" => &[("capabilities", "7"), ("proc", "5"), ("bpftrace", "8")],
        "pintrace-serve" | "pintrace-generate-unit" => &[("systemd.service", "5"), ("systemctl", "1")],
        "pintrace-record" => &[("pintrace-report", "1"), ("pintrace-replay", "1")],
        "pintrace-report" => &[("pintrace-record", "1"), ("pintrace-replay", "1")],
        "pintrace-replay" => &[("pintrace-record", "1"), ("pintrace-report", "1")],
        "pintrace-top" | "pintrace-check" | "pintrace-scan" => &[("pintrace-doctor", "1")],
        "pintrace-doctor" => &[("capabilities", "7")],
        _ => &[],
    }
}
