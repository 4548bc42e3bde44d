use super::*;

fn parts(total: u64, pins: u64, unexplained: i64) -> References {
    References {
        total,
        pins,
        unexplained: Some(unexplained),
        ..References::default()
    }
}

#[test]
fn migration_follows_from_flags_and_references() {
    let anon = Some(MemoryKind::Anon);
    for (head, own, kind, references, expected) in [
        (flags::BUDDY, 0, None, parts(0, 0, 0), Migration::Free),
        (0, 0, None, parts(0, 0, 0), Migration::Free),
        (0, 0, anon, parts(1, 0, 0), Migration::Possible),
        (0, 0, anon, parts(1025, 1, 0), Migration::Pinned),
        (0, 0, anon, parts(2, 0, 1), Migration::Referenced),
        (0, flags::HWPOISON, anon, parts(1025, 1, 0), Migration::Poisoned),
        (1 << 7, 0, None, parts(1, 0, 1), Migration::Kernel),
        (0, 0, Some(MemoryKind::Other), parts(1, 0, 1), Migration::Kernel),
        (
            flags::RESERVED,
            0,
            Some(MemoryKind::Other),
            parts(1, 0, 1),
            Migration::Kernel,
        ),
    ] {
        assert_eq!(
            migration(head, own, kind, &references),
            expected,
            "{references:?}"
        );
    }
}

#[test]
fn pins_on_a_folio_are_found_by_holder() {
    let run = |pfn, folios, order, pins| FolioRun {
        pfn,
        folios,
        order,
        kind: MemoryKind::Anon,
        pins,
        exclusive: None,
        index: 0,
    };
    let runs = [run(8, 4, 0, 1), run(9, 1, 0, 2), run(512, 1, 9, 64)];
    assert_eq!(
        [7, 8, 9, 12, 512, 1024].map(|head| runs_on(&runs, head)),
        [0, 1, 3, 0, 64, 0]
    );
}
