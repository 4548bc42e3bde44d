//! Running bpftrace, which sums by thread what the pin functions return, and what the unpin functions are asked to let go.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::balance::{RETURNS, traceable};
use crate::harness::{eventually, number};

/// How many pages a call of each exported unpin function lets go. Without `make_dirty` the third calls the second.
const RELEASES: [(&str, &str, &str); 7] = [
    ("unpin_user_page", "", "1"),
    ("unpin_user_pages", "", "arg1"),
    ("unpin_user_pages_dirty_lock", "/(arg2 & 0xff) != 0/", "arg1"),
    ("unpin_user_page_range_dirty_lock", "", "arg1"),
    ("unpin_folio", "", "1"),
    ("unpin_folios", "", "arg1"),
    ("unpin_user_folio", "", "arg1"),
];

/// What bpftrace has seen.
pub(crate) struct Sums {
    /// Pages by thread.
    pub(crate) acquired: BTreeMap<u64, u64>,
    /// Pages released, by all threads together.
    pub(crate) released: u64,
    /// Calls that the kernel did not show to bpftrace.
    pub(crate) missed: u64,
}

/// bpftrace under way.
pub(crate) struct Bpftrace {
    process: Child,
    output: PathBuf,
    /// Kind and function of each probe, as the kernel lists them.
    probes: Vec<(char, &'static str)>,
}

impl Bpftrace {
    /// Starts it; everything is attached when this returns.
    pub(crate) fn attach() -> Self {
        let questions = questions();
        let mut script = "BEGIN { printf(\"attached\\n\"); }\n".to_owned();
        script.extend(questions.iter().map(|(line, ..)| line.as_str()));
        let output = PathBuf::from("/tmp/bpftrace.json");
        let process = Command::new("bpftrace")
            .args(["-f", "json", "-e", &script])
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(output.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let probes = questions.iter().map(|(_, kind, function)| (*kind, *function));
        let mut mode = Self {
            process,
            output,
            probes: probes.collect(),
        };
        eventually(&"bpftrace to attach", || {
            let ended = mode.process.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", mode.said());
            // It prints only once all is attached, whatever asked for it.
            let begun = mode.lines().any(|line| line["data"] == "attached\n");
            begun.then_some(())
        });
        assert!(mode.is_attached(), "{}", mode.said());
        mode
    }

    /// Ends it as a terminal would, and reads its sums.
    pub(crate) fn detach(mut self) -> Sums {
        let missed = self.missed();
        // It overlooks a signal that comes while it is not waiting for one (`poll_perf_events` of 0.17), and one that
        // comes after it has detached would end it before it prints.
        eventually(&"bpftrace to detach", || {
            let attached = self.is_attached();
            if attached {
                kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
            }
            (!attached).then_some(())
        });
        let status = eventually(&"bpftrace to end", || self.process.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.said());
        let map = |name: &str| {
            let mut maps = self.lines().filter(|line| line["type"] == "map");
            maps.find_map(|line| line["data"].get(name).cloned())
                .unwrap_or_else(|| panic!("no {name}: {}", self.said()))
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

    /// Calls for which the kernel skipped a program of bpftrace, as the fdinfo of these programs has it
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

    /// Whether the kernel has all of its probes.
    fn is_attached(&self) -> bool {
        let list = fs::read_to_string("/sys/kernel/debug/kprobes/list").unwrap();
        let mut probes = self.probes.iter();
        probes.all(|(kind, function)| is_probed(&list, *kind, function))
    }

    /// What it has printed so far, an object a line.
    fn lines(&self) -> impl Iterator<Item = Value> {
        let text = fs::read_to_string(&self.output).unwrap();
        let lines: Vec<_> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        lines.into_iter()
    }

    fn said(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        read(&self.output) + &read(&self.output.with_extension("log"))
    }
}

impl Drop for Bpftrace {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What bpftrace is asked on this kernel, a line for each function, and the probe that the kernel then has there.
fn questions() -> Vec<(String, char, &'static str)> {
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

/// Whether the kernel's list of probes has one of this kind at the beginning of this function.
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
