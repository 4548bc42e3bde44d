//! Reads the open descriptors of a process that can hold pins. Such descriptors may explain unmapped pins.

use std::path::Path;

/// Kinds of descriptors that can hold pins, as `--json` names the kinds, with prefixes of the links in /proc/PID/fd.
const KINDS: &[(&str, &[&str])] = &[
    ("io_uring", &["anon_inode:[io_uring]"]),
    ("vfio", &["/dev/vfio/", "anon_inode:[vfio"]),
    ("iommufd", &["/dev/iommu", "anon_inode:[iommufd"]),
    ("rdma", &["/dev/infiniband/uverbs"]),
    ("udmabuf", &["/dev/udmabuf", "/dmabuf:", "anon_inode:dmabuf"]),
    ("kvm", &["/dev/kvm", "anon_inode:kvm-vm"]),
    ("drm", &["/dev/dri/", "/dev/accel/"]),
    ("nvidia", &["/dev/nvidia"]),
    ("vhost", &["/dev/vhost-"]),
    ("v4l2", &["/dev/video"]),
];
/// Prefix of the links of sockets. Only kernel memory shows whether a socket is AF_XDP.
const SOCKET: &str = "socket:[";

/// An open descriptor that can hold pins.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Descriptor {
    /// Kind of the descriptor, a subsystem.
    pub kind: String,
    /// Descriptor number.
    pub fd: u32,
    /// Number of registered pages, from /proc/PID/fdinfo; `None` if the file does not have the number.
    pub pages: Option<u64>,
}

/// The descriptors of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Descriptors that can hold pins.
    pub known: Vec<Descriptor>,
    /// Descriptor numbers of sockets.
    pub sockets: Vec<u32>,
    /// Number of descriptors whose link or fdinfo could not be read.
    pub unread: u64,
}

/// Most descriptors read for one process.
const MOST: usize = 1 << 16;
/// Most bytes of fdinfo that are read: about 40,000 registered buffers.
const MOST_BYTES: u64 = 1 << 20;

/// Reads the descriptors of a process. `None` if the process does not exist, or if its descriptors cannot be listed.
pub fn read(proc: &Path, pid: u32) -> Option<Descriptors> {
    let folder = proc.join(pid.to_string());
    let mut seen = Descriptors::default();
    for entry in std::fs::read_dir(folder.join("fd")).ok()?.take(MOST) {
        let Ok(entry) = entry else {
            seen.unread += 1;
            continue;
        };
        let Some(fd) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(link) = std::fs::read_link(entry.path()) else {
            seen.unread += 1;
            continue;
        };
        let link = link.to_string_lossy();
        if link.starts_with(SOCKET) {
            seen.sockets.push(fd);
        }
        let kind = KINDS
            .iter()
            .find(|(_, begins)| begins.iter().any(|begin| link.starts_with(begin)));
        if let Some((kind, _)) = kind {
            let pages = if *kind == "io_uring" {
                let details = read_some(&folder.join("fdinfo").join(fd.to_string()));
                seen.unread += u64::from(details.is_none());
                details.as_deref().and_then(registered)
            } else {
                None
            };
            seen.known.push(Descriptor {
                kind: (*kind).to_owned(),
                fd,
                pages,
            });
        }
    }
    seen.known.sort_by_key(|descriptor| descriptor.fd);
    seen.sockets.sort_unstable();
    Some(seen)
}

/// Returns the first [`MOST_BYTES`] of a file.
fn read_some(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the number of pages in the registered buffers of an io_uring. After `UserBufs:`, fdinfo has a line
/// `index: 0xaddress/bytes` for each buffer (`io_uring_show_fdinfo`, io_uring/fdinfo.c). `None` without `UserBufs:`.
fn registered(fdinfo: &str) -> Option<u64> {
    let mut lines = fdinfo.lines().skip_while(|line| !line.starts_with("UserBufs:"));
    lines.next()?;
    let mut pages = 0u64;
    for line in lines {
        let Some((address, bytes)) = line
            .trim_start()
            .split_once(": 0x")
            .and_then(|(_, rest)| rest.split_once('/'))
        else {
            break;
        };
        let (Ok(address), Ok(bytes)) = (u64::from_str_radix(address, 16), bytes.trim().parse::<u64>()) else {
            break;
        };
        let end = address.saturating_add(bytes);
        pages = pages.saturating_add(end.div_ceil(4096) - address / 4096);
    }
    Some(pages)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn proc_with(fds: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("7");
        std::fs::create_dir_all(folder.join("fd")).unwrap();
        std::fs::create_dir_all(folder.join("fdinfo")).unwrap();
        for (fd, link) in fds {
            symlink(link, folder.join("fd").join(fd)).unwrap();
        }
        root
    }

    #[test]
    fn registered_pages_of_an_io_uring_are_read_from_fdinfo() {
        let root = proc_with(&[
            ("4", "anon_inode:[io_uring]"),
            ("5", "/dev/null"),
            ("6", "socket:[9]"),
        ]);
        let fdinfo = "pos:\t0\nSqEntries:\t8\nUserFiles:\t0\nUserBufs:\t2\n    0: 0x7f0000001000/65536\n    \
                      1: 0x7f0000021800/4096\nPollList:\n";
        std::fs::write(root.path().join("7/fdinfo/4"), fdinfo).unwrap();
        let seen = read(root.path(), 7).unwrap();
        assert_eq!(seen.known.len(), 1);
        assert_eq!(
            (seen.known[0].kind.as_str(), seen.known[0].pages),
            ("io_uring", Some(18))
        );
        assert_eq!((seen.sockets, seen.unread), (vec![6], 0));
    }

    #[test]
    fn unreadable_fdinfo_is_counted() {
        let root = proc_with(&[
            ("4", "anon_inode:[io_uring]"),
            ("x", "/dev/kvm"),
            ("9", "/dev/kvm"),
        ]);
        let seen = read(root.path(), 7).unwrap();
        assert_eq!((seen.unread, seen.known.len()), (1, 2));
        assert_eq!(seen.known[0].pages, None);
        assert_eq!(seen.known[1].kind, "kvm");
    }

    #[test]
    fn a_huge_or_malformed_fdinfo_is_read_without_panic() {
        let root = proc_with(&[("4", "anon_inode:[io_uring]")]);
        let mut text = b"UserBufs:\t\xff\n    0: 0xffffffffffffffff/18446744073709551615\n".to_vec();
        text.resize(3 << 20, b'x');
        std::fs::write(root.path().join("7/fdinfo/4"), &text).unwrap();
        assert!(read(root.path(), 7).unwrap().known[0].pages.is_some());
        assert_eq!(registered("no such line"), None);
    }

    #[test]
    fn an_ended_process_has_no_descriptors() {
        assert_eq!(read(tempfile::tempdir().unwrap().path(), 7), None);
    }
}
