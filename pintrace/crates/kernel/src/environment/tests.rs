//! The checks on made-up systems.

use super::*;

fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, Roots) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let roots = Roots {
        proc: folder.path().join("proc"),
        btf: folder.path().join("btf"),
        security: folder.path().join("security"),
        ..Roots::default()
    };
    (folder, roots)
}

fn of<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

#[test]
fn a_system_that_allows_everything_is_good() {
    let (_folder, roots) = system(&[
        ("btf", "x"),
        ("proc/sys/net/core/bpf_jit_enable", "1\n"),
        ("security/lockdown", "[none] integrity confidentiality\n"),
        ("proc/self/status", "CapEff:\t000001ffffffffff\n"),
        (
            "proc/self/limits",
            "Max locked memory         8388608              8388608              bytes\n",
        ),
        ("proc/vmstat", "nr_foll_pin_acquired 0\n"),
        ("proc/sys/vm/stat_refresh", ""),
    ]);
    let checks = checks(&roots, None);
    for check in &checks {
        assert_eq!((check.state, check.remedy), (CheckState::Good, ""), "{check:?}");
    }
    assert_eq!(checks.len(), 4 + CAPABILITIES.len() + 2);
}

#[test]
fn a_file_that_is_no_btf_is_bad() {
    let (_folder, roots) = system(&[("btf", "x")]);
    let error = Kernel::read(&roots, []).err().unwrap();
    let checks = checks_without_types(&roots, &error);
    let check = of(&checks, "BTF");
    assert_eq!(check.state, CheckState::Bad);
    assert_eq!(check.found, format!("{} is not BTF", roots.btf.display()));
    assert!(check.remedy.contains("--btf"), "{check:?}");
}

#[test]
fn a_page_size_other_than_4_kib_is_bad() {
    let check = page_size(64 << 10);
    assert_eq!(
        (check.state, check.found.as_str()),
        (CheckState::Bad, "65536 bytes")
    );
    assert!(check.remedy.contains("4096"), "{check:?}");
    assert_eq!(page_size(4096).state, CheckState::Good);
}

#[test]
fn settings_that_forbid_tracing_are_bad_and_have_a_remedy() {
    let (_folder, roots) = system(&[
        ("proc/sys/net/core/bpf_jit_enable", "0\n"),
        ("security/lockdown", "none integrity [confidentiality]\n"),
        ("proc/self/status", "CapEff:\t0000000000000000\n"),
    ]);
    let checks = checks(&roots, None);
    for name in ["BTF", "JIT", "lockdown", "CAP_BPF", "CAP_PERFMON"] {
        let check = of(&checks, name);
        assert_eq!(check.state, CheckState::Bad, "{check:?}");
        assert!(!check.remedy.is_empty(), "{check:?}");
    }
    assert_eq!(of(&checks, "CAP_SYSLOG").state, CheckState::Weak);
}

#[test]
fn cap_sys_admin_includes_cap_bpf_and_cap_perfmon_alone() {
    let (_folder, roots) = system(&[("proc/self/status", "CapEff:\t0000000000200000\n")]);
    let checks = checks(&roots, None);
    assert_eq!(of(&checks, "CAP_BPF").state, CheckState::Good);
    assert_eq!(of(&checks, "CAP_PERFMON").state, CheckState::Good);
    assert_eq!(of(&checks, "CAP_SYSLOG").state, CheckState::Weak);
}

#[test]
fn a_pid_namespace_is_named_with_the_remedy() {
    let (_folder, roots) = system(&[("proc/1/x", "")]);
    std::fs::create_dir_all(roots.proc.join("1/ns")).unwrap();
    std::os::unix::fs::symlink("pid:[4026532178]", roots.proc.join("1/ns/pid")).unwrap();
    let checks = super::checks(&roots, None);
    let check = of(&checks, "pid namespace");
    assert_eq!(check.state, CheckState::Bad);
    assert!(check.remedy.contains("--pid=host"), "{check:?}");
}

#[test]
fn memory_that_is_not_scanned_is_named_where_there_is_some() {
    let text = "100000000-13fffffff : Persistent Memory\n";
    let (_folder, roots) = system(&[("proc/iomem", text)]);
    let checks = super::checks(&roots, None);
    let check = of(&checks, "device memory");
    assert!(
        check.found.starts_with("Persistent Memory (1024 MiB)"),
        "{check:?}"
    );
    assert!(check.remedy.contains("daxctl"), "{check:?}");
    let (_folder, roots) = system(&[("proc/iomem", "00001000-0009fbff : System RAM\n")]);
    let checks = super::checks(&roots, None);
    assert!(checks.iter().all(|check| check.name != "device memory"));
}

#[test]
fn the_page_for_users_has_the_remedy_of_each_check() {
    let (_folder, roots) = system(&[
        ("proc/sys/net/core/bpf_jit_enable", "0\n"),
        ("security/lockdown", "none integrity [confidentiality]\n"),
        ("proc/self/status", "CapEff:\t0000000000000000\n"),
        ("proc/iomem", "100000000-13fffffff : Persistent Memory\n"),
        ("proc/1/x", ""),
    ]);
    std::fs::create_dir_all(roots.proc.join("1/ns")).unwrap();
    std::os::unix::fs::symlink("pid:[4026532178]", roots.proc.join("1/ns/pid")).unwrap();
    let (_folder, counters) = system(&[("proc/vmstat", "nr_foll_pin_acquired 0\n")]);
    let mut checks = checks(&roots, None);
    checks.extend([page_size(64 << 10), vmstat(&counters.proc)]);
    let remedies: Vec<_> = checks.iter().filter(|check| !check.remedy.is_empty()).collect();
    assert!(remedies.len() > 10, "{remedies:?}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/troubleshooting.md");
    let plain = |text: &str| text.replace('`', "").to_lowercase();
    let page = plain(&std::fs::read_to_string(page).unwrap());
    for check in remedies {
        assert!(page.contains(&plain(check.name)), "{}", check.name);
        assert!(
            page.contains(&plain(check.remedy)),
            "{}: {}",
            check.name,
            check.remedy
        );
    }
}

#[test]
fn unreadable_settings_are_unknown() {
    let (_folder, roots) = system(&[]);
    let checks = checks(&roots, None);
    for name in ["JIT", "lockdown", "CAP_BPF", "memlock"] {
        assert_eq!(of(&checks, name).state, CheckState::Unknown, "{name}");
    }
}
