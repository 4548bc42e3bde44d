//! Telling that the mapping of a watched address was changed.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use pintrace_common::{
    limits,
    watch::{Touched, touch},
    wire,
};

use crate::{accounts, ring, stacks};

use super::{
    call::{Call, MREMAP},
    grains,
};

/// A change of a mapping, as a hook sees it.
#[derive(Clone, Copy)]
pub struct Touch {
    /// One of [`pintrace_common::watch::touch`].
    pub what: u32,
    /// `mm_struct` or `address_space`.
    pub space: u64,
    /// First byte.
    pub address: u64,
    /// After the last one.
    pub end: u64,
    /// Pages changed, where the kernel counts them.
    pub pages: u64,
    /// See [`Touched`].
    pub detail: u64,
    /// When it began (monotonic ns); 0 for now.
    pub began_ns: u64,
}

/// Tells it if extents are near.
#[inline(always)]
pub fn tell(ctx: *mut c_void, touched: &Touch) {
    if !grains::any() || grains::pintrace_is_watched(touched.space, touched.address, touched.end) == 0 {
        return;
    }
    let header = wire::Header {
        kind: wire::kind::TOUCHED,
        id: touched.what,
        time_ns: if touched.began_ns == 0 {
            accounts::time()
        } else {
            touched.began_ns
        },
    };
    let call = Call::now();
    let number = call.number();
    let detail = if touched.what == touch::UNMAP {
        u64::from(number == MREMAP && call.moves(touched.address))
    } else {
        touched.detail
    };
    ring::emit(Touched {
        header,
        space: touched.space,
        address: touched.address,
        end: touched.end,
        pages: touched.pages,
        pid_tgid: bpf_get_current_pid_tgid(),
        stack: stacks::take(ctx),
        call: number,
        detail,
        comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
    });
}
