//! Telling that the mapping of a watched address was changed.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use pintrace_common::{limits, watch::Touched, wire};

use crate::{accounts, ring, stacks, syscall};

use super::grains;

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
}

/// Tells it if extents are near.
#[inline(always)]
pub fn tell(ctx: *mut c_void, touch: &Touch) {
    if !grains::any() || grains::pintrace_is_watched(touch.space, touch.address, touch.end) == 0 {
        return;
    }
    let header = wire::Header {
        kind: wire::kind::TOUCHED,
        id: touch.what,
        time_ns: accounts::time(),
    };
    ring::emit(Touched {
        header,
        space: touch.space,
        address: touch.address,
        end: touch.end,
        pages: touch.pages,
        pid_tgid: bpf_get_current_pid_tgid(),
        stack: stacks::take(ctx),
        call: syscall::number(),
        detail: touch.detail,
        comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
    });
}
