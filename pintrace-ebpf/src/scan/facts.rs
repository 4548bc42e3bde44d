//! The injected layout, as in `facts.rs` of the tracing programs.

use pintrace_common::scan::ScanFacts;

#[unsafe(no_mangle)]
static SCAN_FACTS: ScanFacts = ScanFacts {
    page_flags: 0,
    page_mapping: 0,
    page_mapcount: 0,
    page_refcount: 0,
    page_private: 0,
    pg_head: 0,
    buddy: 0,
    pgty_buddy: 0,
    folio_nr_pages: 0,
    folio_pincount: 0,
    pincount_order: 0,
    pin_bias: 0,
    task_mm: 0,
    task_tgid: 0,
    mm_flags: 0,
    pg_uptodate: 0,
    folio_type: 0,
};

macro_rules! fact {
    ($($field:ident)+) => {
        $(#[inline(always)]
        pub fn $field() -> u32 {
            // SAFETY: the static lives as long as the program and is never written.
            unsafe { core::ptr::read_volatile(&raw const SCAN_FACTS.$field) }
        })+
    };
}

fact! {
    page_flags page_mapping page_mapcount page_refcount page_private pg_head buddy pgty_buddy
    folio_nr_pages folio_pincount pincount_order pin_bias task_mm task_tgid mm_flags pg_uptodate folio_type
}
