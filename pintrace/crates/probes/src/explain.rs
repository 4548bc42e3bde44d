//! The kernel's side of each purpose, for `pintrace doctor --explain`.

use super::table::Purpose;

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 9] = [
        Self::Acquire,
        Self::Retry,
        Self::Release,
        Self::Exit,
        Self::Copy,
        Self::Fork,
        Self::Mapping,
        Self::Window,
        Self::Reference,
    ];

    /// The purpose of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// What happens in the kernel, why the hooks are where they are, and what is not seen.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Acquire => {
                "\
A driver that lets a device or the kernel itself read or write a process's memory pins it first:
pin_user_pages and its variants (mm/gup.c) look the pages up, raise their reference count by 1024 (small folios) or
their pin count (large ones), and give them back in pages[]. Each has a hook on its return, where it is known how
many pages were pinned. The variants never call one another, so that each pin is seen once. What they share inside
(__get_user_pages, try_grab_folio) is not hooked: it runs again when the kernel retries, and is inlined here and there.

FOLL_LONGTERM in the flags makes the difference between a pin for one I/O and one that stays: only those get an
extent of their own. Zero pages stand in pages[] from 6.5 on without being pinned, and are not counted.

folio_add_pin and folio_add_pins pin a folio once more that is pinned already. The first, for legacy direct I/O (on
FAT, for one), leaves the vmstat counters' nr_foll_pin_acquired as it is, while its release raises nr_foll_pin_released: `not_in_vmstat`
is by how much they fall behind.

Not seen: references that are no pins (FOLL_GET: vmsplice, MSG_ZEROCOPY, and direct I/O before 6.5 or so); see
`--explain reference`."
            }
            Self::Retry => {
                "\
A long-term pin must not keep pages where they block others (CMA, ZONE_MOVABLE). So __gup_longterm_locked pins,
looks, and where a page lies wrong drops all of them, migrates and pins again. The kernel's vmstat counters count every round;
the caller sees the last. Hooks on the function mark the task while it is inside, and one on gup_put_folio
(put_compound_head before 5.16) counts what is dropped there: `gup_retry`. So what the vmstat counters have acquired is what the
ledger has and `gup_retry`, and likewise for released.

gup_put_folio is inlined into most of its callers from 6.16 on, so it is no place to see releases; inside
__gup_longterm_locked it is called on every kernel measured. Whether that holds shows in `unaccounted`."
            }
            Self::Release => {
                "\
Whoever pinned lets go by unpin_user_page, unpin_user_pages or one of their relatives (mm/gup.c), often in another
task or in an interrupt, when the device has finished. Each has a hook on its entry, while the pins are still there.
The running task says nothing about whose pins these are: the folio table does, which has the holder of every
folio that was pinned since the start. What it does not know is taken before the start: `preexisting_released`.

Several holders of one folio are told apart as far as that is possible: a release goes to the releasing process's
own pins first, short-term before long-term, and is counted as `ambiguous_owner`."
            }
            Self::Exit => {
                "\
Pins outlive the process that took them if whoever let it take them is not told: a shared io_uring, a VFIO container.
The tracepoint sched_process_exit (kernel/exit.c) tells when a process's last thread ends and how, and what its
long-term pins hold at that moment."
            }
            Self::Copy => {
                "\
A write to a page that is mapped read-only comes to do_wp_page (mm/memory.c), for hugetlb to hugetlb_fault
(mm/hugetlb.c). The kernel lets the task have the page, or gives it a copy: then the device and the program no longer
see the same memory. A copy is committed when it gets its reverse mapping (folio_add_new_anon_rmap,
page_add_new_anon_rmap before 6.7 or so, and those of hugetlb); at that moment the old page's pins are counted, and the
ledger says whose they are. Since 5.19 the kernel knows pages that belong to one process (PG_anon_exclusive), pins no
others, and never copies them: a copy of a pinned anonymous page there is an alarm.

Each of these hooks leaves by its first instructions where the process has never pinned anything.
Copies of pages that are held by references that are no pins (FOLL_GET) are seen with --foll-get alone."
            }
            Self::Fork => {
                "\
fork maps the parent's pages in the child read-only in both, so that whoever writes first gets a copy. Pages that look
pinned it copies for the child at once (copy_present_page, mm/memory.c), so that the parent keeps those that the device
uses. copy_page_range is hooked at both ends; what gets a reverse mapping in between is such a copy. It costs memory and
time: MADV_DONTFORK spares both."
            }
            Self::Mapping => {
                "\
When a range is unmapped (unmap_vmas), dropped (do_madvise), write-protected (change_protection) or cut off its file
(unmap_mapping_range), the pin stays and the mapping goes: the next access gets another page. Each of these is told
when a long-term extent is near; what it overlaps is found out afterwards. A small table (64 MiB and finer, by address
space) spares all others. exit_mmap tells that an address space is gone, clear_inode that a file is.

Not seen: what happens to the mapping of short-term pins, unless --short-term gives them addresses, and of pins taken before the start;
hugetlbfs files that are truncated; process_vm-like advice (process_madvise) on newer kernels."
            }
            Self::Window => {
                "\
Between the moment at which a page table entry is write-protected (change_protection) and the end of the flush
(tlb_finish_mmu; up to 5.18 inside change_protection) other CPUs may still write by what they have cached. While
userfaultfd protects, faults of other threads come in between: do_wp_page then looks at mm->tlb_flush_pending and
flushes. A window is open from the one to the other, by cause; a fault, a copy or a pin inside its range by another
thread is counted. Faults by these windows and by the kernel's own count are held against each other (`flush_check`).

A window in which no page was changed does not count."
            }
            Self::Reference => {
                "\
Some of those who hand a process's pages to a device or to another process do not pin them: vmsplice, MSG_ZEROCOPY, and
direct I/O up to 6.4. They take references (FOLL_GET) by get_user_pages_fast (mm/gup.c), as much as anybody may who
looks at a page, and put them like any other: nothing can be hooked there. So with --foll-get the latest reference to
each small folio is remembered, and when do_wp_page copies one of these, its count tells whether somebody besides the
page tables, the fault and the lists for reclaim still has it: get-not-pin.

It costs a walk over the pages of every such call, and 4 MiB.
Not seen: large folios, how often a reference was taken, pages of one call beyond 256, and when references are put."
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
