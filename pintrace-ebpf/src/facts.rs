//! The injected kernel facts. Reads are volatile so that the compiler keeps them; the verifier then
//! sees constants, because the map behind them is frozen before the programs load.

use pintrace_common::facts::Facts;

#[unsafe(no_mangle)]
static FACTS: Facts = Facts {
    foll_longterm: 0,
    pin_bias: 0,
    page_struct_shift: 0,
    head_encoding: 0,
    page_flags: 0,
    page_compound_head: 0,
    page_refcount: 0,
    pg_head: 0,
    folio_nr_pages: 0,
    page_mapcount: 0,
    folio_pincount: 0,
    pincount_order: 0,
    task_mm: 0,
    task_stack: 0,
    task_exit_code: 0,
    task_signal: 0,
    signal_live: 0,
    signal_group_exit_code: 0,
    task_tgid: 0,
    task_start_time: 0,
    mm_owner: 0,
    thread_size: 0,
    two_turns: 0,
    cast_type: 0,
};

macro_rules! fact {
    ($($field:ident)+) => {
        $(#[inline(always)]
        pub fn $field() -> u32 {
            // SAFETY: the static lives as long as the program and is never written.
            unsafe { core::ptr::read_volatile(&raw const FACTS.$field) }
        })+
    };
}

fact! {
    foll_longterm pin_bias page_struct_shift head_encoding page_flags page_compound_head
    page_refcount pg_head folio_nr_pages task_mm task_stack task_exit_code task_signal
    page_mapcount folio_pincount pincount_order signal_live signal_group_exit_code task_tgid task_start_time mm_owner thread_size two_turns cast_type
}
