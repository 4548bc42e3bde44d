//! Extents: contiguous ranges of long-term pins, from the first pin to the last release.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{
    counters::Loss,
    holder_kind::kind,
    ledger::{Account, EXTENT_BIT, Extent},
    wire,
};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{
    clock,
    compat::locks::{self, LockTarget},
    count,
    folio::{self, Folio},
    kernel,
    ledger::{changed_extents, longterm_scope, open_file, partial_release, pin_call::PinCall},
    maps, observer, ring,
    stacks::Opened,
    syscall_args::SyscallArgs,
};

/// Pin calls of one system call on adjoining addresses within this time make one extent, because drivers pin large
/// regions in batches (`ib_umem_get` by 512 pages).
const GROW_WITHIN_NS: u64 = 1_000_000_000;

/// An extent to which a pin call is adding pages. The extent cannot close before [`pintrace_extent_finish`].
#[derive(Clone, Copy)]
pub struct GrowingExtent {
    /// Index of the extent.
    pub index: u32,
}

impl GrowingExtent {
    /// Returns the number that names the extent as an owner.
    #[inline(always)]
    pub fn owner(self) -> u32 {
        self.index | EXTENT_BIT
    }
}

/// Opens an extent for a pin call, or finds the extent that the call continues.
#[inline(always)]
pub fn begin(ctx: *mut c_void, account: u32, call: &PinCall, opened: &mut Opened) -> Option<GrowingExtent> {
    // SAFETY: a live map value. Only the account's own thread uses the field `last_extent`.
    let owner = maps::ACCOUNTS.at(account)?;
    let last = get!(owner.last_extent);
    let mm = call.mm();
    // io_uring pins each buffer in one call, so two calls are two buffers.
    if last != 0 && get!(owner.holder_kind) != kind::IO_URING {
        let index = (last - 1) as u32;
        if pintrace_extent_continues(index, account, call.address, mm, call.array) != 0 {
            return Some(GrowingExtent { index });
        }
    }
    let stack = opened.stack(ctx);
    // 0 if the table is full, else the index plus one.
    let number = pintrace_extent_open(account, call.address, call.flags as u32, stack);
    if number == 0 {
        return None;
    }
    let index = (number - 1) as u32;
    pintrace_extent_locate(index, mm, call.array);
    opened.extent(index);
    Some(GrowingExtent { index })
}

/// Opens an extent. Returns its index plus one, or 0 if the table is full.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_open(account: u32, address: u64, flags: u32, stack: i64) -> u64 {
    let now = clock::time();
    let slot = next_index().and_then(|index| Some((index, maps::EXTENTS.at(index)?)));
    let (Some((index, extent)), Some(owner)) = (slot, maps::ACCOUNTS.at(account)) else {
        count::loss(Loss::ExtentTableFull, 1);
        return 0;
    };
    // The index is fresh, so no cell names the extent yet.
    set!(extent.bytes_held = 0);
    set!(extent.address = address);
    set!(extent.end = address);
    set!(extent.pages = 0);
    set!(extent.opened_ns = now);
    set!(extent.grown_ns = now);
    set!(extent.flags = flags);
    set!(extent.account = account);
    set!(extent.stack = stack);
    set!(extent.next_area = 0);
    word!(extent.pages_held).store(Extent::CALL_BIAS);
    set!(owner.last_extent = u64::from(index) + 1);
    u64::from(index) + 1
}

/// Records the mm, the mapped file and the open file of a fresh extent, and registers mm and mapped file with the range
/// filter. `array` is the address of the pages[] entry of the first page.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_locate(index: u32, mm: u64, array: u64) -> u32 {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    let page = kernel::u64_at(array);
    let (address_space, offset) = folio::file_of(Folio::of(page), page);
    // No other task knows the extent yet.
    let opened_ns = {
        set!(extent.mm = mm);
        set!(extent.first_page = page);
        set!(extent.last_page = page);
        set!(extent.file = open_file::pintrace_open_file());
        // An unknown descriptor is all ones in either width.
        set!(extent.descriptor = open_file::pintrace_descriptor() as u32);
        set!(extent.address_space = address_space);
        // A call on a memfd may begin inside a folio, so the file offset is the call's own and not the folio's.
        set!(extent.file_offset = if mm == 0 { get!(extent.address) } else { offset });
        get!(extent.opened_ns)
    };
    // Without a range filter, no change of the mm or file is reported. The address is cleared, so that the extent is
    // not found when the kernel uses the address for another mm or file.
    if !observer::on_extent(mm, opened_ns) {
        set!(extent.mm = 0);
    }
    if !observer::on_extent(address_space, opened_ns) {
        set!(extent.address_space = 0);
        if address_space != 0 {
            set!(extent.flags = get!(extent.flags) | Extent::AREAS_UNKNOWN);
        }
    }
    0
}

/// Adds the range of an extent to the range filter (`n` is 1), or removes the range (`n` is -1).
#[inline(always)]
fn filter_range(extent: MapRef<Extent>, end: u64, n: u64) {
    // These fields do not change while the extent is open.
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

/// Returns 1 if a call continues the extent. The extent then cannot close before [`pintrace_extent_finish`].
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
    // `try_grow` detects that another call has changed the extent.
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
    let page = kernel::u64_at(array);
    let (next_file, next_offset) = folio::file_of(Folio::of(page), page);
    // A call on a memfd (`mm` is 0) may begin inside a folio, so the folio's offset says nothing.
    let adjoins = address_space == 0 || mm == 0 || next_offset == file_offset;
    if !same_mm || address_space != next_file || !adjoins {
        return 0;
    }
    // Another system call makes another holder of the pages, which releases its pages separately.
    let call = SyscallArgs::current();
    if get!(extent.call) != call.identity() || get!(extent.argument) != call.argument() {
        return 0;
    }
    let Some(lock) = locks::lock(LockTarget::Extent(index)) else {
        return 0;
    };
    let continues = try_grow(index, extent, account, address);
    lock.unlock();
    u32::from(continues)
}

#[inline(always)]
fn try_grow(index: u32, extent: MapRef<Extent>, account: u32, address: u64) -> bool {
    let now = clock::time();
    // The index may belong to a new extent by now. The account then differs, before or after the swap, and the swap is
    // undone.
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

/// Records the struct page of the last page of a pin call. Only the task that adds to the extent writes the field.
#[inline(always)]
pub fn set_last_page(owner: u32, page: u64) {
    if let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT) {
        set!(extent.last_page = page);
    }
}

/// Ends the growth by a part of a pin call: `held` of its `pages` are held now, and the extent may close. `span` is the
/// number of bytes that the part covers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_finish(owner: u32, span: u64, pages: u64, held: u64) -> u32 {
    let index = owner & !EXTENT_BIT;
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    // The bias keeps the extent from closing; see `begin`.
    let end = get!(extent.end);
    filter_range(extent, end + span, 1);
    set!(extent.end = end + span);
    filter_range(extent, end, u64::MAX);
    let before = get!(extent.pages);
    set!(extent.pages = before + pages);
    pintrace_extent_set_call(index);
    let counter = word!(extent.pages_held);
    // Releases during the call have already been subtracted.
    counter.add(held);
    if let Some(account) = maps::ACCOUNTS.at(get!(extent.account)) {
        process_holds(account, get!(extent.flags), held);
    }
    if before == 0 && pages != 0 {
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
    changed_extents::mark(index);
    0
}

/// Records the system call that adds to an extent, and the time.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_set_call(index: u32) -> u32 {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    set!(extent.grown_ns = clock::time());
    let call = SyscallArgs::current();
    set!(extent.call = call.identity());
    set!(extent.argument = call.argument());
    0
}

/// Subtracts pages, or the bias of a call, from the pages held of an extent, and closes the extent at 0.
#[inline(always)]
fn lower(index: u32, extent: MapRef<Extent>, pages: u64) {
    let Some(lock) = locks::lock(LockTarget::Extent(index)) else {
        // A bias that stays keeps the extent open for good, and counts as one loss.
        let lost = if pages == Extent::CALL_BIAS { 1 } else { pages };
        count::loss(Loss::CellContended, lost);
        return;
    };
    let before = word!(extent.pages_held).fetch_sub(pages);
    if before == pages {
        pintrace_extent_close(index);
    } else if pages != Extent::CALL_BIAS {
        // From here on only the struct pages show which pages of the extent are left.
        partial_release::released_some(index, extent);
    }
    lock.unlock();
}

/// Subtracts released pages from an extent, and closes the extent after the last page.
#[inline(always)]
pub fn shrink(index: u32, pages: u64, bytes: u64) {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return;
    };
    if let Some(account) = maps::ACCOUNTS.at(get!(extent.account)) {
        process_holds(account, get!(extent.flags), pages.wrapping_neg());
    }
    take_off(index, extent, pages, bytes);
}

/// Subtracts one released small page from an extent and from its account: each page of a buffer of io_uring is released
/// by a call of its own, and each table is looked up once here.
///
/// The function is global, so that the verifier follows it once and not at every call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_release_page(index: u32) -> u32 {
    const BYTES: u64 = 4096;
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    if let Some(account) = maps::ACCOUNTS.at(get!(extent.account)) {
        word!(account.released).add(1);
        word!(account.bytes_held).sub(BYTES);
        process_holds(account, get!(extent.flags), u64::MAX);
    }
    take_off(index, extent, 1, BYTES);
    0
}

#[inline(always)]
fn take_off(index: u32, extent: MapRef<Extent>, pages: u64, bytes: u64) {
    word!(extent.bytes_held).sub(bytes);
    lower(index, extent, pages);
    changed_extents::mark(index);
}

/// Adds to the pages that an account's process holds with long-term pins, unless the process has ended.
#[inline(always)]
fn process_holds(account: MapRef<Account>, flags: u32, pages: u64) {
    if !longterm_scope::is_longterm(u64::from(flags)) {
        return;
    }
    let Some(process) = maps::PROCESSES.at((get!(account.key.pid_tgid) >> 32) as u32) else {
        return;
    };
    if get!(account.opened_ns) >= get!(process.since_ns) {
        word!(process.longterm_pages_held).add(pages);
    }
}

/// Closes an extent without pins: sends its record and frees its index.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_close(index: u32) -> u32 {
    let Some(extent) = maps::EXTENTS.at(index) else {
        return 0;
    };
    let header = wire::Header {
        kind: wire::kind::EXTENT_CLOSED,
        id: index,
        time_ns: clock::time(),
    };
    // Only the task that released the last page closes the extent. No other task writes until the index is free.
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

/// Copies an extent word by word, so that no part of the extent is on the stack.
///
/// # Safety
///
/// Both pointers are valid and aligned.
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
