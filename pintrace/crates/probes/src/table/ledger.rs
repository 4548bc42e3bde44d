//! Hooks that keep the ledger: pins, releases, the kernel's retries, the ends of processes.

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

/// Marks long-term calls at the entry of a pin function; its return takes the mark away.
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
            lost: "retries of its long-term calls look like releases of preexisting pins",
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

/// Counts what a pin call drops again.
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
            stands_in_for: None,
            lost: "how many pages were pinned and dropped again inside a pin call (gup_retry stays 0)",
        }
    };
}

const PLAIN: &[&str] = &["start", "nr_pages", "gup_flags", "pages"];
const REMOTE: &[&str] = &["mm", "start", "nr_pages", "gup_flags", "pages"];
const UNLOCKED: &[&str] = &["start", "nr_pages", "pages", "gup_flags"];

/// Where long-term calls pin, look, drop, migrate and pin again (mm/gup.c).
pub const LONGTERM: &str = "__gup_longterm_locked";

/// The hooks that keep the ledger. The exported pin functions (mm/gup.c) never call one another, and the exported unpin
/// functions together see every release once; so all that exist are needed, and nothing else is.
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
            lost: "more time a call; returns can be missed under load (counted as probe_missed)",
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
            // The return first: between the two, a mark on entry without its removal would stay.
            attachments: &[
                with_backup!("return_memfd_pin_folios", Fexit, "stack_memfd_pin_folios"),
                with_backup!("enter_memfd_pin_folios", Fentry),
            ],
            lost: "",
        }],
        stands_in_for: None,
        lost: "pins by udmabuf and iommufd over memfds",
    },
    // What pins a folio once more that is pinned already, since 6.5.
    pin!(
        "folio_add_pin",
        &["folio"],
        "the pins that legacy direct I/O adds: their releases look like those of preexisting pins"
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
        lost: "nothing: the entries of the pin functions stand in, at more cost a call",
    },
    entry!("pin_user_pages", PLAIN),
    entry!("pin_user_pages_fast", PLAIN),
    entry!("pin_user_pages_fast_only", PLAIN),
    entry!("pin_user_pages_remote", REMOTE),
    entry!("pin_user_pages_unlocked", UNLOCKED),
    entry!("pin_user_pages_locked", PLAIN),
    unpin!("unpin_user_page", &["page"], "releases page by page"),
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
    dropped!("gup_put_folio", &["folio", "refs", "flags"]),
    // What it was called before there were folios.
    dropped!("put_compound_head", &["page", "refs", "flags"]),
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
        lost: "how and when processes end",
    },
];
