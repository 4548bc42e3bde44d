//! Reads what the kernel tells of a map, by `BPF_OBJ_GET_INFO_BY_FD`.

use std::io;

use aya_obj::generated::bpf_map_info;

use super::prog_info::object_info;

/// Id, name and size of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// The id of the map.
    pub id: u32,
    /// The name, which the kernel cuts to 15 characters.
    pub name: String,
    /// Number of entries; for a ring buffer its size in bytes.
    pub max_entries: u32,
}

/// Returns id, name and size of the map that has this descriptor.
///
/// A number that is no descriptor of a map gives an error, or the name of no map: the caller compares the id.
pub fn read(descriptor: i32) -> io::Result<MapInfo> {
    // SAFETY: `bpf_map_info` consists of integers and arrays of integers, for which zeros are valid.
    let mut info: bpf_map_info = unsafe { std::mem::zeroed() };
    // SAFETY: `info` contains no address of memory that the kernel writes to.
    unsafe { object_info(descriptor, &mut info) }?;
    Ok(MapInfo {
        id: info.id,
        name: text(info.name.map(|byte| byte.to_ne_bytes()[0])),
        max_entries: info.max_entries,
    })
}

/// Returns the text before the first zero byte.
fn text<const BYTES: usize>(bytes: [u8; BYTES]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(BYTES);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_zero_or_with_the_array() {
        assert_eq!(text(*b"RING\0\0x\0"), "RING");
        assert_eq!(text(*b"MULTI_OWNER_FOLI"), "MULTI_OWNER_FOLI");
        assert_eq!(text(*b"\0"), "");
        assert_eq!(text(*b"\xff\0"), "\u{fffd}");
    }

    #[test]
    fn a_descriptor_that_is_no_map_is_an_error() {
        assert!(read(0).is_err());
        assert!(read(-1).is_err());
    }
}
