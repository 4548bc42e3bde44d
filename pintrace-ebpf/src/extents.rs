//! Extents: contiguous ranges of long-term pins, from the first pin to the last release.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{
    counters::Loss,
    ledger::{EXTENT_BIT, Extent},
    wire,
};

use crate::{
    accounts,
    atomic::Word,
    calls, count, doubt, kernel,
    locks::{self, What},
    maps,
    pin_call::PinCall,
    ring,
    stacks::Opened,
    watch::{call::Call, grains},
};

/// Calls on adjoining addresses within this time make one extent: drivers pin large regions in
/// batches (`ib_umem_get` by 512 pages).
const GROW_WITHIN_NS: u64 = 1_000_000_000;

/// An extent that a pin call is adding to. It cannot close before [`finish`].
#[derive(Clone, Copy)]
pub struct Opening {
    /// Its index.
    pub index: u32,
    /// It existed before this call.
    pub grown: bool,
}

impl Opening {
    /// As a holder.
    #[inline(always)]
    pub fn holder(&self) -> u32 {
        self.index | EXTENT_BIT
    }
}

/// Begins an extent for a pin call, or finds the one that the call continues.
#[inline(always)]
pub fn begin(ctx: *mut c_void, account: u32, call: &PinCall, opened: &mut Opened) -> Option<Opening> {
    // SAFETY: a live map value; only the account's own thread uses this field.
    let last = unsafe { (*maps::ACCOUNTS.get_ptr_mut(account)?).last_extent };
    let space = call.space();
    if last != 0 {
        let index = (last - 1) as u32;
        if pintrace_extent_continues(index, account, call.address, space, call.array) != 0 {
            return Some(Opening { index, grown: true });
        }
    }
    let stack = opened.stack(ctx);
    // 0 for none, else the index plus one.
    let number = pintrace_extent_open(account, call.address, call.flags as u32, stack);
    if number == 0 {
        return None;
    }
    let index = (number - 1) as u32;
    pintrace_extent_place(index, space, call.array);
    opened.extent(index);
    Some(Opening { index, grown: false })
}

/// Opens an extent; gives its index plus one, or 0 if the table is full.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_open(account: u32, address: u64, flags: u32, stack: i64) -> u64 {
    let now = accounts::time();
    let slot = next_index().and_then(|index| Some((index, maps::EXTENTS.get_ptr_mut(index)?)));
    let (Some((index, extent)), Some(owner)) = (slot, maps::ACCOUNTS.get_ptr_mut(account)) else {
        count::loss(Loss::ExtentTableFull, 1);
        return 0;
    };
    // SAFETY: the index is fresh: no cell names this extent yet.
    unsafe {
        (*extent).bytes_held = 0;
        (*extent).address = address;
        (*extent).end = address;
        (*extent).pages = 0;
        (*extent).opened_ns = now;
        (*extent).grown_ns = now;
        (*extent).flags = flags;
        (*extent).account = account;
        (*extent).stack = stack;
        Word::at(&raw mut (*extent).pages_held).store(Extent::OPENING_BIAS);
        (*owner).last_extent = u64::from(index) + 1;
    }
    u64::from(index) + 1
}

/// Notes what a fresh extent's address is one of, and has it watched. `array` is that of its first page.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_place(index: u32, space: u64, array: u64) -> u32 {
    let Some(extent) = maps::EXTENTS.get_ptr_mut(index) else {
        return 0;
    };
    let page = kernel::u64_at(array);
    let (file, offset) = grains::file_of(page);
    // SAFETY: a live map value that nobody else knows yet.
    let opened_ns = unsafe {
        (*extent).space = space;
        (*extent).file = file;
        // Of a file's folio the call may mean a part.
        (*extent).file_offset = if space == 0 { (*extent).address } else { offset };
        (*extent).opened_ns
    };
    // What cannot be watched is not found under an address that others will have.
    if !grains::began(space, opened_ns) {
        // SAFETY: as above.
        unsafe { (*extent).space = 0 };
    }
    if !grains::began(file, opened_ns) {
        // SAFETY: as above.
        unsafe { (*extent).file = 0 };
    }
    0
}

/// Has the range of an extent watched, with `n` 1, or no more, with -1.
#[inline(always)]
fn watch(extent: *const Extent, end: u64, n: u64) {
    // SAFETY: a live map value; these fields are as they were when it was opened.
    let (space, address, file, offset) = unsafe {
        (
            (*extent).space,
            (*extent).address,
            (*extent).file,
            (*extent).file_offset,
        )
    };
    if space != 0 {
        grains::pintrace_watch(space, address, end, n);
    }
    if file != 0 {
        grains::pintrace_watch(file, offset, offset + (end - address), n);
    }
}

/// Whether a call continues this extent; if so, the extent is kept from closing.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_continues(
    index: u32,
    account: u32,
    address: u64,
    space: u64,
    array: u64,
) -> u32 {
    let Some(extent) = maps::EXTENTS.get_ptr_mut(index) else {
        return 0;
    };
    // SAFETY: a live map value; what another has made of it, `take_on` finds out.
    let (same_space, file, file_offset) = unsafe {
        if (*extent).end != address {
            return 0;
        }
        let length = address.wrapping_sub((*extent).address);
        (
            (*extent).space == space,
            (*extent).file,
            (*extent).file_offset.wrapping_add(length),
        )
    };
    let (next_file, next_offset) = grains::file_of(kernel::u64_at(array));
    // Of a file's folio the call may mean a part.
    let adjoins = file == 0 || space == 0 || next_offset == file_offset;
    if !same_space || file != next_file || !adjoins {
        return 0;
    }
    let Some(lock) = locks::lock(What::Extent(index)) else {
        return 0;
    };
    let continues = take_on(index, extent, account, address);
    lock.unlock();
    u32::from(continues)
}

#[inline(always)]
fn take_on(index: u32, extent: *mut Extent, account: u32, address: u64) -> bool {
    let now = accounts::time();
    // SAFETY: a live map value. The index may have been given to somebody else: then the account
    // differs, before or after the swap, and the swap is undone.
    unsafe {
        let held = Word::at(&raw mut (*extent).pages_held);
        let before = held.load();
        if before == 0
            || (*extent).account != account
            || (*extent).end != address
            || now - (*extent).grown_ns > GROW_WITHIN_NS
            || !held.swap(before, before + Extent::OPENING_BIAS)
        {
            return false;
        }
        if (*extent).account == account {
            return true;
        }
        if held.fetch_sub(Extent::OPENING_BIAS) == Extent::OPENING_BIAS {
            pintrace_extent_close(index);
        }
        false
    }
}

/// Ends a pin call's part: `held` of its `pages` are held now, and the extent may close. `span` is
/// what the call covers in bytes.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_finish(holder: u32, grown: u32, span: u64, pages: u64, held: u64) -> u32 {
    let index = holder & !EXTENT_BIT;
    let Some(extent) = maps::EXTENTS.get_ptr_mut(index) else {
        return 0;
    };
    // SAFETY: a live map value that the bias keeps from closing; see `begin`.
    unsafe {
        let end = (*extent).end;
        watch(extent, end + span, 1);
        (*extent).end = end + span;
        watch(extent, end, u64::MAX);
        (*extent).pages += pages;
        (*extent).grown_ns = accounts::time();
        (*extent).call = Call::now().identity();
        let counter = Word::at(&raw mut (*extent).pages_held);
        // Releases that came meanwhile have already been taken off.
        counter.add(held);
        owner_holds((*extent).account, (*extent).flags, held);
        if grown == 0 && pages != 0 {
            let header = wire::Header {
                kind: wire::kind::EXTENT_OPENED,
                id: index,
                time_ns: (*extent).opened_ns,
            };
            ring::emit_in_place(|record: *mut wire::ExtentOpened| {
                (*record).header = header;
                copy(extent, &raw mut (*record).extent);
            });
        }
    }
    lower(index, extent, Extent::OPENING_BIAS);
    0
}

/// Takes pages, or a call's bias, off what an extent holds, and closes it after the last.
#[inline(always)]
fn lower(index: u32, extent: *mut Extent, pages: u64) {
    let Some(lock) = locks::lock(What::Extent(index)) else {
        // A call's own bias left in place keeps the extent open for good: one, whatever it holds.
        let lost = if pages == Extent::OPENING_BIAS { 1 } else { pages };
        count::loss(Loss::CellContended, lost);
        return;
    };
    // SAFETY: a live map value, accessed atomically.
    let before = unsafe { Word::at(&raw mut (*extent).pages_held) }.fetch_sub(pages);
    if before == pages {
        pintrace_extent_close(index);
    } else if pages != Extent::OPENING_BIAS {
        // From now on only the pages themselves tell which of them are left.
        doubt::shrunk(index, extent);
    }
    lock.unlock();
}

/// Takes released pages off an extent and closes it after the last.
#[inline(always)]
pub fn shrink(index: u32, pages: u64, bytes: u64) {
    let Some(extent) = maps::EXTENTS.get_ptr_mut(index) else {
        return;
    };
    // SAFETY: a live map value, accessed atomically.
    unsafe {
        Word::at(&raw mut (*extent).bytes_held).sub(bytes);
        owner_holds((*extent).account, (*extent).flags, pages.wrapping_neg());
    }
    lower(index, extent, pages);
}

/// Adds to what a process holds with long-term pins, unless it has ended.
#[inline(always)]
fn owner_holds(account: u32, flags: u32, pages: u64) {
    if !calls::is_longterm(u64::from(flags)) {
        return;
    }
    let Some(account) = maps::ACCOUNTS.get(account) else {
        return;
    };
    let Some(owner) = maps::OWNERS.get_ptr_mut(account.key.tgid()) else {
        return;
    };
    // SAFETY: a map value that the running program keeps alive; what changes is accessed atomically.
    unsafe {
        if account.opened_ns >= (*owner).since_ns {
            Word::at(&raw mut (*owner).longterm_pages_held).add(pages);
        }
    }
}

/// What nobody holds any more is told, and its index is free.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_extent_close(index: u32) -> u32 {
    let Some(extent) = maps::EXTENTS.get_ptr_mut(index) else {
        return 0;
    };
    let header = wire::Header {
        kind: wire::kind::EXTENT_CLOSED,
        id: index,
        time_ns: accounts::time(),
    };
    // SAFETY: whoever took the last page closes, once; nobody else writes until the index is free.
    unsafe {
        if (*extent).pages != 0 {
            ring::emit_in_place(|record: *mut wire::ExtentClosed| {
                (*record).header = header;
                copy(extent, &raw mut (*record).extent);
                (*record).pid_tgid = bpf_get_current_pid_tgid();
            });
        }
    }
    // SAFETY: as above.
    let Extent {
        address,
        end,
        space,
        file,
        file_offset,
        opened_ns,
        ..
    } = unsafe { *extent };
    grains::ended(space, address, end, opened_ns, false);
    if file != 0 {
        grains::ended(file, file_offset, file_offset + (end - address), opened_ns, true);
    }
    let _ = maps::FREE_EXTENTS.push(index, 0);
    0
}

/// Copies an extent word by word, so that none of it lies on the stack.
///
/// # Safety
///
/// Both are alive and aligned.
#[inline(always)]
unsafe fn copy(from: *const Extent, to: *mut Extent) {
    let (from, to) = (from.cast::<u64>(), to.cast::<u64>());
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
    let next = maps::NEXT_IDS.get_ptr_mut(1)?;
    let lock = locks::lock(What::Ids)?;
    // SAFETY: a live map value, accessed atomically.
    let id = unsafe { Word::at(next) }.fetch_add(1);
    lock.unlock();
    u32::try_from(id).ok()
}
