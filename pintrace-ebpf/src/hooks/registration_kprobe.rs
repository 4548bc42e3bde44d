//! Kprobes on functions of modules that register memory: why they fail. A trampoline reaches functions of the kernel proper
//! only, as far as pintrace reads types.
//!
//! `ib_umem_get` compares with RLIMIT_MEMLOCK before it pins (drivers/infiniband/core/umem.c). `vfio_pin_pages_remote` pins a
//! batch, compares, and drops the batch (drivers/vfio/vfio_iommu_type1.c). The kernel rarely calls the functions, so the
//! kprobes cost other processes nothing.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use pintrace_common::registrations::kind;

use crate::{
    ledger::{
        registrations::{self, user_u64},
        state::gate_is_open,
    },
    map_ref::Lookup,
    maps,
};

/// Runs on entry of ib_umem_get(device, addr, size, access).
#[kprobe]
pub fn probe_ib_umem_get(ctx: ProbeContext) -> u32 {
    enter(ctx.arg(2).unwrap_or(0))
}

/// Runs on return of ib_umem_get, which returns a pointer or an error.
#[kretprobe]
pub fn probe_return_ib_umem_get(ctx: RetProbeContext) -> u32 {
    leave(kind::RDMA, ctx.ret(), entered())
}

/// Runs on entry of __ib_umem_get_va(device, addr, size, access), which does the work of ib_umem_get in 7.2.
#[kprobe]
pub fn probe_ib_umem_get_va(ctx: ProbeContext) -> u32 {
    enter(ctx.arg(2).unwrap_or(0))
}

/// Runs on return of __ib_umem_get_va, which returns a pointer or an error.
#[kretprobe]
pub fn probe_return_ib_umem_get_va(ctx: RetProbeContext) -> u32 {
    leave(kind::RDMA, ctx.ret(), entered())
}

/// Runs on entry of vfio_iommu_type1_ioctl(iommu_data, cmd, arg).
#[kprobe]
pub fn probe_vfio_ioctl(ctx: ProbeContext) -> u32 {
    /// `VFIO_IOMMU_MAP_DMA` (include/uapi/linux/vfio.h).
    const MAP_DMA: u32 = 0x3b71;
    /// Offset of `vfio_iommu_type1_dma_map.size`.
    const SIZE: u64 = 24;
    if ctx.arg::<u64>(1).unwrap_or(0) as u32 == MAP_DMA {
        return enter(user_u64(ctx.arg::<u64>(2).unwrap_or(0).wrapping_add(SIZE)));
    }
    // A skipped return has left an entry, which the return of this ioctl would take for its own.
    let _ = entered();
    0
}

/// Runs on return of vfio_iommu_type1_ioctl.
#[kretprobe]
pub fn probe_return_vfio_ioctl(ctx: RetProbeContext) -> u32 {
    // Other ioctls have no entry.
    match entered() {
        Some(wanted) => leave(kind::VFIO_MAP_DMA, ctx.ret(), Some(wanted)),
        None => 0,
    }
}

/// Keeps the bytes that a registration asks for, for its return.
#[inline(always)]
fn enter(wanted: u64) -> u32 {
    if gate_is_open() {
        // The map never refuses: a new entry replaces the oldest.
        let _ = maps::REGISTRATIONS_IN_FLIGHT.insert(bpf_get_current_pid_tgid(), wanted, 0);
    }
    0
}

/// Removes and returns the bytes that the running thread's registration asks for.
#[inline(always)]
fn entered() -> Option<u64> {
    let key = bpf_get_current_pid_tgid();
    let wanted = maps::REGISTRATIONS_IN_FLIGHT.at(key)?.copy();
    let _ = maps::REGISTRATIONS_IN_FLIGHT.remove(key);
    Some(wanted)
}

/// Counts the registration if it has failed.
#[inline(always)]
fn leave(kind: u32, result: i64, wanted: Option<u64>) -> u32 {
    if let Some(errno) = registrations::errno_of(result)
        && gate_is_open()
    {
        registrations::count(kind, 0, errno, (wanted.unwrap_or(0), 0));
    }
    0
}
