//! Reads from BTF the offsets of the kernel's tables of pinned pages: the structures in which an io_uring, an AF_XDP
//! socket or a udmabuf keeps the pages that it has pinned. All offsets are in bytes.

use crate::btf::Types;

/// The layouts of all tables. A layout is `None` if BTF lacks one of its offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableLayouts {
    /// The tables of an io_uring.
    pub io_uring: Option<IoUringLayout>,
    /// The umem of an AF_XDP socket.
    pub umem: Option<UmemLayout>,
    /// The pages of a udmabuf.
    pub udmabuf: Option<UdmabufLayout>,
    /// `io_uring_task.registered_rings`; `None` before 5.18.
    pub registered_rings: Option<u32>,
}

impl TableLayouts {
    pub(crate) fn of(types: &impl Types) -> Self {
        Self {
            io_uring: IoUringLayout::of(types),
            umem: UmemLayout::of(types),
            udmabuf: UdmabufLayout::of(types),
            registered_rings: types.offset("io_uring_task", &["registered_rings"]),
        }
    }
}

/// The tables of `struct io_ring_ctx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoUringLayout {
    /// The table of registered buffers.
    pub buffers: BufferTable,
    /// One registered buffer.
    pub buffer: BufferLayout,
    /// The provided-buffer rings; `None` before 5.19.
    pub buffer_rings: Option<BufferRings>,
    /// The memory of a ring that user space provides (IORING_SETUP_NO_MMAP); empty before 6.5.
    pub ring_memory: RingMemory,
}

/// The table of registered buffers in `struct io_ring_ctx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferTable {
    /// An array of pointers to `io_mapped_ubuf` (up to 6.12).
    Array {
        /// `io_ring_ctx.user_bufs`.
        user_bufs: u32,
        /// `io_ring_ctx.nr_user_bufs`, a u32.
        nr_user_bufs: u32,
    },
    /// An array of pointers to `io_rsrc_node` (6.13 and later).
    Nodes {
        /// `io_ring_ctx.buf_table.nodes`.
        nodes: u32,
        /// `io_ring_ctx.buf_table.nr`, a u32.
        nr: u32,
        /// `io_rsrc_node.buf`.
        buf: u32,
    },
}

/// Members of `struct io_mapped_ubuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLayout {
    /// `ubuf`, the user address.
    pub ubuf: u32,
    /// The end of the buffer.
    pub extent: BufferEnd,
    /// `nr_bvecs`, a u32.
    pub nr_bvecs: u32,
    /// `bvec`, an array at the end of the structure.
    pub bvec: u32,
}

/// The member of `struct io_mapped_ubuf` that gives the end of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferEnd {
    /// `ubuf_end`, the user address after the buffer.
    Address(u32),
    /// `len`, a u32 or u64, in bytes. A buffer is at most 1 GiB, so the lower half is enough.
    Length(u32),
}

/// The provided-buffer rings in `struct io_ring_ctx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferRings {
    /// `io_ring_ctx.io_bl`, an array of the first lists (6.0 to 6.8).
    pub first_lists: Option<u32>,
    /// Size of `struct io_buffer_list`.
    pub list_bytes: u32,
    /// `io_ring_ctx.io_bl_xa.xa_head`.
    pub lists: u32,
    /// The pages of a list.
    pub pages: PageArray,
    /// Members of an xarray's node.
    pub xarray: XarrayLayout,
}

/// A pointer to an array of `struct page *` and the length of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageArray {
    /// Offset of the pointer.
    pub pages: u32,
    /// Offset of the length.
    pub nr: u32,
    /// Bytes of the length, 2 or 4.
    pub nr_bytes: u32,
}

/// Members of `struct xa_node`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XarrayLayout {
    /// `slots`, an array of 64 entries.
    pub slots: u32,
}

/// The page arrays of a ring in user memory: for the rings and for the submission queue entries.
pub type RingMemory = [Option<PageArray>; 3];

impl IoUringLayout {
    fn of(types: &impl Types) -> Option<Self> {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        let bvec = offset("io_mapped_ubuf", "bvec")?;
        // The bvecs are part of the structure (5.13 and later), and a bvec is a page, a length and an offset.
        let known = types.size("io_mapped_ubuf") == Some(bvec)
            && types.size("bio_vec") == Some(16)
            && offset("bio_vec", "bv_page") == Some(0);
        if !known {
            return None;
        }
        let buffers = match offset("io_ring_ctx", "buf_table") {
            Some(table) => BufferTable::Nodes {
                nodes: table + offset("io_rsrc_data", "nodes")?,
                nr: table + offset("io_rsrc_data", "nr")?,
                buf: offset("io_rsrc_node", "buf")?,
            },
            None => BufferTable::Array {
                user_bufs: offset("io_ring_ctx", "user_bufs")?,
                nr_user_bufs: offset("io_ring_ctx", "nr_user_bufs")?,
            },
        };
        let extent = match offset("io_mapped_ubuf", "ubuf_end") {
            Some(end) => BufferEnd::Address(end),
            None => BufferEnd::Length(offset("io_mapped_ubuf", "len")?),
        };
        Some(Self {
            buffers,
            buffer: BufferLayout {
                ubuf: offset("io_mapped_ubuf", "ubuf")?,
                extent,
                nr_bvecs: offset("io_mapped_ubuf", "nr_bvecs")?,
                bvec,
            },
            buffer_rings: BufferRings::of(types),
            ring_memory: ring_memory(types),
        })
    }
}

impl BufferRings {
    fn of(types: &impl Types) -> Option<Self> {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        let pages = match offset("io_buffer_list", "region") {
            Some(region) => region_pages(types, region)?,
            None => PageArray {
                pages: offset("io_buffer_list", "buf_pages")?,
                nr: offset("io_buffer_list", "buf_nr_pages")?,
                nr_bytes: 2,
            },
        };
        Some(Self {
            first_lists: offset("io_ring_ctx", "io_bl"),
            list_bytes: types.size("io_buffer_list")?,
            lists: offset("io_ring_ctx", "io_bl_xa")? + offset("xarray", "xa_head")?,
            pages,
            xarray: XarrayLayout {
                slots: offset("xa_node", "slots")?,
            },
        })
    }
}

/// Returns the page array of an `io_mapped_region` at an offset.
fn region_pages(types: &impl Types, region: u32) -> Option<PageArray> {
    Some(PageArray {
        pages: region + types.offset("io_mapped_region", &["pages"])?,
        nr: region + types.offset("io_mapped_region", &["nr_pages"])?,
        nr_bytes: 4,
    })
}

fn ring_memory(types: &impl Types) -> RingMemory {
    let offset = |name: &str| types.offset("io_ring_ctx", &[name]);
    let region = |name: &str| region_pages(types, offset(name)?);
    let array = |pages: &str, nr: &str| {
        Some(PageArray {
            pages: offset(pages)?,
            nr: offset(nr)?,
            nr_bytes: 2,
        })
    };
    [
        region("ring_region").or_else(|| array("ring_pages", "n_ring_pages")),
        region("sq_region").or_else(|| array("sqe_pages", "n_sqe_pages")),
        region("param_region"),
    ]
}

/// The umem of `struct xdp_sock`, which begins with its `sock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UmemLayout {
    /// `xdp_sock.umem`.
    pub umem: u32,
    /// The pages of a umem.
    pub pages: PageArray,
}

impl UmemLayout {
    fn of(types: &impl Types) -> Option<Self> {
        Some(Self {
            umem: types.offset("xdp_sock", &["umem"])?,
            pages: PageArray {
                pages: types.offset("xdp_umem", &["pgs"])?,
                nr: types.offset("xdp_umem", &["npgs"])?,
                nr_bytes: 4,
            },
        })
    }
}

/// The pages of a `struct udmabuf` behind a `struct dma_buf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdmabufLayout {
    /// `dma_buf.ops`.
    pub ops: u32,
    /// `dma_buf_ops.release`.
    pub release: u32,
    /// `dma_buf.priv`.
    pub private: u32,
    /// The pinned folios.
    pub folios: PinnedFolios,
}

/// The pinned folios of a `struct udmabuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinnedFolios {
    /// An array with an entry for each pin (6.13 and later).
    Array {
        /// `udmabuf.pinned_folios`.
        folios: u32,
        /// `udmabuf.nr_pinned`, a u64.
        nr: u32,
    },
    /// A list with an entry for each pin (6.11 and 6.12).
    List {
        /// `udmabuf.unpin_list`.
        head: u32,
        /// `udmabuf_folio.list`.
        node: u32,
        /// `udmabuf_folio.folio`.
        folio: u32,
    },
}

impl UdmabufLayout {
    fn of(types: &impl Types) -> Option<Self> {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        let folios = match offset("udmabuf", "pinned_folios") {
            Some(folios) => PinnedFolios::Array {
                folios,
                nr: offset("udmabuf", "nr_pinned")?,
            },
            None => PinnedFolios::List {
                head: offset("udmabuf", "unpin_list")?,
                node: offset("udmabuf_folio", "list")?,
                folio: offset("udmabuf_folio", "folio")?,
            },
        };
        Some(Self {
            ops: offset("dma_buf", "ops")?,
            release: offset("dma_buf_ops", "release")?,
            private: offset("dma_buf", "priv")?,
            folios,
        })
    }
}
