//! Reads the kernel facts for the ledger programs from BTF.

use pintrace_common::facts::{Facts, head_encoding};

use super::btf::Types;

/// A fact that the kernel's BTF does not contain.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("this kernel's BTF has no {what}: pintrace does not support the memory layout of this kernel")]
pub struct UnknownLayout {
    /// The missing fact.
    pub what: String,
}

/// `FOLL_LONGTERM` on kernels where it is a macro, which is not in BTF (include/linux/mm.h up to about 6.2).
const FOLL_LONGTERM_MACRO: u32 = 0x10000;
/// `GUP_PIN_COUNTING_BIAS` (include/linux/mm.h), the same since 5.7.
pub const PIN_BIAS: u32 = 1024;
/// Bytes of a struct page that the programs read.
const PAGE_READ: u32 = 64;

/// Collects the facts. `has_backups` says that backup programs will be attached.
pub fn facts(types: &impl Types, has_backups: bool) -> Result<Facts, UnknownLayout> {
    let offset = |container: &str, names: &[&str]| {
        types.offset(container, names).ok_or_else(|| UnknownLayout {
            what: format!("{container}.{}", names.join(" or ")),
        })
    };
    let size = |container: &str| {
        types.size(container).ok_or_else(|| UnknownLayout {
            what: format!("size of {container}"),
        })
    };
    let enums = types.enumerators(&[
        "FOLL_LONGTERM",
        "PG_head",
        "PG_anon_exclusive",
        "MR_LONGTERM_PIN",
        "MR_CONTIG_RANGE",
    ]);
    let page_bytes = size("page")?;
    if !page_bytes.is_power_of_two() || page_bytes < PAGE_READ {
        return Err(UnknownLayout {
            what: format!("struct page of a known size (its size is {page_bytes})"),
        });
    }
    let large = large(types, page_bytes)?;
    let registered_rings = types.offset("io_uring_task", &["registered_rings"]);
    let masked = types.offset("page", &["compound_head"]).is_none()
        && types.offset("page", &["compound_info"]).is_some();
    Ok(Facts {
        foll_longterm: enums.get("FOLL_LONGTERM").copied().unwrap_or(FOLL_LONGTERM_MACRO),
        pin_bias: PIN_BIAS,
        page_struct_shift: page_bytes.trailing_zeros(),
        head_encoding: if masked {
            head_encoding::INFO
        } else {
            head_encoding::POINTER
        },
        page_flags: offset("page", &["flags"])?,
        page_compound_head: offset("page", &["compound_head", "compound_info"])?,
        page_refcount: offset("page", &["_refcount"])?,
        pg_head: *enums.get("PG_head").ok_or_else(|| UnknownLayout {
            what: "enumerator PG_head".to_owned(),
        })?,
        pg_anon_exclusive: enums.get("PG_anon_exclusive").copied().unwrap_or(0),
        page_mapping: offset("page", &["mapping"])?,
        folio_nr_pages: large.nr_pages,
        page_mapcount: offset("page", &["_mapcount"])?,
        folio_pincount: large.pincount,
        pincount_order: large.pincount_order,
        task_mm: offset("task_struct", &["mm"])?,
        task_stack: offset("task_struct", &["stack"])?,
        task_exit_code: offset("task_struct", &["exit_code"])?,
        task_signal: offset("task_struct", &["signal"])?,
        signal_live: offset("signal_struct", &["live"])?,
        signal_group_exit_code: offset("signal_struct", &["group_exit_code"])?,
        task_tgid: offset("task_struct", &["tgid"])?,
        task_start_time: offset("task_struct", &["start_time"])?,
        mm_owner: types.offset("mm_struct", &["owner"]).unwrap_or(Facts::ABSENT),
        signal_rlim: offset("signal_struct", &["rlim"])?,
        mm_pinned_vm: offset("mm_struct", &["pinned_vm"])?,
        mm_locked_vm: offset("mm_struct", &["locked_vm"])?,
        task_cred: offset("task_struct", &["cred"])?,
        cred_uid: offset("cred", &["uid"])?,
        cred_cap_effective: offset("cred", &["cap_effective"])?,
        cred_user: offset("cred", &["user"])?,
        cred_user_ns: offset("cred", &["user_ns"])?,
        user_ns_level: offset("user_namespace", &["level"])?,
        user_locked_vm: types
            .offset("user_struct", &["locked_vm"])
            .unwrap_or(Facts::ABSENT),
        task_files: offset("task_struct", &["files"])?,
        files_fdt: offset("files_struct", &["fdt"])?,
        fdt_fd: offset("fdtable", &["fd"])?,
        fdt_max_fds: offset("fdtable", &["max_fds"])?,
        task_io_uring: registered_rings
            .and_then(|_| types.offset("task_struct", &["io_uring"]))
            .unwrap_or(0),
        registered_rings: registered_rings.unwrap_or(0),
        // Few kernels have `thread_union` in BTF. 16 KiB is THREAD_SIZE of x86-64 without KASAN
        // (arch/x86/include/asm/page_64_types.h), and of arm64.
        thread_size: types.size("thread_union").unwrap_or(16 << 10),
        has_backups: u32::from(has_backups),
        pofs_nr_entries: types.offset("pages_or_folios", &["nr_entries"]).unwrap_or(0),
        migrate_reason: migrate_reason(types),
        longterm_migration: *enums
            .get("MR_LONGTERM_PIN")
            .or_else(|| enums.get("MR_CONTIG_RANGE"))
            .unwrap_or(&Facts::ABSENT),
        // The loader sets the number if the kernel accepts `bpf_rdonly_cast`, and the facts that follow from others.
        rdonly_cast_type: 0,
        mm_event_backups: u32::from(has_backups),
        stays_on_cpu: 0,
        plain_pages: 0,
        short_pins: 0,
        pg_head_mask: 0,
        pg_anon_exclusive_mask: 0,
        chunk_slot_mask: 0,
    })
}

/// Returns the index of `reason` among the arguments of the tracepoint mm_migrate_pages, or [`Facts::ABSENT`]. The record of
/// the tracepoint has a member for each argument (include/trace/events/migrate.h), and `reason` is the last.
fn migrate_reason(types: &impl Types) -> u32 {
    let has = |member: &str| {
        types
            .offset("trace_event_raw_mm_migrate_pages", &[member])
            .is_some()
    };
    match (has("large_folio_split"), has("thp_split")) {
        (true, _) => 7,
        (false, true) => 6,
        (false, false) => Facts::ABSENT,
    }
}

/// Offsets in bytes of the counts of a large folio, from its head page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Large {
    /// Offset of the number of pages.
    pub nr_pages: u32,
    /// Offset of the number of pins.
    pub pincount: u32,
    /// Least order of folios that have a number of pins.
    pub pincount_order: u32,
}

/// Finds the offsets. Before folios existed, the counts were in the second and third struct page (5.10,
/// include/linux/mm_types.h).
pub fn large(types: &impl Types, page_bytes: u32) -> Result<Large, UnknownLayout> {
    let offset = |container: &str, names: &[&str]| {
        types.offset(container, names).ok_or_else(|| UnknownLayout {
            what: format!("{container}.{}", names.join(" or ")),
        })
    };
    match types.offset("folio", &["_pincount"]) {
        Some(pincount) => Ok(Large {
            nr_pages: offset("folio", &["_nr_pages", "_folio_nr_pages"])?,
            pincount,
            pincount_order: 1,
        }),
        None => Ok(Large {
            nr_pages: page_bytes + offset("page", &["compound_nr"])?,
            pincount: 2 * page_bytes + offset("page", &["hpage_pinned_refcount"])?,
            pincount_order: 2,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::btf::KernelTypes;
    use super::*;

    /// Skipped if the running kernel has no BTF.
    #[test]
    fn the_facts_about_the_running_kernel_are_plausible() {
        let path = std::path::Path::new(super::super::btf::KERNEL_BTF);
        if !path.exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let facts = facts(&KernelTypes::read(path).unwrap(), false).unwrap();
        assert_eq!(facts.page_struct_shift, 6);
        assert!(facts.page_refcount < PAGE_READ && facts.page_compound_head < PAGE_READ);
        assert!(facts.foll_longterm.is_power_of_two());
        assert!(facts.thread_size >= 8192);
    }
}
