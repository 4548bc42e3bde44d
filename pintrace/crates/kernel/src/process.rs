//! Reads parent, names, user and cgroup of a process from /proc while the process lives.

use std::path::{Path, PathBuf};

use pintrace_events::ProcessSeen;
use pintrace_events::units::Pid;

/// Longest command line kept, in bytes.
const CMDLINE_BYTES: usize = 1024;

/// Reads a process. `None` if the process has ended.
pub fn read(proc: &Path, pid: u32) -> Option<ProcessSeen> {
    let folder = proc.join(pid.to_string());
    let status = read_lossy(&folder.join("status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()
    };
    let number = |name: &str| field(name).and_then(|word| word.parse::<u32>().ok());
    Some(ProcessSeen {
        pid: Pid(pid),
        parent: Pid(number("PPid:").unwrap_or(0)),
        comm: read_lossy(&folder.join("comm"))?
            .trim_end_matches('\n')
            .to_owned(),
        cmdline: cmdline(&folder.join("cmdline")),
        uid: number("Uid:"),
        cgroup: read_lossy(&folder.join("cgroup"))
            .as_deref()
            .map(cgroup)
            .unwrap_or_default(),
    })
}

/// Returns the folder below `proc` by which the memory and the descriptors of a process can be read: the folder of the
/// process, or of another thread if the first thread has ended. The folder may not exist.
pub fn folder(proc: &Path, pid: u32) -> PathBuf {
    let folder = proc.join(pid.to_string());
    // An ended thread has neither memory nor descriptors.
    let has_memory = |folder: &Path| std::fs::read(folder.join("maps")).is_ok_and(|maps| !maps.is_empty());
    if has_memory(&folder) {
        return folder;
    }
    let threads = std::fs::read_dir(folder.join("task"))
        .into_iter()
        .flatten()
        .flatten();
    let mut threads = threads.map(|entry| entry.path());
    threads.find(|thread| has_memory(thread)).unwrap_or(folder)
}

fn read_lossy(path: &Path) -> Option<String> {
    std::fs::read(path)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn cmdline(path: &Path) -> String {
    let mut bytes = std::fs::read(path).unwrap_or_default();
    bytes.truncate(CMDLINE_BYTES);
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches('\0').replace('\0', " ")
}

/// Returns the path of cgroup v2, from the line of hierarchy 0.
fn cgroup(text: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proc_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("7")).unwrap();
        for (name, bytes) in files {
            std::fs::write(root.path().join("7").join(name), bytes).unwrap();
        }
        root
    }

    #[test]
    fn a_process_is_read() {
        let root = proc_with(&[
            ("status", b"Name:\tfio\nPPid:\t3\nUid:\t1000\t1000\t1000\t1000\n"),
            ("comm", b"fio\n"),
            ("cmdline", b"fio\0--direct=1\0"),
            ("cgroup", b"1:cpu:/x\n0::/user.slice\n"),
        ]);
        let process = read(root.path(), 7).unwrap();
        assert_eq!(process.comm, "fio");
        assert_eq!(process.cmdline, "fio --direct=1");
        assert_eq!((process.parent, process.uid), (Pid(3), Some(1000)));
        assert_eq!(process.cgroup, "/user.slice");
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let root = proc_with(&[("status", b"Name:\t\xff\n"), ("comm", b"\xff\xfe\n")]);
        assert_eq!(read(root.path(), 7).unwrap().comm, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_is_read_by_another_thread() {
        let root = proc_with(&[("maps", b"")]);
        let of = || folder(root.path(), 7);
        assert_eq!(of(), root.path().join("7"));
        let thread = root.path().join("7/task/9");
        std::fs::create_dir_all(&thread).unwrap();
        std::fs::write(thread.join("maps"), "1000-2000 rw-p 0 0:0 0").unwrap();
        assert_eq!(of(), thread);
        std::fs::write(root.path().join("7/maps"), "1000-2000 rw-p 0 0:0 0").unwrap();
        assert_eq!(of(), root.path().join("7"));
    }

    #[test]
    fn an_ended_process_is_none() {
        assert_eq!(read(tempfile::tempdir().unwrap().path(), 7), None);
    }
}
