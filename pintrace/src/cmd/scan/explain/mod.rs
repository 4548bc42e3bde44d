//! `pintrace scan --pfn`, `--address` and `--fd`: explains one page, a range of pages, or one descriptor.

mod descriptor;
mod frames;
mod page;

use std::io::Write;
use std::path::Path;

use anyhow::{anyhow, bail};

use pintrace_kernel::btf::KernelTypes;
use pintrace_kernel::pagemap::{self, Entry, Unread};
use pintrace_kernel::vma::{self, Vma};
use pintrace_scan::explain::{Explainer, PageExplained};
use pintrace_scan::scanner::Scanner;

use super::subject::Subject;
use super::with_progress;

/// An address of a process, with the page behind the address.
pub(super) struct Located {
    pid: u32,
    address: u64,
    vma: Vma,
    state: State,
}

/// Where the page of an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// In memory.
    Present,
    /// In swap, or in migration.
    Swapped,
    /// Nowhere: the process has not touched the page, or the page is in the page cache alone.
    NotPopulated,
}

/// Most readings of the page table entry, in case the kernel migrates the page during the scan.
const ATTEMPTS: usize = 3;

/// Explains the subject, and writes the explanation to `out`.
pub(super) fn run(
    subject: Subject,
    json: bool,
    scanner: &mut Scanner,
    types: &KernelTypes,
    proc: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut explainer = Explainer::new(scanner, types);
    match subject {
        Subject::Frame(pfn) => {
            let found = page_of(&mut explainer, pfn)?;
            page::write(None, Some(&found), json, out)
        }
        Subject::Frames(range) => {
            let found = with_progress(|progress| explainer.frames(&range, progress))??;
            frames::write(&range, &found, json, out)
        }
        Subject::Address { pid, address } => {
            let (address, found) = at_address(&mut explainer, proc, pid, address)?;
            page::write(Some(&address), found.as_ref(), json, out)
        }
        Subject::Descriptor { pid, fd } => {
            let found = with_progress(|progress| explainer.descriptor(pid, fd, progress))??;
            descriptor::write(&found, json, out)
        }
    }
}

fn page_of(explainer: &mut Explainer<'_>, pfn: u64) -> anyhow::Result<PageExplained> {
    Ok(with_progress(|progress| explainer.page(pfn, progress))??)
}

/// Explains the page at an address. The page is `None` if no page is in memory there.
fn at_address(
    explainer: &mut Explainer<'_>,
    proc: &Path,
    pid: u32,
    address: u64,
) -> anyhow::Result<(Located, Option<PageExplained>)> {
    for _ in 0..ATTEMPTS {
        let (found, pfn) = locate(proc, pid, address)?;
        let Some(pfn) = pfn else {
            return Ok((found, None));
        };
        let page = page_of(explainer, pfn)?;
        if locate(proc, pid, address)?.1 == Some(pfn) {
            return Ok((found, Some(page)));
        }
    }
    bail!("the page at {address:#x} of process {pid} was replaced during each of {ATTEMPTS} scans: try again")
}

/// Finds the mapping that covers an address, and the frame of the page there.
fn locate(proc: &Path, pid: u32, address: u64) -> anyhow::Result<(Located, Option<u64>)> {
    if !proc.join(pid.to_string()).exists() {
        bail!("no process has the pid {pid}: `ps` lists the processes");
    }
    let folder = pintrace_kernel::process::folder(proc, pid);
    let vma = vma::find(&folder, address)
        .map_err(|error| anyhow!("cannot read the mappings of process {pid}: {error}; run pintrace as root, with CAP_SYS_PTRACE"))?
        .ok_or_else(|| {
            anyhow!("process {pid} maps nothing at {address:#x}: /proc/{pid}/maps lists its mappings")
        })?;
    let entry = pagemap::entry(&folder, address).map_err(|unread| match unread {
        Unread::Gone => anyhow!("process {pid} has ended"),
        Unread::Refused => {
            anyhow!("cannot read the page tables of process {pid}: run pintrace as root, with CAP_SYS_PTRACE")
        }
    })?;
    let (state, pfn) = match entry {
        Entry::Present(pfn) => (State::Present, Some(pfn)),
        Entry::Swapped => (State::Swapped, None),
        Entry::Empty => (State::NotPopulated, None),
        Entry::Hidden => {
            bail!("/proc/{pid}/pagemap shows no frame numbers: run pintrace as root or with CAP_SYS_ADMIN")
        }
    };
    let found = Located {
        pid,
        address,
        vma,
        state,
    };
    Ok((found, pfn))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A /proc in which process 7 maps two pages, of which the second is not in memory.
    fn proc() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("7");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("maps"), "0-2000 rw-p 0 00:00 0 [heap]\n").unwrap();
        let entries = [(1u64 << 63 | 5).to_ne_bytes(), (1u64 << 62).to_ne_bytes()].concat();
        std::fs::write(folder.join("pagemap"), entries).unwrap();
        root
    }

    #[test]
    fn an_address_leads_to_its_frame() {
        let root = proc();
        let (found, pfn) = locate(root.path(), 7, 0x10).unwrap();
        assert_eq!(
            (found.state, found.vma.name.as_str(), pfn),
            (State::Present, "[heap]", Some(5))
        );
        let (found, pfn) = locate(root.path(), 7, 0x1000).unwrap();
        assert_eq!((found.state, pfn), (State::Swapped, None));
    }

    #[test]
    fn each_error_names_the_remedy() {
        let root = proc();
        let error = |pid, address| locate(root.path(), pid, address).err().unwrap().to_string();
        assert_eq!(error(8, 0), "no process has the pid 8: `ps` lists the processes");
        assert!(error(7, 0x2000).contains("maps nothing at 0x2000: /proc/7/maps"));
        std::fs::write(root.path().join("7/pagemap"), (1u64 << 63).to_ne_bytes()).unwrap();
        assert!(error(7, 0).contains("CAP_SYS_ADMIN"));
        std::fs::remove_file(root.path().join("7/pagemap")).unwrap();
        assert_eq!(error(7, 0), "process 7 has ended");
        std::fs::create_dir(root.path().join("7/pagemap")).unwrap();
        assert!(error(7, 0).contains("run pintrace as root"));
    }
}
