use super::*;
use crate::kernel_memory::tests::FakeMemory;

const LAYOUT: PidLayout = PidLayout {
    thread_pid: 0,
    group_leader: 8,
    level: 4,
    numbers: 16,
    number_bytes: 16,
    nr: 0,
    namespace: 8,
};
const CONTAINER: u64 = 0xc000;

/// Makes a task with these pids, from the initial namespace on. Each namespace is an address.
fn task(memory: &mut FakeMemory, address: u64, leader: u64, pids: &[(u32, u64)]) {
    let pid = address + 0x100;
    memory.set(address, &[pid, leader]);
    let level = u64::try_from(pids.len() - 1).unwrap();
    memory.set(pid, &[level << 32, 0]);
    for (place, (number, namespace)) in (0..).zip(pids) {
        memory.set(pid + 16 + place * 16, &[(*number).into(), *namespace]);
    }
}

fn proc(pids: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("self")).unwrap();
    std::fs::write(root.path().join("self/status"), format!("NSpid:\t{pids}\n")).unwrap();
    root
}

fn seen(task: u64, pid: u64, tid: u64) -> TaskSeen {
    TaskSeen {
        task,
        pid_tgid: pid << 32 | tid,
        ..TaskSeen::default()
    }
}

#[test]
fn processes_of_the_namespace_have_its_pids_and_others_are_outside() {
    let mut memory = FakeMemory::default();
    task(&mut memory, 0x1000, 0x1000, &[(500, 1), (2, CONTAINER)]);
    // A second thread of the same process, a process of the host, a process of another container, and one of a
    // namespace inside.
    task(&mut memory, 0x2000, 0x1000, &[(501, 1), (3, CONTAINER)]);
    task(&mut memory, 0x3000, 0x3000, &[(2, 1)]);
    task(&mut memory, 0x4000, 0x4000, &[(600, 1), (2, 0xd000)]);
    task(
        &mut memory,
        0x5000,
        0x5000,
        &[(700, 1), (9, CONTAINER), (1, 0xe000)],
    );
    let found = ProcNamespace::find(&memory, LAYOUT, 0x1000, proc("2").path()).unwrap();
    let all = vec![
        seen(0x1000, 500, 500),
        seen(0x2000, 500, 501),
        seen(0x3000, 2, 2),
        seen(0x4000, 600, 600),
        seen(0x5000, 700, 700),
    ];
    let tasks = tasks(&memory, Some(&found), all);
    let ids: Vec<_> = tasks.iter().map(|task| (task.pid, task.tid)).collect();
    assert_eq!(ids, [(2, 2), (2, 3), (9, 9)]);
    let pids = Pids::of_tasks(Some(&found), &tasks);
    assert_eq!(
        [500, 2, 600, 700].map(|pid| pids.get(pid)),
        [Some(2), None, None, Some(9)]
    );
}

/// A namespace without a /proc of its own reads the pids of the host's /proc.
#[test]
fn the_proc_of_the_host_has_the_pids_of_the_host() {
    let mut memory = FakeMemory::default();
    task(&mut memory, 0x1000, 0x1000, &[(500, 1), (2, CONTAINER)]);
    assert_eq!(
        ProcNamespace::find(&memory, LAYOUT, 0x1000, proc("500\t2").path()),
        None
    );
    let tasks = tasks(&memory, None, vec![seen(0x1000, 500, 500)]);
    assert_eq!(
        (tasks[0].pid, Pids::of_tasks(None, &tasks).get(77)),
        (500, Some(77))
    );
}
