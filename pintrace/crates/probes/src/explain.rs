//! The explanation of each purpose, for `pintrace doctor --explain`.

use super::table::Purpose;

/// The explanation of [`Purpose::Retry`].
const RETRY: &str = "\
A long-term pin must not keep pages where they block others (CMA, ZONE_MOVABLE). So __gup_longterm_locked pins the
pages and checks where each page is. If one page must move, __gup_longterm_locked drops all pins, migrates pages, and
pins again. vmstat counts each round; the caller sees the last round only. Hooks on __gup_longterm_locked mark the task
while it is inside. Where it can be hooked, a hook on migrate_longterm_unpinnable_folios, which drops each pin of the call
once, counts the dropped pages. Elsewhere a hook on gup_put_folio (put_compound_head before 5.16) counts them, at more cost:
`gup_retry`. So nr_foll_pin_acquired equals the acquired pages of the ledger plus `gup_retry`, and nr_foll_pin_released
equals the released pages of the ledger plus `gup_retry`.

gup_put_folio is inlined into most of its callers from 6.16 on, so a hook on it cannot see all releases. Inside
__gup_longterm_locked, gup_put_folio is called on every kernel measured. A kernel on which it is inlined there as well
shows the difference in `unaccounted`.";

/// The explanation of [`Purpose::Time`].
const TIME: &str = "\
A long-term pin call can take minutes: it faults in each page, and moves pages out of CMA and ZONE_MOVABLE. The hook on
__gup_longterm_locked that serves the purpose `retry` takes the time of its entry, and the hook on the return of the pin
function takes the difference. All long-term calls but those of pin_user_pages_fast and memfd_pin_folios do all their work in
__gup_longterm_locked. memfd_pin_folios has a hook on its entry.

pin_user_pages_fast pins the pages that are present by gup-fast, before it calls __gup_longterm_locked for the rest. A hook
on its entry would cost each direct read or write some hundred instructions. io_uring's calls begin in io_pin_pages, which
direct I/O does not pass. For other drivers the hook is attached after the first long-term call without a known beginning:
that call has no known duration (`untimed`).";

/// The explanation of [`Purpose::Register`].
const REGISTER: &str = "\
A process registers memory by io_uring_register, by setsockopt with XDP_UMEM_REG, or by an ioctl of VFIO or RDMA. The kernel
may refuse before it pins a page: the memory would exceed RLIMIT_MEMLOCK (ENOMEM, ENOBUFS). The hooks on the returns of
io_uring_register, io_uring_setup and xdp_umem_create count the failures, with the limit and what is used of it.

The code of RDMA and VFIO is in modules. A kprobe and a kretprobe on ib_umem_get (__ib_umem_get_va on newer kernels) and on
vfio_iommu_type1_ioctl count the failures there. ib_umem_get compares VmPin of the process with the limit before it pins.
VFIO pins up to 512 pages, compares VmLck of the process, and drops the pages.

Not seen: refusals by a module that is loaded after the start of the session, by iommufd, and by drivers of RDMA that pin on
their own (hfi1, qib, usnic, mthca).";

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 12] = [
        Self::Acquire,
        Self::Retry,
        Self::Release,
        Self::Exit,
        Self::Exec,
        Self::Copy,
        Self::Fork,
        Self::Mapping,
        Self::Window,
        Self::Reference,
        Self::Time,
        Self::Register,
    ];

    /// Returns the purpose of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// Returns what the kernel does, why the hooks are on these functions, and which events are not seen.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Acquire => {
                "\
A driver that lets a device or the kernel read or write the memory of a process pins the memory first.
pin_user_pages and its variants (mm/gup.c) find the pages, raise the reference count by 1024 (small folios) or the pin
count (large folios), and store the pages in pages[]. Each variant has a hook on its return, where the number of pinned
pages is known. The variants never call one another, so each pin is seen once. The functions that the variants share
(__get_user_pages, try_grab_folio) have no hooks: the kernel calls them again for a retry, and inlines them in places.

FOLL_LONGTERM in the flags separates pins that stay from pins for one I/O. Only long-term pins get extents. Zero pages
are in pages[] without a pin from 6.5 on, and are not counted.

folio_add_pin and folio_add_pins add a pin to a folio that is pinned already. folio_add_pin, for legacy direct I/O (on
FAT, for example), does not raise nr_foll_pin_acquired, but the release of such a pin raises nr_foll_pin_released.
`not_in_vmstat` is the number of pages by which nr_foll_pin_acquired falls behind.

Not seen: references without a pin (FOLL_GET: vmsplice, MSG_ZEROCOPY, and direct I/O before about 6.5); see
`--explain reference`."
            }
            Self::Time => TIME,
            Self::Register => REGISTER,
            Self::Retry => RETRY,
            Self::Release => {
                "\
The holder of a pin releases the pin by unpin_user_page, unpin_user_pages or a variant (mm/gup.c), often in another
task or in an interrupt, when the device has finished. Each variant has a hook on its entry, while the pins still exist.
The running task does not show whose pins are released. The folio table does: it has the owner of each folio that was
pinned since the start. A release of a folio that is not in the table is that of a preexisting pin
(`preexisting_released`), or, beyond the number of preexisting pins, that of a lost pin (`lost_pin_released`).

A release from a folio with several owners goes to the pins of the releasing process first, and to short-term pins
before long-term pins. The released pages are counted as `ambiguous_owner`."
            }
            Self::Exit => {
                "\
Pins outlive the process that took them if another process keeps the pinning object open, such as a shared io_uring or
a VFIO container. A hook on the tracepoint sched_process_exit (kernel/exit.c) sees when the last thread of a process
ends and with which status, and records how many pages the long-term pins of the process hold at that moment."
            }
            Self::Exec => {
                "\
A process that executes a new program keeps its descriptors, and with them its pins. A hook on the tracepoint
sched_process_exec (fs/exec.c) sees the new program of a process with pins, so that pintrace shows the new names, and
does not take the end of the old mm for the end of the process."
            }
            Self::Copy => {
                "\
A write to a page that is mapped read-only calls do_wp_page (mm/memory.c), or hugetlb_fault (mm/hugetlb.c) for hugetlb.
The kernel lets the task write to the page, or gives the task a copy. After a copy, the device and the program no longer
see the same memory. A copy is committed when it gets its reverse mapping (folio_add_new_anon_rmap,
page_add_new_anon_rmap before about 6.7, and the hugetlb variants). At that moment the hook counts the pins of the old
page, and finds their owner in the ledger. Since 5.19 the kernel marks anonymous pages of one process alone
(PG_anon_exclusive), pins no other anonymous pages, and never copies exclusive pages. So a copy of a pinned anonymous
page is an alarm there.

Each of these hooks returns after a few instructions if the process has never pinned anything. Copies of pages that are
held by references without a pin (FOLL_GET) are seen with --foll-get only."
            }
            Self::Fork => {
                "\
fork maps the pages of the parent read-only in parent and child, so that the first writer gets a copy. The kernel copies
pages that look pinned for the child at once (copy_present_page, mm/memory.c), so that the parent keeps the pages that
the device uses. copy_page_range has hooks on its entry and its return; a page that gets a reverse mapping in between is
such a copy. The copies cost memory and time, and MADV_DONTFORK avoids both."
            }
            Self::Mapping => {
                "\
When a range is unmapped (unmap_vmas), dropped (do_madvise), write-protected (change_protection) or cut off its file
(unmap_mapping_range), the pin stays and the mapping changes: the next access may get another page. The hooks send each
such change to user space if a long-term extent may be near. User space then finds the extents that overlap. A range
filter, which counts extents by mm and address in ranges from 2 MiB to 64 GiB, excludes all other changes. exit_mmap
shows that an mm is gone, clear_inode that a file is gone.

Not seen: mapping changes of short-term pins, unless --short-term gives them addresses; mapping changes of preexisting
pins; truncation of hugetlbfs files; process_madvise if madvise_do_behavior exists (6.15) and cannot be hooked."
            }
            Self::Window => {
                "\
Between the write protection of a page-table entry (change_protection) and the end of the TLB flush (tlb_finish_mmu; up
to 5.18 inside change_protection), other CPUs can still write through stale TLB entries. This time is a flush window.
While userfaultfd protects a range, other threads fault in such windows: do_wp_page then checks mm->tlb_flush_pending
and flushes. pintrace counts flush windows by cause, and the faults, copies and pins of other threads inside the range
of an open window. `flush_check` compares faults in these windows with the kernel's own count of pending flushes.

A window in which no page was changed does not count."
            }
            Self::Reference => {
                "\
Some kernel paths hand pages of a process to a device or to another process without a pin: vmsplice, MSG_ZEROCOPY, and
direct I/O up to 6.4. These paths take references (FOLL_GET) by get_user_pages_fast (mm/gup.c), like any other user of a
page, and drop the references in places that cannot be hooked. So with --foll-get, pintrace remembers the latest
reference to each small folio. When do_wp_page copies such a folio, the reference count shows whether a holder is left
besides the page tables, the fault and the reclaim lists: the finding get-not-pin.

--foll-get costs a walk over the pages of each such call, and 4 MiB of memory.
Not seen: large folios, the number of references, pages of one call beyond 256, and the release of references."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::HOOKS;
    use super::*;

    #[test]
    fn every_purpose_of_a_hook_has_an_explanation_that_names_one_of_its_functions() {
        for &purpose in HOOKS.iter().flat_map(|hook| hook.purposes) {
            assert_eq!(Purpose::named(purpose.as_str()), Some(purpose));
            let mut hooks = HOOKS.iter().filter(|hook| hook.purposes.contains(&purpose));
            assert!(
                hooks.any(|hook| purpose.explanation().contains(hook.function)),
                "{}",
                purpose.as_str()
            );
        }
        assert_eq!(Purpose::named("acquires"), None);
    }
}
