//! `scan --pfn`, `--address` and `--fd`: one page or one descriptor explained. The same tests run in guests and, if
//! permitted, on this machine (`cargo xtask test`).

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{
    Checks, PAGE, Pinload, Started, expected, hexadecimal, kernel_at_least, left_out, number,
};
use crate::scan::is_possible;

/// Runs `pintrace scan` with these words and `--json`.
fn explain(words: &str) -> Value {
    let output = Command::new("pintrace")
        .arg("scan")
        .args(words.split(' '))
        .arg("--json")
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Moves pages from the lists of each CPU to the LRU. A page in such a list has one reference more (`compact_nodes`
/// drains the lists).
fn drain_lists() {
    fs::write("/proc/sys/vm/compact_memory", "1").unwrap();
}

/// Returns the descriptors of a process whose links begin with `begin`.
fn descriptors(pid: u64, begin: &str) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let links =
        paths.filter(|path| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with(begin)));
    links
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn a_pinned_page_is_taken_apart_into_its_holders_and_mappings() {
    const NAME: &str = "a_pinned_page_is_taken_apart_into_its_holders_and_mappings";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    for (words, subsystem) in [
        ("io-uring", "io_uring"),
        ("io-uring --backing thp", "io_uring"),
        ("af-xdp --backing hugetlb --pages 512", "af_xdp"),
        ("af-xdp", "af_xdp"),
    ] {
        let words = format!("{words} --reserve");
        let (pinload, ready) = match Pinload::start(&words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(&words, &why);
                continue;
            }
        };
        checks.about(words.as_str());
        drain_lists();
        let (pid, at) = (number(&ready["pid"]), hexadecimal(&ready["address"]));
        let document = explain(&format!("--address {pid}:{at:#x}"));
        checks.same("state", text(&document["address"]["state"]), "present");
        let page = &document["page"];
        let small = page["folio"]["order"] == 0;
        let pins = if small {
            1
        } else {
            expected(&ready, "held").unwrap()
        };
        let references = &page["references"];
        checks.same("pins", number(&references["pins"]), pins);
        checks.same("unexplained references", &references["unexplained"], &json!(0));
        checks.same("mappings", &references["mappings"], &json!(1));
        let holders = page["holders"].as_array().unwrap();
        checks.same("holders", holders.len(), 1);
        for holder in holders {
            checks.same("pid", number(&holder["pid"]), pid);
            checks.same("subsystem", text(&holder["subsystem"]), subsystem);
            checks.same("evidence", text(&holder["evidence"]), "kernel_table");
            checks.same("pins of the holder", number(&holder["pins"]), pins);
        }
        let mapped = page["mapped_by"].as_array().unwrap();
        let place = (mapped.len(), mapped.first().map(|one| number(&one["pid"])));
        if mapped.is_empty() && words.contains("hugetlb") && kernel_at_least(7, 0) {
            left_out(
                &words,
                &"the reverse map of this kernel does not lead to the hugetlb mapping",
            );
        } else {
            checks.same("mappings found", place, (1, Some(pid)));
        }
        checks.same("migration", text(&page["migration"]), "pinned");
        checks.same("unknown pins", &page["unknown_pins"], &json!(0));
        checks.same(
            "the page by its frame number",
            &explain(&format!("--pfn {}", page["pfn"]))["page"]["holders"],
            &page["holders"],
        );
        // The range of the folio, and of as many frames on both sides.
        let (head, pages) = (
            number(&page["folio"]["pfn"]),
            1 << number(&page["folio"]["order"]),
        );
        let around = explain(&format!("--pfn {}-{}", head - pages, head + 2 * pages - 1));
        let folios = around["range"]["folios"].as_array().unwrap();
        let row = folios.iter().find(|row| number(&row["last"]) >= head);
        let row = row.unwrap_or(&Value::Null);
        checks.same("holder in the range", number(&row["holder"]["pid"]), pid);
        checks.same("pins in the range", number(&row["pins"]), pins);
        checks.holds(
            number(&around["range"]["pinned_frames"]) >= pages,
            "frames that are pinned in the range",
        );
        checks.holds(pinload.end().success(), "pinload's end");
    }
    checks.conclude();
}

#[test]
fn the_holders_of_a_shared_page_are_told_apart() {
    const NAME: &str = "the_holders_of_a_shared_page_are_told_apart";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let (pinload, ready) = Pinload::hold("io-uring --shared-memory", 2);
    drain_lists();
    let pids: BTreeSet<u64> = ready.iter().map(|line| number(&line["pid"])).collect();
    let (pid, at) = (number(&ready[0]["pid"]), hexadecimal(&ready[0]["address"]));
    let page = &explain(&format!("--address {pid}:{at:#x}"))["page"];
    let references = &page["references"];
    let parts = [
        "pins",
        "of_pins",
        "mappings",
        "page_cache",
        "unexplained",
        "total",
    ];
    let counts = parts.map(|part| references[part].as_i64());
    checks.same("references", counts, [2, 2048, 2, 1, 0, 2051].map(Some));
    for (key, what) in [("holders", "holders"), ("mapped_by", "mappings")] {
        let found = page[key].as_array().unwrap().iter();
        let found: BTreeSet<u64> = found.map(|one| number(&one["pid"])).collect();
        checks.same(what, found, pids.clone());
    }
    for holder in page["holders"].as_array().unwrap() {
        checks.same("pins of a holder", number(&holder["pins"]), 1);
    }
    checks.holds(pinload.end().success(), "pinload's end");
    checks.conclude();
}

#[test]
fn a_page_without_pins_has_no_holder_and_can_be_migrated() {
    const NAME: &str = "a_page_without_pins_has_no_holder_and_can_be_migrated";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let pid = std::process::id();
    let memory = vec![1u8; 3 * usize::try_from(PAGE).unwrap()];
    let at = (memory.as_ptr() as u64).next_multiple_of(PAGE);
    drain_lists();
    checks.about("anonymous memory");
    let document = explain(&format!("--address {pid}:{at:#x}"));
    let page = &document["page"];
    checks.same("kind", text(&page["kind"]), "anon");
    checks.same("holders", &page["holders"], &json!([]));
    checks.same("pins", &page["references"]["pins"], &json!(0));
    checks.same("unexplained", &page["references"]["unexplained"], &json!(0));
    checks.same("migration", text(&page["migration"]), "possible");
    checks.about("a page of a file");
    let code = explain as *const () as u64;
    let document = explain(&format!("--address {pid}:{code:#x}"));
    let page = &document["page"];
    checks.same("kind", text(&page["kind"]), "file");
    let executable = fs::read_link("/proc/self/exe").unwrap();
    checks.same("path", text(&page["file"]["path"]), executable.to_str().unwrap());
    checks.same("holders", &page["holders"], &json!([]));
    drop(memory);
    checks.conclude();
}

#[test]
fn a_descriptor_is_explained_with_its_pages_and_with_all_who_have_it_open() {
    const NAME: &str = "a_descriptor_is_explained_with_its_pages_and_with_all_who_have_it_open";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    for (words, link, kind) in [
        ("io-uring --shared-ring", "anon_inode:[io_uring]", "io_uring"),
        ("af-xdp", "socket:", "af_xdp"),
        ("udmabuf", "/dmabuf:", "udmabuf"),
    ] {
        let (pinload, ready) = match Pinload::start(words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(words, &why);
                continue;
            }
        };
        checks.about(words);
        let pid = number(&ready["pid"]);
        let owner = ready["ring_owner_pid"].as_u64();
        let fds = descriptors(pid, link);
        checks.same("descriptors", fds.len(), 1);
        let Some(fd) = fds.first() else { continue };
        let document = explain(&format!("--fd {pid}:{fd}"));
        let found = &document["descriptor"];
        checks.same("kind", text(&found["kind"]), kind);
        checks.same("pinned", number(&found["pinned"]["pages"]), 64);
        let tables = found["tables"].as_array().unwrap();
        let sum = |key: &str| tables.iter().map(|table| number(&table[key])).sum::<u64>();
        checks.same("pinned pages of the tables", sum("pinned"), 64);
        let openers = found["opened_by"].as_array().unwrap();
        let pids: BTreeSet<u64> = openers.iter().map(|one| number(&one["pid"])).collect();
        checks.same("who has it open", pids, owner.into_iter().chain([pid]).collect());
        let own = openers.iter().any(|one| one["pid"] == pid && one["fd"] == *fd);
        checks.holds(own, "the descriptor itself is listed");
        checks.holds(pinload.end().success(), "pinload's end");
    }
    checks.conclude();
}

#[test]
fn a_plain_file_holds_nothing() {
    const NAME: &str = "a_plain_file_holds_nothing";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let pid = u64::from(std::process::id());
    let file = fs::File::open("/proc/self/exe").unwrap();
    let executable = fs::read_link("/proc/self/exe").unwrap();
    for fd in descriptors(pid, executable.to_str().unwrap()) {
        let found = &explain(&format!("--fd {pid}:{fd}"))["descriptor"];
        checks.about(format!("{found}"));
        checks.same("kind", text(&found["kind"]), "file");
        checks.same("tables", &found["tables"], &Value::Null);
        checks.same("pinned", &found["pinned"]["pages"], &json!(0));
        checks.holds(found["without_tables"].is_string(), "a reason");
        checks.same(
            "who has it open",
            &found["opened_by"],
            &json!([{"pid": pid, "fd": fd}]),
        );
    }
    drop(file);
    checks.conclude();
}

#[test]
fn what_cannot_be_explained_is_an_error_with_a_remedy() {
    const NAME: &str = "what_cannot_be_explained_is_an_error_with_a_remedy";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let pid = std::process::id();
    for (words, code, part) in [
        ("--pfn 0xffffffffff".to_owned(), 1, "has no struct page"),
        ("--pfn 1f".to_owned(), 2, "after 0x"),
        ("--pfn 0x20-0x10".to_owned(), 2, "no frame"),
        (
            "--pfn 0xfffffffff0-0xffffffffff".to_owned(),
            1,
            "has no struct page",
        ),
        ("--address 4194999:0x1000".to_owned(), 1, "no process has the pid"),
        (format!("--address {pid}:0x10"), 1, "maps nothing at 0x10"),
        (format!("--fd {pid}:9999"), 1, "has no descriptor 9999"),
        ("--fd 4194999:0".to_owned(), 1, "no process has the pid"),
        ("--fd 1".to_owned(), 2, "PID:FD"),
        ("--pfn 1 --fd 1:1".to_owned(), 2, "cannot be used with"),
    ] {
        let output = Command::new("pintrace")
            .arg("scan")
            .args(words.split(' '))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        checks.about(&words);
        checks.same("exit code", output.status.code(), Some(code));
        checks.holds(error.contains(part), &format!("`{part}` in {error}"));
    }
    // A page that the process has never touched is no error.
    // SAFETY: a new mapping, which nothing reads or writes.
    let at = unsafe {
        rustix::mm::mmap_anonymous(
            std::ptr::null_mut(),
            usize::try_from(PAGE).unwrap(),
            rustix::mm::ProtFlags::READ,
            rustix::mm::MapFlags::PRIVATE,
        )
    };
    let document = explain(&format!("--address {pid}:{:#x}", at.unwrap() as u64));
    checks.about("a page never touched");
    checks.same("state", text(&document["address"]["state"]), "not_populated");
    checks.same("page", &document["page"], &Value::Null);
    checks.conclude();
}
