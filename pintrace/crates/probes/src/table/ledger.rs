//! The hooks that keep the ledger: pins, releases, retries of the kernel, exits of processes.

use super::{ANY, Attachment, Candidate, Hook, Method, Purpose, with_backup, without_backup};

macro_rules! pin {
    ($function:literal, $parameters:expr, $lost:literal $(, $second:expr)?) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Acquire],
            parameters: $parameters,
            or: &[],
            optional: false,
            candidates: &[
                Candidate {
                    attachments: &[with_backup!(concat!("return_", $function), Fexit, concat!("stack_", $function))],
                    lost: "",
                },
                $($second,)?
            ],
            stands_in_for: None,
            lost: $lost,
        }
    };
}

/// A hook that marks long-term calls at the entry of a pin function. The hook on the return removes the mark.
macro_rules! entry {
    ($function:literal, $parameters:expr) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Retry],
            parameters: $parameters,
            or: &[],
            optional: false,
            candidates: &[Candidate {
                attachments: &[with_backup!(concat!("enter_", $function), Fentry)],
                lost: "",
            }],
            stands_in_for: Some(LONGTERM),
            lost: "retries of this function's long-term calls count as releases of preexisting pins",
        }
    };
}

macro_rules! unpin {
    ($function:literal, $parameters:expr, $lost:literal) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Release],
            parameters: $parameters,
            or: &[],
            optional: false,
            candidates: &[Candidate {
                attachments: &[with_backup!($function, Fentry)],
                lost: "",
            }],
            stands_in_for: None,
            lost: $lost,
        }
    };
}

/// A hook that counts the pages that a pin call drops again.
macro_rules! dropped {
    ($function:literal, $parameters:expr) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Retry],
            parameters: $parameters,
            or: &[],
            optional: false,
            candidates: &[Candidate {
                attachments: &[with_backup!($function, Fentry)],
                lost: "",
            }],
            stands_in_for: Some(MIGRATION),
            lost: DROPPED_LOST,
        }
    };
}

/// A hook on a function of a module that registers memory. The return comes first: an entry without a return would be kept.
macro_rules! module_registration {
    ($function:literal, $parameters:expr, $entry:literal, $return:literal, $lost:literal) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Register],
            parameters: $parameters,
            or: &[],
            optional: false,
            candidates: &[Candidate {
                attachments: &[
                    without_backup($return, Method::Kretprobe),
                    without_backup($entry, Method::Kprobe),
                ],
                lost: "",
            }],
            stands_in_for: None,
            lost: $lost,
        }
    };
}

const DROPPED_LOST: &str =
    "the number of pages that were pinned and dropped again inside a pin call (gup_retry stays 0)";

/// All that pin_user_pages_fast does is done in the one of these functions that the kernel has.
pub(super) const GUP_FAST: [&str; 2] = ["gup_fast_fallback", "internal_get_user_pages_fast"];

/// Only long-term calls of other drivers than io_uring need the hook. Each direct read or write passes the function, so the hook
/// waits. The other pin functions do all their work in `__gup_longterm_locked`.
///
/// The hook is not on pin_user_pages_fast itself, because an attachment during the session would lose the calls in flight: see
/// `a_hook_that_waits_shares_no_function_with_a_hook_on_a_return`.
macro_rules! time_of_fast_pins {
    ($function:expr, $program:expr) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Time],
            parameters: PLAIN,
            or: &[],
            optional: false,
            candidates: &[Candidate {
                attachments: &[without_backup($program, Method::Fentry)],
                lost: "",
            }],
            stands_in_for: None,
            lost: "the durations of long-term calls whose pages were all present",
        }
    };
}

const PLAIN: &[&str] = &["start", "nr_pages", "gup_flags", "pages"];
const REMOTE: &[&str] = &["mm", "start", "nr_pages", "gup_flags", "pages"];
const UNLOCKED: &[&str] = &["start", "nr_pages", "pages", "gup_flags"];

/// The function in which long-term calls pin, check, drop, migrate and pin again (mm/gup.c).
pub const LONGTERM: &str = "__gup_longterm_locked";

/// The function that drops all pins of a long-term call and migrates pages (mm/gup.c).
pub const MIGRATION: &str = "migrate_longterm_unpinnable_folios";

/// The hooks that keep the ledger. The exported pin functions (mm/gup.c) never call one another, and the hooks on the
/// exported unpin functions together see every release once. So all these functions need a hook, if they exist.
pub(super) const LEDGER_HOOKS: &[Hook] = &[
    pin!(
        "pin_user_pages",
        PLAIN,
        "pins by io_uring before 6.12, AF_XDP and some drivers"
    ),
    pin!(
        "pin_user_pages_fast",
        PLAIN,
        "pins by direct I/O, io_uring, RDMA and most drivers"
    ),
    pin!("pin_user_pages_fast_only", PLAIN, "pins by i915 user pointers"),
    pin!(
        "pin_user_pages_remote",
        REMOTE,
        "pins by VFIO, iommufd and process_vm_readv",
        Candidate {
            attachments: &[
                without_backup("probe_return_pin_user_pages_remote", Method::Kretprobe),
                without_backup("probe_pin_user_pages_remote", Method::Kprobe),
            ],
            lost: "more time per call; some returns are missed under load (counted as probe_missed)",
        }
    ),
    pin!("pin_user_pages_unlocked", UNLOCKED, "pins by a few drivers"),
    pin!("pin_user_pages_locked", PLAIN, "pins by a few drivers"),
    Hook {
        function: "memfd_pin_folios",
        purposes: &[Purpose::Acquire, Purpose::Retry],
        parameters: &["memfd", "start", "end", "folios", "max_folios", "offset"],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            // The return comes first: a mark of an entry program that is attached alone would stay.
            attachments: &[
                with_backup!("return_memfd_pin_folios", Fexit, "stack_memfd_pin_folios"),
                with_backup!("enter_memfd_pin_folios", Fentry),
            ],
            lost: "",
        }],
        stands_in_for: None,
        lost: "pins by udmabuf and iommufd over memfds",
    },
    // These functions add a pin to a folio that is pinned already, since 6.5.
    pin!(
        "folio_add_pin",
        &["folio"],
        "pins that legacy direct I/O adds; releases of such pins count as releases of preexisting pins"
    ),
    pin!(
        "folio_add_pins",
        &["folio", "pins"],
        "pins by iommufd over memfds"
    ),
    Hook {
        function: LONGTERM,
        purposes: &[Purpose::Retry],
        parameters: &["mm", "start", "nr_pages", "pages", ANY, "gup_flags"],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[
                with_backup!("leave_longterm", Fexit),
                with_backup!("enter_longterm", Fentry),
            ],
            lost: "",
        }],
        stands_in_for: None,
        lost: "nothing: hooks on the entries of the pin functions stand in, at more cost per call",
    },
    // io_uring pins the memory of each buffer in this function (io_uring/memmap.c), since 5.19.
    Hook {
        function: "io_pin_pages",
        purposes: &[Purpose::Time],
        parameters: &[ANY, "len"],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[without_backup("time_io_pin_pages", Method::Fentry)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "the durations of io_uring's pin calls whose pages are all present",
    },
    time_of_fast_pins!(GUP_FAST[0], "time_gup_fast_fallback"),
    time_of_fast_pins!(GUP_FAST[1], "time_internal_get_user_pages_fast"),
    entry!("pin_user_pages", PLAIN),
    entry!("pin_user_pages_fast", PLAIN),
    entry!("pin_user_pages_fast_only", PLAIN),
    entry!("pin_user_pages_remote", REMOTE),
    entry!("pin_user_pages_unlocked", UNLOCKED),
    entry!("pin_user_pages_locked", PLAIN),
    unpin!("unpin_user_page", &["page"], "releases of single pages"),
    unpin!("unpin_user_pages", &["pages", "npages"], "most releases"),
    unpin!(
        "unpin_user_pages_dirty_lock",
        &["pages", "npages", "make_dirty"],
        "releases of written buffers"
    ),
    unpin!(
        "unpin_user_page_range_dirty_lock",
        &["page", "npages", "make_dirty"],
        "releases by RDMA, VFIO and iommufd"
    ),
    unpin!("unpin_folio", &["folio"], "releases by udmabuf"),
    unpin!(
        "unpin_folios",
        &["folios", "nfolios"],
        "releases by udmabuf and iommufd"
    ),
    unpin!("unpin_user_folio", &["folio", "npages"], "releases by direct I/O"),
    // Up to 6.12 each release of direct I/O passes gup_put_folio, which costs as much as the hook that counts it.
    Hook {
        function: MIGRATION,
        purposes: &[Purpose::Retry],
        parameters: &["movable_folio_list", "pofs"],
        or: &[],
        optional: true,
        candidates: &[Candidate {
            // The return comes first: a mark of an entry program that is attached alone would stay.
            attachments: &[
                with_backup!("leave_migration", Fexit),
                with_backup!("enter_migration", Fentry),
            ],
            lost: "",
        }],
        stands_in_for: None,
        lost: "nothing: a hook on gup_put_folio stands in, at more cost per release",
    },
    Hook {
        function: "mm_migrate_pages",
        purposes: &[Purpose::Time],
        parameters: &[],
        or: &[],
        optional: true,
        candidates: &[Candidate {
            attachments: &[without_backup("migrated_pages", Method::Tracepoint)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "the number of pages that the kernel moves before it pins them long-term",
    },
    dropped!("gup_put_folio", &["folio", "refs", "flags"]),
    // The name of gup_put_folio before folios existed.
    dropped!("put_compound_head", &["page", "refs", "flags"]),
    Hook {
        function: "__x64_sys_io_uring_register",
        purposes: &[Purpose::Register],
        parameters: &[ANY],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[without_backup("leave_io_uring_register", Method::Fexit)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "registrations by io_uring that the kernel refuses",
    },
    Hook {
        function: "__x64_sys_io_uring_setup",
        purposes: &[Purpose::Register],
        parameters: &[ANY],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[without_backup("leave_io_uring_setup", Method::Fexit)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "rings of io_uring that the kernel refuses",
    },
    Hook {
        function: "xdp_umem_create",
        purposes: &[Purpose::Register],
        parameters: &["mr"],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[without_backup("leave_xdp_umem_create", Method::Fexit)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "registrations by AF_XDP that the kernel refuses",
    },
    module_registration!(
        "ib_umem_get",
        &[ANY, ANY, "size"],
        "probe_ib_umem_get",
        "probe_return_ib_umem_get",
        "registrations by RDMA that the kernel refuses"
    ),
    // 6.18 has ib_umem_get, 7.2 has __ib_umem_get_va.
    module_registration!(
        "__ib_umem_get_va",
        &[ANY, ANY, "size"],
        "probe_ib_umem_get_va",
        "probe_return_ib_umem_get_va",
        "registrations by RDMA that the kernel refuses"
    ),
    module_registration!(
        "vfio_iommu_type1_ioctl",
        &[ANY, "cmd", "arg"],
        "probe_vfio_ioctl",
        "probe_return_vfio_ioctl",
        "mappings by VFIO that the kernel refuses"
    ),
    Hook {
        function: "sched_process_exit",
        purposes: &[Purpose::Exit],
        parameters: &[],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[with_backup!("process_exit", Tracepoint)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "the times and statuses with which processes end",
    },
    Hook {
        function: "sched_process_exec",
        purposes: &[Purpose::Exec],
        parameters: &[],
        or: &[],
        optional: false,
        candidates: &[Candidate {
            attachments: &[without_backup("process_exec", Method::Tracepoint)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "the new names of processes that execute a new program",
    },
];
