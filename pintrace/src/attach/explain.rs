//! The kernel's side of each purpose, for `pintrace doctor --explain`.

use super::table::Purpose;

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::Acquire, Self::Retry, Self::Release, Self::Exit];

    /// The purpose of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// What happens in the kernel, why the hooks are where they are, and what is not seen.
    pub const fn story(self) -> &'static str {
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

Not seen: references that are no pins (FOLL_GET: vmsplice, MSG_ZEROCOPY, and direct I/O before 6.2 or so)."
            }
            Self::Retry => {
                "\
A long-term pin must not keep pages where they block others (CMA, ZONE_MOVABLE). So __gup_longterm_locked pins,
looks, and where a page lies wrong drops all of them, migrates and pins again. The kernel's books count every round;
the caller sees the last. Hooks on the function mark the task while it is inside, and one on gup_put_folio
(put_compound_head before 5.16) counts what is dropped there: `internal`. So what the books have acquired is what the
ledger has and `internal`, and likewise for released.

gup_put_folio is inlined into most of its callers from 6.16 on, so it is no place to see releases; inside
__gup_longterm_locked it is called on every kernel measured. Whether that holds shows in `unaccounted`."
            }
            Self::Release => {
                "\
Whoever pinned lets go by unpin_user_page, unpin_user_pages or one of their relatives (mm/gup.c), often in another
task or in an interrupt, when the device has finished. Each has a hook on its entry, while the pins are still there.
The running task says nothing about whose pins these are: the folio table does, which has the holder of every
folio that was pinned since the start. What it does not know is older than the start: `opening_released`.

Several holders of one folio are told apart as far as that is possible: a release goes to the releasing process's
own pins first, short-term before long-term, and is counted as `ambiguous`."
            }
            Self::Exit => {
                "\
Pins outlive the process that took them if whoever let it take them is not told: a shared io_uring, a VFIO container.
The tracepoint sched_process_exit (kernel/exit.c) tells when a process's last thread ends and how, and what its
long-term pins hold at that moment."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::HOOKS;
    use super::*;

    #[test]
    fn every_purpose_that_a_hook_serves_can_be_explained() {
        for purpose in HOOKS.iter().flat_map(|hook| hook.purposes) {
            assert_eq!(Purpose::named(purpose.as_str()), Some(*purpose));
            assert!(purpose.story().len() > 200);
        }
        assert_eq!(Purpose::named("acquires"), None);
    }
}
