//! Tests with BTF files that the tests build, intact and damaged.

use proptest::prelude::*;

use super::raw::Malformed;
use super::*;

/// A BTF file: the sections of types and of strings.
#[derive(Default)]
struct File {
    types: Vec<u8>,
    strings: Vec<u8>,
}

/// `BTF_KIND_*` (include/uapi/linux/btf.h).
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const POINTER: u32 = 2;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const FUNCTION: u32 = 12;
    pub(super) const PROTOTYPE: u32 = 13;
    pub(super) const ENUM64: u32 = 19;
}

impl File {
    fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        let offset = self.strings.len();
        self.strings.extend(name.bytes().chain([0]));
        u32::try_from(offset).unwrap()
    }

    /// Adds a type. `rest` is the data of the kind; a name in `rest` becomes the offset of its string.
    fn add(mut self, name: &str, kind: u32, parts: u32, size_or_type: u32, rest: &[Word]) -> Self {
        let name = self.name(name);
        let mut words = vec![name, kind << 24 | parts, size_or_type];
        for word in rest {
            words.push(match word {
                Word::Number(number) => *number,
                Word::Name(name) => self.name(name),
            });
        }
        self.types
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let (types, strings) = (length(&self.types), length(&self.strings));
        let header = [0x0001_eb9f, 24, 0, types, types, strings];
        let header = header.iter().flat_map(|word: &u32| word.to_le_bytes());
        header
            .chain(self.types.iter().copied())
            .chain(self.strings.iter().copied())
            .collect()
    }
}

enum Word {
    Number(u32),
    Name(&'static str),
}
use Word::{Name, Number};

/// Types by number: 1 int, 2 pointer, 3 union, 4 volatile type 3, 5 struct that contains type 4, 6 prototype,
/// 7 function, 8 enum, 9 enum of 64 bits, 10 and 11 typedefs of int, 12 struct with a bit field.
fn some_types() -> File {
    File::default()
        .add("int", kind::INT, 0, 4, &[Number(32)])
        .add("", kind::POINTER, 0, 5, &[])
        .add(
            "",
            kind::UNION,
            2,
            8,
            &[
                Name("first"),
                Number(1),
                Number(0),
                Name("second"),
                Number(2),
                Number(0),
            ],
        )
        .add("", kind::VOLATILE, 0, 3, &[])
        .add(
            "outer",
            kind::STRUCT,
            3,
            24,
            &[
                Name("head"),
                Number(1),
                Number(0),
                Name(""),
                Number(4),
                Number(64),
                Name("tail"),
                Number(1),
                Number(128),
            ],
        )
        .add(
            "",
            kind::PROTOTYPE,
            2,
            11,
            &[Name("count"), Number(1), Name("where"), Number(2)],
        )
        .add("work", kind::FUNCTION, 1, 6, &[])
        .add(
            "",
            kind::ENUM,
            2,
            4,
            &[Name("ONE"), Number(1), Name("TWO"), Number(2)],
        )
        .add("wide", kind::ENUM64, 1, 8, &[Name("BIG"), Number(7), Number(1)])
        .add("s32", kind::TYPEDEF, 0, 1, &[])
        .add("pid_t", kind::TYPEDEF, 0, 10, &[])
        .add(
            "fields",
            kind::STRUCT | 0x80,
            1,
            4,
            &[Name("field"), Number(1), Number(3 << 24 | 16)],
        )
}

fn types(file: &File) -> KernelTypes {
    KernelTypes {
        raw: Raw::parse(file.bytes()).unwrap(),
    }
}

#[test]
fn members_inside_anonymous_types_are_found() {
    let types = types(&some_types());
    assert_eq!(types.offset("outer", &["head"]), Some(0));
    assert_eq!(types.offset("outer", &["second"]), Some(8));
    assert_eq!(types.offset("outer", &["missing", "tail"]), Some(16));
    assert_eq!(types.offset("outer", &["missing"]), None);
    assert_eq!(types.offset("missing", &["head"]), None);
    assert_eq!(types.offset("fields", &["field"]), Some(2));
    assert_eq!(types.size("outer"), Some(24));
}

#[test]
fn a_prototype_has_the_parameters_and_the_size_of_the_result() {
    let types = types(&some_types());
    let prototype = types.prototype("work").unwrap();
    assert_eq!(prototype.parameters, ["count", "where"]);
    assert_eq!(prototype.result_bytes, 4);
    assert_eq!(types.function_number("work"), Some(7));
    assert_eq!(types.struct_number("outer"), Some(5));
    assert_eq!(types.struct_number("work"), None);
    assert_eq!(types.numbers(), 13);
}

#[test]
fn a_name_of_two_functions_has_no_prototype() {
    let types = types(&some_types().add("work", kind::FUNCTION, 1, 6, &[]));
    assert_eq!(types.prototype("work"), None);
    assert_eq!(types.function_number("work"), Some(7));
}

#[test]
fn functions_of_one_name_and_shape_have_a_common_prototype() {
    let stub = [Name("__unused"), Number(1), Name("where"), Number(2)];
    let twice = some_types()
        .add("", kind::PROTOTYPE, 2, 1, &stub)
        .add("work", kind::FUNCTION, 1, 13, &[]);
    let common = types(&twice).common_prototype("work").unwrap();
    assert_eq!(common.parameters, ["_", "where"]);
    assert_eq!(common.result_bytes, 4);
    let shorter =
        some_types()
            .add("", kind::PROTOTYPE, 1, 1, &stub[..2])
            .add("work", kind::FUNCTION, 1, 13, &[]);
    assert_eq!(types(&shorter).common_prototype("work"), None);
    let without_result =
        some_types()
            .add("", kind::PROTOTYPE, 2, 0, &stub)
            .add("work", kind::FUNCTION, 1, 13, &[]);
    assert_eq!(types(&without_result).common_prototype("work"), None);
}

#[test]
fn enumerators_of_all_enums_are_found() {
    let types = types(&some_types());
    let found = types.enumerators(&["TWO", "BIG", "THREE"]);
    assert_eq!(
        found,
        BTreeMap::from([("BIG".to_owned(), 7), ("TWO".to_owned(), 2)])
    );
    assert!(types.has_enumerator("wide", "BIG"));
    assert!(!types.has_enumerator("wide", "ONE"));
}

#[test]
fn cyclic_types_have_no_size_and_no_members() {
    let file = File::default()
        .add("loop", kind::TYPEDEF, 0, 1, &[])
        .add("", kind::PROTOTYPE, 0, 1, &[])
        .add("work", kind::FUNCTION, 1, 2, &[])
        .add("self", kind::STRUCT, 1, 8, &[Name(""), Number(4), Number(64)]);
    let types = types(&file);
    assert_eq!(types.prototype("work").unwrap().result_bytes, 0);
    assert_eq!(types.offset("self", &["member"]), None);
}

#[test]
fn malformed_files_are_refused_with_the_reason() {
    let parse = |bytes: &[u8]| Raw::parse(bytes.to_vec()).map(drop).unwrap_err();
    let bytes = some_types().bytes();
    assert_eq!(parse(b"\x7fELF"), Malformed::Magic);
    assert_eq!(parse(&[0x9f, 0xeb, 2]), Malformed::Version(2));
    assert_eq!(parse(&bytes[..12]), Malformed::CutOff("header"));
    assert_eq!(parse(&bytes[..60]), Malformed::CutOff("section of types"));
    assert_eq!(
        parse(&bytes[..bytes.len() - 1]),
        Malformed::CutOff("section of strings")
    );
    let unknown = File::default().add("new", 31, 0, 0, &[]);
    assert_eq!(parse(&unknown.bytes()), Malformed::Kind { number: 1, kind: 31 });
    let cut = File::default().add("", kind::ENUM, 9, 4, &[Name("ONE"), Number(1)]);
    assert_eq!(parse(&cut.bytes()), Malformed::CutOff("last type"));
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_read_without_panic(
        at in 0_usize..700, byte: u8, keep in 0_usize..700,
    ) {
        let mut bytes = some_types().bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(keep);
        if let Ok(raw) = Raw::parse(bytes) {
            let types = KernelTypes { raw };
            for name in ["outer", "fields", "work", "wide"] {
                let _ = (types.prototype(name), types.offset(name, &["second", "x"]), types.size(name));
            }
            let _ = types.enumerators(&["ONE", "BIG"]);
        }
    }
}
