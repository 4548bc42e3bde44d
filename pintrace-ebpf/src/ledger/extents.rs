//! Extents: contiguous ranges of long-term pins, from the first pin to the last release.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{
    counters::Loss,
    ledger::{EXTENT_BIT, Extent},
    wire,
};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{
    compat::locks::{self, LockTarget},
    count, folio, kernel,
    ledger::{accounts, longterm_scope, partial_release, pin_call::PinCall},
    maps, observer, ring,
    stacks::Opened,
    syscall_args::SyscallArgs,
};

/// Calls on adjoining addresses within this time make one extent: drivers pin large regions in
/// batches (`ib_umem_get` by 512 pages).
const GROW_WITHIN_NS: u64 = 1_000_000_000;

/// An extent that a pin call is adding to. It cannot close before [`finish`].
#[derive(Clone, Copy)]
pub struct GrowingExtent {
    /// Its index.
    pub index: u32,
    /// It existed before this call.
    pub grown: bool,
}

impl GrowingExtent {
    /// The number of the extent as an owner.
    #[inline(always)]
    pub fn owner(self) -> u32 {
        self.index | EXTENT_BIT
    }
}

/// Begins an extent for a pin call, or finds the one that the call continues.
#[inline(always)]
pub fn begin(ctx: *mut c_void, account: u32, call: &PinCall, opened: &mut Opened) -> Option<GrowingExtent> {
    // SAFETY: a live map value; only the account's own thread uses this field.
    let owner = maps::ACCOUNTS.at(account)?;
    let last = get!(owner.last_extent);
    let mm = call.mm();
    if last != 0 {
        let index = (last - 1) as u32;
        if pintrace_extent_continues(index, account, call.address, mm, call.array) != 0 {
            return Some(GrowingExtent { index, grown: true });
        }
    }
    let stack = opened.stack(ctx);
    // 0 for none, else the index plus one.
    let number = pintrace_extent_open(account, call.address, call.flags as u32, stack);
    if number == 0 {
        return None;
    }
    let index = (number - 1) as u32;
    pintrace_extent_locate(index, mm, call.array);
    opened.extent(index);
    Some(GrowingExtent { index, grown: false })
}

/// Opens an extent; gives its index plus one, or 0 if the table is full.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_open(account: u32, address: u64, flags: u32, stack: i64) -> u64 {
    let now = accounts::time();
    let slot = next_index().and_then(|index| Some((index, maps::EXTENTS.at(index)?)));
    let (Some((index, extent)), Some(owner)) = (slot, maps::ACCOUNTS.at(account)) else {
        count::loss(Loss::ExtentTableFull, 1);
        return 0;
    };
    // The index is fresh: no cell names this extent yet.
    set!(extent.bytes_held = 0);
    set!(extent.address = address);
    set!(extent.end = address);
    set!(extent.pages = 0);
    set!(extent.opened_ns = now);
    set!(extent.grown_ns = now);
    set!(extent.flags = flags);
    set!(extent.account = account);
    set!(extent.stack = stack);
    word!(extent.pages_held).store(Extent::CALL_BIAS);
    set!(owner.last_extent = u64::from(index) + 1);
    u64::from(index) + 1
}

/// Notes what a fresh extent's address is one of, and has it watched. `array` is that of its first page.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_locate(index: u32, mm: u64, array: u64) -> u32 {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    let page = kernel::u64_at(array);
    let (address_space, offset) = folio::file_of(page);
    // Nobody else knows this extent yet.
    let opened_ns = {
        set!(extent.mm = mm);
        set!(extent.address_space = address_space);
        // Of a file's folio the call may mean a part.
        set!(extent.file_offset = if mm == 0 { get!(extent.address) } else { offset });
        get!(extent.opened_ns)
    };
    // What cannot be watched is not found under an address that others will have.
    if !observer::on_extent(mm, opened_ns) {
        set!(extent.mm = 0);
    }
    if !observer::on_extent(address_space, opened_ns) {
        set!(extent.address_space = 0);
    }
    0
}

/// Has the range of an extent watched, with `n` 1, or no more, with -1.
#[inline(always)]
fn filter_range(extent: MapRef<Extent>, end: u64, n: u64) {
    // These fields are as they were when it was opened.
    let (mm, address, address_space, offset) = {
        (
            get!(extent.mm),
            get!(extent.address),
            get!(extent.address_space),
            get!(extent.file_offset),
        )
    };
    if mm != 0 {
        observer::on_range(mm, address, end, n);
    }
    if address_space != 0 {
        observer::on_range(address_space, offset, offset + (end - address), n);
    }
}

/// Whether a call continues this extent; if so, the extent is kept from closing.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_continues(
    index: u32,
    account: u32,
    address: u64,
    mm: u64,
    array: u64,
) -> u32 {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    // `take_on` notices if another call has changed the extent.
    let (same_mm, address_space, file_offset) = {
        if get!(extent.end) != address {
            return 0;
        }
        let length = address.wrapping_sub(get!(extent.address));
        (
            get!(extent.mm) == mm,
            get!(extent.address_space),
            get!(extent.file_offset).wrapping_add(length),
        )
    };
    let (next_file, next_offset) = folio::file_of(kernel::u64_at(array));
    // Of a file's folio the call may mean a part.
    let adjoins = address_space == 0 || mm == 0 || next_offset == file_offset;
    if !same_mm || address_space != next_file || !adjoins {
        return 0;
    }
    let Some(lock) = locks::lock(LockTarget::Extent(index)) else {
        return 0;
    };
    let continues = take_on(index, extent, account, address);
    lock.unlock();
    u32::from(continues)
}

#[inline(always)]
fn take_on(index: u32, extent: MapRef<Extent>, account: u32, address: u64) -> bool {
    let now = accounts::time();
    // The index may have been given to somebody else: then the account differs, before or after the swap,
    // and the swap is undone.
    let held = word!(extent.pages_held);
    let before = held.load();
    if before == 0
        || get!(extent.account) != account
        || get!(extent.end) != address
        || now - get!(extent.grown_ns) > GROW_WITHIN_NS
        || !held.swap(before, before + Extent::CALL_BIAS)
    {
        return false;
    }
    if get!(extent.account) == account {
        return true;
    }
    if held.fetch_sub(Extent::CALL_BIAS) == Extent::CALL_BIAS {
        pintrace_extent_close(index);
    }
    false
}

/// Ends a pin call's part: `held` of its `pages` are held now, and the extent may close. `span` is
/// what the call covers in bytes.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_finish(owner: u32, grown: u32, span: u64, pages: u64, held: u64) -> u32 {
    let index = owner & !EXTENT_BIT;
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    // The bias keeps the extent from closing; see `begin`.
    let end = get!(extent.end);
    filter_range(extent, end + span, 1);
    set!(extent.end = end + span);
    filter_range(extent, end, u64::MAX);
    set!(extent.pages = get!(extent.pages) + pages);
    set!(extent.grown_ns = accounts::time());
    set!(extent.call = SyscallArgs::current().identity());
    let counter = word!(extent.pages_held);
    // Releases that came meanwhile have already been taken off.
    counter.add(held);
    process_holds(get!(extent.account), get!(extent.flags), held);
    if grown == 0 && pages != 0 {
        let header = wire::Header {
            kind: wire::kind::EXTENT_OPENED,
            id: index,
            time_ns: get!(extent.opened_ns),
        };
        ring::emit_in_place(|record: *mut wire::ExtentOpened| {
            // SAFETY: room in the ring for the record, and a live extent.
            unsafe {
                (*record).header = header;
                copy(extent, &raw mut (*record).extent);
            }
        });
    }
    lower(index, extent, Extent::CALL_BIAS);
    0
}

/// Takes pages, or a call's bias, off what an extent holds, and closes it after the last.
#[inline(always)]
fn lower(index: u32, extent: MapRef<Extent>, pages: u64) {
    let Some(lock) = locks::lock(LockTarget::Extent(index)) else {
        // A call's own bias left in place keeps the extent open for good: one, whatever it holds.
        let lost = if pages == Extent::CALL_BIAS { 1 } else { pages };
        count::loss(Loss::CellContended, lost);
        return;
    };
    let before = word!(extent.pages_held).fetch_sub(pages);
    if before == pages {
        pintrace_extent_close(index);
    } else if pages != Extent::CALL_BIAS {
        // From now on only the pages themselves tell which of them are left.
        partial_release::shrunk(index, extent);
    }
    lock.unlock();
}

/// Takes released pages off an extent and closes it after the last.
#[inline(always)]
pub fn shrink(index: u32, pages: u64, bytes: u64) {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return;
    };
    word!(extent.bytes_held).sub(bytes);
    process_holds(get!(extent.account), get!(extent.flags), pages.wrapping_neg());
    lower(index, extent, pages);
}

/// Adds to what a process holds with long-term pins, unless it has ended.
#[inline(always)]
fn process_holds(account: u32, flags: u32, pages: u64) {
    if !longterm_scope::is_longterm(u64::from(flags)) {
        return;
    }
    let Some(account) = maps::ACCOUNTS.get(account) else {
        return;
    };
    let Some(owner) = maps::PROCESSES.at(account.key.tgid()) else {
        return;
    };
    if account.opened_ns >= get!(owner.since_ns) {
        word!(owner.longterm_pages_held).add(pages);
    }
}

/// What nobody holds any more is told, and its index is free.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_close(index: u32) -> u32 {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    let header = wire::Header {
        kind: wire::kind::EXTENT_CLOSED,
        id: index,
        time_ns: accounts::time(),
    };
    // The one who took the last page closes, once. Nobody else writes until the index is free.
    if get!(extent.pages) != 0 {
        ring::emit_in_place(|record: *mut wire::ExtentClosed| {
            // SAFETY: room in the ring for the record, and a live extent.
            unsafe {
                (*record).header = header;
                copy(extent, &raw mut (*record).extent);
                (*record).pid_tgid = bpf_get_current_pid_tgid();
            }
        });
    }
    let Extent {
        address,
        end,
        mm,
        address_space,
        file_offset,
        opened_ns,
        ..
    } = extent.copy();
    observer::on_release(mm, address, end, opened_ns, false);
    if address_space != 0 {
        observer::on_release(
            address_space,
            file_offset,
            file_offset + (end - address),
            opened_ns,
            true,
        );
    }
    let _ = maps::FREE_EXTENTS.push(index, 0);
    0
}

/// CowStats an extent word by word, so that none of it lies on the stack.
///
/// # Safety
///
/// Both are alive and aligned.
#[inline(always)]
unsafe fn copy(from: MapRef<Extent>, to: *mut Extent) {
    let (from, to) = (from.as_ptr().cast::<u64>(), to.cast::<u64>());
    let mut word = 0;
    while word < size_of::<Extent>() / 8 {
        // SAFETY: by the contract; an extent is made of whole words.
        unsafe { to.add(word).write_volatile(from.add(word).read_volatile()) };
        word += 1;
    }
}

const _: () = assert!(size_of::<Extent>().is_multiple_of(8));

#[inline(always)]
fn next_index() -> Option<u32> {
    if let Ok(Some(index)) = maps::FREE_EXTENTS.pop() {
        return Some(index);
    }
    let next = maps::NEXT_IDS.at(1)?;
    let lock = locks::lock(LockTarget::Ids)?;
    let id = next.word().fetch_add(1);
    lock.unlock();
    u32::try_from(id).ok()
}
