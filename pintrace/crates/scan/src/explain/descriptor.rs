//! Explains one descriptor of a process: the open file, its tables of pinned pages, and who else has it open.

use std::path::{Path, PathBuf};

use pintrace_common::scan::FileFilter;
use pintrace_events::ProcessSeen;
use pintrace_kernel::{descriptors, environment};

use super::Explainer;
use crate::join::Amount;
use crate::kernel_memory::KernelMemory as _;
use crate::open_files::{self, FileKind, OpenFile, Opener};
use crate::pids::{self, Pids};
use crate::releases::Releases;
use crate::scan_result::ScanResult;
use crate::scanner::{Addresses, Progress, ScanError};
use crate::tables::TableReader;
use crate::vmemmap::struct_file;

/// The reason why a descriptor cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum DescriptorError {
    /// No process has the pid.
    #[error("no process has the pid {0}: `ps` lists the processes")]
    NoProcess(u32),
    /// The process does not have the descriptor.
    #[error("process {pid} has no descriptor {fd}: `ls -l /proc/{pid}/fd` lists its descriptors")]
    NoDescriptor {
        /// Pid of the process.
        pid: u32,
        /// Number of the descriptor.
        fd: u32,
    },
    /// The descriptors of the process cannot be read.
    #[error("cannot read {path}: {source}; {cause}")]
    Unreadable {
        /// The link of the descriptor.
        path: PathBuf,
        /// Error of the system call.
        source: std::io::Error,
        /// The likely cause, with the remedy.
        cause: &'static str,
    },
    /// The kernel's open file was not found.
    #[error("cannot find the open file of descriptor {fd} of process {pid} in kernel memory: {why}")]
    NoFile {
        /// Pid of the process.
        pid: u32,
        /// Number of the descriptor.
        fd: u32,
        /// The reason.
        why: String,
    },
    /// The scan failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

/// One table of pages that the file holds: a registered buffer, a umem, the pages of a udmabuf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableExplained {
    /// What the pages are for, such as `registered buffer`.
    pub purpose: &'static str,
    /// User addresses that were pinned, if the table keeps them.
    pub addresses: Option<std::ops::Range<u64>>,
    /// Number of entries of the table. Each keeps one pin.
    pub entries: u64,
    /// Number of entries whose folio has pins.
    pub pinned: u64,
}

/// What is known of a descriptor.
#[derive(Clone, Debug)]
pub struct DescriptorExplained {
    /// The process.
    pub process: ProcessSeen,
    /// Number of the descriptor.
    pub fd: u32,
    /// The link in /proc/PID/fd.
    pub link: String,
    /// Kind of the file: a subsystem, or `memfd`, `socket`, `pipe`, `anon_inode`, `device`, `file`.
    pub kind: &'static str,
    /// The tables; `None` if pintrace knows no table of this kind of file, or cannot read it.
    pub tables: Option<Vec<TableExplained>>,
    /// The reason why `tables` is `None`.
    pub without_tables: Option<&'static str>,
    /// The pins that the scan attributes to the file. Files that share a table share its pins.
    pub pinned: Amount,
    /// All processes that have the same file open.
    pub openers: Vec<Opener>,
}

impl Explainer<'_> {
    /// Scans, and explains descriptor `fd` of process `pid`.
    pub fn descriptor(
        &mut self,
        pid: u32,
        fd: u32,
        progress: Progress<'_>,
    ) -> Result<DescriptorExplained, DescriptorError> {
        let link = link(&self.scanner.proc, pid, fd)?;
        let result = self.scanner.scan(Addresses::Skip, progress)?;
        let no_file = |why: &str| DescriptorError::NoFile {
            pid,
            fd,
            why: why.to_owned(),
        };
        let seen = self.scanner.object.tasks().map_err(ScanError::from)?;
        let Some(seen) = seen else {
            let why = self.scanner.object.without_tasks().unwrap_or_default();
            return Err(no_file(&format!("the kernel refused the task iterator: {why}")));
        };
        let namespace = self.scanner.namespace;
        let tasks = pids::tasks(&self.scanner.object, namespace.as_ref(), seen);
        let all_pids = Pids::of_tasks(namespace.as_ref(), &tasks);
        // The threads of a process share the descriptors. The first thread may have ended.
        let task = tasks.iter().find(|task| task.pid == pid).ok_or_else(|| {
            no_file("the process has no memory; a kernel thread or a zombie has no open files")
        })?;
        let (object, layout) = (&self.scanner.object, &self.scanner.layout);
        let file = struct_file(object, layout, task.address, fd.into())
            .ok_or_else(|| no_file("the descriptor was closed meanwhile"))?;
        let releases = self
            .scanner
            .releases
            .get_or_insert_with(|| Releases::of_samples(object, layout));
        if !releases.complete {
            releases.add_symbols(&self.scanner.proc);
        }
        let operations = object.pointer(file.wrapping_add(layout.facts.file_op.into()));
        let release =
            operations.and_then(|at| object.pointer(at.wrapping_add(layout.facts.op_release.into())));
        let known = release
            .and_then(|release| releases.kinds.get(&release).copied())
            .filter(|kind| *kind != FileKind::AfXdp || is_xdp(self.scanner, file));
        let filter = FileFilter {
            file,
            ..FileFilter::default()
        };
        let openers = open_files::openers(
            &mut self.scanner.object,
            &self.scanner.layout,
            filter,
            &tasks,
            &all_pids,
        )
        .map_err(ScanError::from)?;
        let (tables, without_tables) = match known {
            Some(kind) => self.tables(file, kind, &result),
            None => (None, Some(without_table(&link))),
        };
        let is_dma_buf = known == Some(FileKind::DmaBuf);
        let kind = match known {
            Some(FileKind::DmaBuf) if tables.is_none() => "dma_buf",
            Some(kind) => kind.subsystem(),
            None => kind_of_link(&link),
        };
        let process = pintrace_kernel::process::read(&self.scanner.proc, pid);
        Ok(DescriptorExplained {
            process: process.ok_or(DescriptorError::NoProcess(pid))?,
            fd,
            link,
            kind: if is_dma_buf && tables.as_ref().is_some_and(Vec::is_empty) {
                "dma_buf"
            } else {
                kind
            },
            tables,
            without_tables,
            pinned: pinned_by(&result, file),
            openers,
        })
    }

    fn tables(
        &self,
        file: u64,
        kind: FileKind,
        result: &ScanResult,
    ) -> (Option<Vec<TableExplained>>, Option<&'static str>) {
        let scanner = &*self.scanner;
        let releases = scanner.releases.as_ref();
        let mut reader = TableReader {
            memory: &scanner.object,
            layout: &scanner.layout,
            vmemmap: scanner.vmemmap,
            budget: scanner.table_budget(),
            release_udmabuf: releases.and_then(|releases| releases.udmabuf),
        };
        let open = OpenFile {
            file,
            kind,
            openers: Vec::new(),
        };
        let Ok(tables) = reader.read(&open) else {
            let why = match kind {
                FileKind::DmaBuf if releases.is_some_and(|releases| releases.hidden) => {
                    "kernel.kptr_restrict hides the symbols by which a udmabuf is recognized; set it to 0 or 1"
                }
                _ => {
                    "this kernel's layout of the table is unknown to pintrace, or the table could not be read"
                }
            };
            return (None, Some(why));
        };
        let explained = tables.into_iter().map(|table| TableExplained {
            purpose: table.purpose,
            entries: table.frames.len(),
            pinned: result.pinned_frames(table.frames.runs()),
            addresses: table.addresses,
        });
        (Some(explained.collect()), None)
    }
}

/// Returns the link of a descriptor.
fn link(proc: &Path, pid: u32, fd: u32) -> Result<String, DescriptorError> {
    let folder = proc.join(pid.to_string());
    if !folder.exists() {
        return Err(DescriptorError::NoProcess(pid));
    }
    let path = pintrace_kernel::process::folder(proc, pid).join(format!("fd/{fd}"));
    match std::fs::read_link(&path) {
        Ok(link) => Ok(link.to_string_lossy().into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(DescriptorError::NoDescriptor { pid, fd })
        }
        Err(source) => Err(DescriptorError::Unreadable {
            path,
            source,
            cause: environment::without_access(proc),
        }),
    }
}

/// Returns true if a socket is an AF_XDP socket.
fn is_xdp(scanner: &crate::scanner::Scanner, file: u64) -> bool {
    let (object, facts) = (&scanner.object, &scanner.layout.facts);
    let family = object
        .pointer(file.wrapping_add(facts.file_private.into()))
        .and_then(|socket| object.pointer(socket.wrapping_add(facts.socket_sk.into())))
        .and_then(|sock| object.word(sock.wrapping_add(facts.sock_family.into())));
    family.is_some_and(|family| family & 0xffff == u64::from(libc::AF_XDP.unsigned_abs()))
}

/// Returns the pins of the holders to which a file belongs.
fn pinned_by(result: &ScanResult, file: u64) -> Amount {
    let mut amount = Amount::default();
    let holders = result.processes.iter().flat_map(|process| &process.holders);
    for holder in holders.filter(|holder| holder.files.contains(&file)) {
        amount += holder.amount;
    }
    amount
}

/// Returns the kind of a file by its link.
fn kind_of_link(link: &str) -> &'static str {
    const KINDS: [(&str, &str); 5] = [
        ("/memfd:", "memfd"),
        ("socket:", "socket"),
        ("pipe:", "pipe"),
        ("anon_inode:", "anon_inode"),
        ("/dev/", "device"),
    ];
    if let Some(kind) = descriptors::kind_of(link) {
        return kind;
    }
    let mut kinds = KINDS.iter().filter(|(begin, _)| link.starts_with(begin));
    kinds.next().map_or("file", |(_, kind)| kind)
}

/// Returns the reason why a file without a known kind has no table.
fn without_table(link: &str) -> &'static str {
    match kind_of_link(link) {
        "udmabuf" if link == "/dev/udmabuf" => {
            "/dev/udmabuf holds no pins: each udmabuf that was created by it has a descriptor of its own"
        }
        "memfd" | "pipe" | "file" => {
            "such a file holds no long-term pins; pins on its pages belong to the file that took the pins"
        }
        "socket" => "a socket of another family than AF_XDP holds no long-term pins that pintrace knows of",
        _ => "pintrace cannot read which pages such a file holds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_links() {
        for (link, kind) in [
            ("anon_inode:[io_uring]", "io_uring"),
            ("/memfd:x (deleted)", "memfd"),
            ("socket:[77]", "socket"),
            ("anon_inode:[eventfd]", "anon_inode"),
            ("/dev/null", "device"),
            ("/etc/passwd", "file"),
            ("/dev/vfio/vfio", "vfio"),
        ] {
            assert_eq!(kind_of_link(link), kind, "{link}");
        }
    }

    #[test]
    fn a_missing_process_and_a_missing_descriptor_are_distinguished() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("7/fd")).unwrap();
        let error = |pid| link(root.path(), pid, 3).unwrap_err().to_string();
        assert!(error(6).starts_with("no process has the pid 6"), "{}", error(6));
        assert!(
            error(7).starts_with("process 7 has no descriptor 3"),
            "{}",
            error(7)
        );
    }

    #[test]
    fn a_descriptor_that_cannot_be_read_has_the_likely_cause() {
        let root = tempfile::tempdir().unwrap();
        // A file instead of the link: reading the link fails with another error than that of a missing descriptor.
        std::fs::create_dir_all(root.path().join("7/fd")).unwrap();
        std::fs::write(root.path().join("7/fd/3"), "").unwrap();
        let error = link(root.path(), 7, 3).unwrap_err().to_string();
        assert!(error.ends_with("; run pintrace as root"), "{error}");
    }
}
