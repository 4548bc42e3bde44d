//! The umem of an AF_XDP socket (`struct xdp_umem`, include/net/xdp_sock.h). Several sockets may share one umem.

use super::{PinTable, TableReader, UnknownTable};

/// Returns the table of the socket at an address.
pub(super) fn tables(reader: &mut TableReader<'_>, socket: u64) -> Result<Vec<PinTable>, UnknownTable> {
    let layout = reader.layout.tables.umem.ok_or(UnknownTable)?;
    let at = |object: u64, offset: u32| object.wrapping_add(u64::from(offset));
    let memory = reader.memory;
    let umem = memory
        .pointer(at(socket, reader.layout.facts.socket_sk))
        .and_then(|sock| memory.pointer(at(sock, layout.umem)));
    // A socket has no umem before XDP_UMEM_REG.
    let Some(umem) = umem else {
        return Ok(Vec::new());
    };
    let frames = reader.page_array(umem, layout.pages).ok_or(UnknownTable)?;
    Ok(vec![PinTable {
        purpose: "umem",
        object: umem,
        addresses: None,
        frames,
    }])
}
