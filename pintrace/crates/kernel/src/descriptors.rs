//! Reads the open descriptors of a process that can hold pins. Such descriptors may explain unmapped pins.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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

/// An open descriptor that can hold pins.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Descriptor {
    /// Kind of the descriptor, a subsystem.
    pub kind: &'static str,
    /// Descriptor number.
    pub fd: u32,
}

impl Descriptor {
    /// Returns true if the kernel has a table of the pages that such a file holds, and pintrace can read the table.
    pub fn has_table(&self) -> bool {
        matches!(self.kind, "io_uring" | "udmabuf")
    }
}

/// The descriptors of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Descriptors that can hold pins.
    pub known: Vec<Descriptor>,
    /// Number of descriptors whose link could not be read.
    pub unread: u64,
}

/// Most descriptors read for one process.
const MOST: usize = 1 << 16;

/// Reads the descriptors of a task. `None` if the task does not exist, or if its descriptors cannot be listed. `folder`
/// is the folder of the process or of the thread below /proc.
pub fn read(folder: &Path) -> Option<Descriptors> {
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
        let link = match link_of(&entry.path()) {
            Ok(Some(link)) => link,
            Ok(None) => continue,
            Err(_) => {
                seen.unread += 1;
                continue;
            }
        };
        let kind = kind_of(&link.to_string_lossy());
        seen.known.extend(kind.map(|kind| Descriptor { kind, fd }));
    }
    seen.known.sort_by_key(|descriptor| descriptor.fd);
    Some(seen)
}

/// Reads the link of a descriptor; `None` if the descriptor was closed since it was listed, or its process ended.
fn link_of(path: &Path) -> std::io::Result<Option<PathBuf>> {
    match std::fs::read_link(path) {
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => Ok(None),
        link => link.map(Some),
    }
}

/// "No such process", which /proc answers for a process that has ended.
const ESRCH: i32 = 3;

/// Returns the kind of a descriptor that can hold pins, by the link in /proc/PID/fd. `None` for other descriptors.
pub fn kind_of(link: &str) -> Option<&'static str> {
    let mut kinds = KINDS.iter();
    let kind = kinds.find(|(_, begins)| begins.iter().any(|begin| link.starts_with(begin)));
    kind.map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn descriptors_that_can_hold_pins_are_found_by_their_links() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("fd");
        std::fs::create_dir(&folder).unwrap();
        let links = [
            ("9", "/dev/kvm"),
            ("4", "anon_inode:[io_uring]"),
            ("5", "/dev/null"),
            ("x", "/dev/kvm"),
        ];
        for (fd, link) in links {
            symlink(link, folder.join(fd)).unwrap();
        }
        std::fs::write(folder.join("7"), "no link").unwrap();
        let seen = read(root.path()).unwrap();
        let known: Vec<_> = seen.known.iter().map(|one| (one.fd, one.kind)).collect();
        assert_eq!((known, seen.unread), (vec![(4, "io_uring"), (9, "kvm")], 1));
        assert!(seen.known[0].has_table() && !seen.known[1].has_table());
    }

    #[test]
    fn a_descriptor_that_was_closed_after_it_was_listed_is_not_unread() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(link_of(&root.path().join("4")).unwrap(), None);
        assert!(link_of(root.path()).is_err());
    }

    #[test]
    fn an_ended_process_has_no_descriptors() {
        assert_eq!(read(tempfile::tempdir().unwrap().path()), None);
    }
}
