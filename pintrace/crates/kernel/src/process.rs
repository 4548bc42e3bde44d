//! Reads parent, names, user and cgroup of a process from /proc while the process lives.

use std::path::Path;

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
    fn an_ended_process_is_none() {
        assert_eq!(read(tempfile::tempdir().unwrap().path(), 7), None);
    }
}
