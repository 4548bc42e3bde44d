//! Lists the BPF programs and maps that this process has open, with the memory that the kernel charges for them
//! (/proc/self/fdinfo).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The kind of a BPF object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A program.
    Program,
    /// A map.
    Map,
}

/// A BPF object that this process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnObject {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The id of the object. The kernel never gives the id of a freed object to another one while it has unused ids.
    pub id: u32,
    /// The number of a descriptor of the object.
    pub descriptor: i32,
    /// Memory of the object in bytes (`memlock`). For a map the kernel's own figure from Linux 6.4 on, and an estimate
    /// from the size of the map before.
    pub memory: u64,
}

/// Lists the objects, each one once.
///
/// An error of one descriptor is none of the list, because another thread may close the descriptor meanwhile. Without
/// a right to read /proc/self/fdinfo the result is an error.
pub fn list(proc: &Path) -> io::Result<Vec<OwnObject>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(proc.join("self/fdinfo"))? {
        let entry = entry?;
        let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match std::fs::read_to_string(entry.path()) {
            Ok(text) => {
                if let Some(object) = parse(descriptor, &text) {
                    found.entry((object.kind, object.id)).or_insert(object);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found.into_values().collect())
}

/// Returns the object of a descriptor. `None` for a link, which names its program too, and for any other file.
fn parse(descriptor: i32, fdinfo: &str) -> Option<OwnObject> {
    let field = |name: &str| {
        fdinfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"))
    };
    let number = |name: &str| field(name)?.trim().parse::<u64>().ok();
    let (kind, id) = match (field("map_type"), field("prog_type")) {
        (Some(_), None) => (ObjectKind::Map, "map_id"),
        (None, Some(_)) => (ObjectKind::Program, "prog_id"),
        _ => return None,
    };
    Some(OwnObject {
        kind,
        id: u32::try_from(number(id)?).ok()?,
        descriptor,
        memory: number("memlock")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Linux 6.12.
    const MAP: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\nmap_type:\t2\nkey_size:\t4\nvalue_size:\t256\n\
                       max_entries:\t16384\nmap_flags:\t0x0\nmap_extra:\t0x0\nmemlock:\t4194624\nmap_id:\t31\nfrozen:\t0\n";
    const PROGRAM: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1057\nprog_type:\t26\nprog_jited:\t1\n\
                           prog_tag:\t6deef7357e7b4530\nmemlock:\t4096\nprog_id:\t58\nrun_time_ns:\t0\nrun_cnt:\t0\n\
                           recursion_misses:\t0\nverified_insns:\t140\n";
    const LINK: &str = "pos:\t0\nflags:\t02000000\nmnt_id:\t15\nino:\t1057\nlink_type:\ttracing\nlink_id:\t9\n\
                        prog_tag:\t6deef7357e7b4530\nprog_id:\t58\nattach_type:\t24\ntarget_obj_id:\t1\n";

    #[test]
    fn maps_and_programs_are_recognized_and_links_are_not() {
        let object = |kind, id, memory| OwnObject {
            kind,
            id,
            descriptor: 7,
            memory,
        };
        assert_eq!(parse(7, MAP), Some(object(ObjectKind::Map, 31, 4_194_624)));
        assert_eq!(parse(7, PROGRAM), Some(object(ObjectKind::Program, 58, 4096)));
        assert_eq!(parse(7, LINK), None);
    }

    #[test]
    fn other_files_and_damaged_lines_are_no_objects() {
        for text in [
            "",
            "pos:\t0\nflags:\t0100000\nmnt_id:\t24\n",
            "map_type:\t2\n",
            "map_type:\t2\nmap_id:\t1\n",
            "map_type:\t2\nmap_id:\t4294967296\nmemlock:\t1\n",
            "map_type:\t2\nmap_id:\t-1\nmemlock:\t1\n",
            "map_type:\t2\nmap_id:\t1\nmemlock:\t99999999999999999999\n",
            "map_type 2\nmap_id 1\nmemlock 1\n",
            &format!("{MAP}{PROGRAM}"),
            "\0\t:\n\u{fffd}",
        ] {
            assert_eq!(parse(3, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_process_without_bpf_objects_has_an_empty_list() {
        assert_eq!(list(Path::new("/proc")).unwrap(), []);
        assert!(list(Path::new("/nowhere")).is_err());
    }
}
