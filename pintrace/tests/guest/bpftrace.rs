//! bpftrace as a process: it sums the pages that the pin functions return, by thread, and the pages that the unpin
//! functions release.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::balance::{RETURNS, traceable};
use crate::harness::{number, wait_for};

/// The exported unpin functions, a condition, and the pages that a call releases. Without `make_dirty`,
/// `unpin_user_pages_dirty_lock` calls `unpin_user_pages`.
const RELEASES: [(&str, &str, &str); 7] = [
    ("unpin_user_page", "", "1"),
    ("unpin_user_pages", "", "arg1"),
    ("unpin_user_pages_dirty_lock", "/(arg2 & 0xff) != 0/", "arg1"),
    ("unpin_user_page_range_dirty_lock", "", "arg1"),
    ("unpin_folio", "", "1"),
    ("unpin_folios", "", "arg1"),
    ("unpin_user_folio", "", "arg1"),
];

/// The sums of bpftrace.
pub(crate) struct Sums {
    /// Pages acquired, by thread.
    pub(crate) acquired: BTreeMap<u64, u64>,
    /// Pages released, by all threads.
    pub(crate) released: u64,
    /// Calls that the kernel did not show to bpftrace.
    pub(crate) missed: u64,
}

/// A running bpftrace.
pub(crate) struct Bpftrace {
    process: Child,
    output: PathBuf,
    /// Kind and function of each probe, as in the kernel's list.
    probes: Vec<(char, &'static str)>,
}

impl Bpftrace {
    /// Starts bpftrace and waits until all its probes are attached.
    pub(crate) fn attach() -> Self {
        let script_lines = script_lines();
        let mut script = "BEGIN { printf(\"attached\\n\"); }\n".to_owned();
        script.extend(script_lines.iter().map(|(line, ..)| line.as_str()));
        let output = PathBuf::from("/tmp/bpftrace.json");
        let process = Command::new("bpftrace")
            .args(["-f", "json", "-e", &script])
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(output.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let probes = script_lines.iter().map(|(_, kind, function)| (*kind, *function));
        let mut bpftrace = Self {
            process,
            output,
            probes: probes.collect(),
        };
        wait_for("bpftrace to attach", || {
            let ended = bpftrace.process.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", bpftrace.output_so_far());
            // bpftrace prints only after all probes are attached.
            let begun = bpftrace.lines().any(|line| line["data"] == "attached\n");
            begun.then_some(())
        });
        assert!(bpftrace.is_attached(), "{}", bpftrace.output_so_far());
        bpftrace
    }

    /// Ends bpftrace with SIGINT and reads its sums.
    pub(crate) fn detach(mut self) -> Sums {
        let missed = self.missed();
        // bpftrace misses a signal that arrives outside `poll_perf_events` (0.17). A signal that arrives after the
        // detach would end bpftrace before it prints.
        wait_for("bpftrace to detach", || {
            let attached = self.is_attached();
            if attached {
                kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
            }
            (!attached).then_some(())
        });
        let status = wait_for("bpftrace to end", || self.process.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.output_so_far());
        let map = |name: &str| {
            let mut maps = self.lines().filter(|line| line["type"] == "map");
            maps.find_map(|line| line["data"].get(name).cloned())
                .unwrap_or_else(|| panic!("no {name}: {}", self.output_so_far()))
        };
        let acquired = map("@acquired");
        let acquired = acquired.as_object().unwrap().iter();
        Sums {
            acquired: acquired
                .map(|(thread, pages)| (thread.parse().unwrap(), number(pages)))
                .collect(),
            released: number(&map("@released")),
            missed,
        }
    }

    /// Returns the number of calls for which the kernel skipped a program of bpftrace, from the fdinfo of the programs
    /// (`bpf_prog_show_fdinfo`, kernel/bpf/syscall.c). `trace_call_bpf` (kernel/trace/bpf_trace.c) skips each program while
    /// a thread of that CPU is inside a system call on a hash map, also a thread that was preempted there.
    fn missed(&self) -> u64 {
        let folder = format!("/proc/{}/fdinfo", self.process.id());
        let files = fs::read_dir(folder).unwrap().flatten();
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        texts
            .filter_map(|text| {
                let mut lines = text.lines();
                lines.find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse::<u64>().ok())
            })
            .sum()
    }

    /// Returns true if the kernel has all probes of bpftrace.
    fn is_attached(&self) -> bool {
        let list = fs::read_to_string("/sys/kernel/debug/kprobes/list").unwrap();
        let mut probes = self.probes.iter();
        probes.all(|(kind, function)| is_probed(&list, *kind, function))
    }

    /// Returns the output so far, one object per line.
    fn lines(&self) -> impl Iterator<Item = Value> {
        let text = fs::read_to_string(&self.output).unwrap();
        let lines: Vec<_> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        lines.into_iter()
    }

    fn output_so_far(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        read(&self.output) + &read(&self.output.with_extension("log"))
    }
}

impl Drop for Bpftrace {
    fn drop(&mut self) {
        // No effect on a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the lines of the script for this kernel, one for each function, with the kind and function of the probe.
fn script_lines() -> Vec<(String, char, &'static str)> {
    let traceable = traceable();
    let pins = RETURNS.into_iter().map(|(function, width)| {
        let int = if width == "s32" { "int32" } else { "int64" };
        let sum =
            format!("$pages = (int64)({int})retval; if ($pages > 0) {{ @acquired[tid] = sum($pages); }}");
        (format!("kretprobe:{function} {{ {sum} }}\n"), 'r', function)
    });
    let releases = RELEASES.into_iter().map(|(function, condition, pages)| {
        let sum = format!("@released = sum({pages});");
        (
            format!("kprobe:{function} {condition} {{ {sum} }}\n"),
            'k',
            function,
        )
    });
    pins.chain(releases)
        .filter(|(_, _, function)| traceable.contains(*function))
        .collect()
}

/// Returns true if the kernel's list of probes has a probe of a kind at the beginning of a function.
fn is_probed(list: &str, kind: char, function: &str) -> bool {
    // ffffffff8132b2c4  r  pin_user_pages_fast+0x4    [FTRACE]
    list.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|word| word.starts_with(kind))
            && words
                .next()
                .is_some_and(|place| place.split('+').next() == Some(function))
    })
}
