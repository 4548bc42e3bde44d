//! The open files of a process that can hold pins. Sockets of AF_XDP are found in the kernel's memory.

use std::path::Path;

use pintrace_kernel::descriptors::{self, Descriptor};
use pintrace_kernel::scan_layout::Layout;

use super::has_pinned::ProcessTask;
use super::object::Object;
use super::scan_result::Unreadable;
use super::unmapped::OpenDescriptor;

/// Reads the descriptors of processes, and the kernel's structures behind the descriptors.
#[derive(Clone, Copy)]
pub(super) struct OpenFiles<'s> {
    pub(super) object: &'s Object,
    pub(super) layout: &'s Layout,
    pub(super) proc: &'s Path,
}

impl OpenFiles<'_> {
    /// Appends to `opens` the descriptors of a process that can hold pins.
    pub(super) fn read(
        &self,
        process: ProcessTask,
        opens: &mut Vec<OpenDescriptor>,
        unreadable: &mut Unreadable,
    ) {
        let Some(found) = descriptors::read(self.proc, process.pid) else {
            return;
        };
        unreadable.descriptors += found.unread;
        let file = |fd: u32| match process.task {
            0 => None,
            task => struct_file(self.object, self.layout, task, u64::from(fd)),
        };
        let known = found.known.into_iter().map(|descriptor| OpenDescriptor {
            pid: process.pid,
            file: file(descriptor.fd).unwrap_or(0),
            descriptor,
        });
        opens.extend(known);
        let sockets = found.sockets.into_iter().filter_map(|fd| {
            let file = file(fd)?;
            let pages = self.af_xdp_pages(file)?;
            Some(OpenDescriptor {
                pid: process.pid,
                file,
                descriptor: Descriptor {
                    kind: "af_xdp".to_owned(),
                    fd,
                    pages: Some(pages),
                },
            })
        });
        opens.extend(sockets);
    }

    /// Returns the number of pages in the umem of an AF_XDP socket. `None` if the file is not an AF_XDP socket, or the
    /// socket has no umem.
    fn af_xdp_pages(&self, file: u64) -> Option<u64> {
        let path = &self.layout.path;
        let (umem, pages) = path.xdp?;
        let read = |address| self.object.read_u64(address);
        let socket = read(file + u64::from(path.file_private))?;
        let sock = read(socket + u64::from(path.socket_sk))?;
        let family = read(sock + u64::from(path.sock_family))? & 0xffff;
        if family != u64::from(libc::AF_XDP.unsigned_abs()) {
            return None;
        }
        let umem = read(sock + u64::from(umem)).filter(|umem| *umem != 0)?;
        Some(read(umem + u64::from(pages))? & 0xffff_ffff)
    }
}

/// Returns the address of the `struct file` behind a descriptor of a task.
pub(super) fn struct_file(object: &Object, layout: &Layout, task: u64, fd: u64) -> Option<u64> {
    let path = &layout.path;
    let files = object.read_u64(task + u64::from(path.task_files))?;
    let table = object.read_u64(files + u64::from(path.files_fdt))?;
    let array = object.read_u64(table + u64::from(path.fdt_fd))?;
    object.read_u64(array + fd * 8).filter(|file| *file != 0)
}
