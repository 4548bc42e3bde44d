//! The well-known forms of cgroup paths.

use proptest::prelude::*;

use super::forms::unescape;
use super::*;

const ID: &str = "4a5f0e6cb1d3c7f1a2b39c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f";

/// Each path with its innermost owner; `ID` stands for a container id. The ids are shown with 12 digits.
const PATHS: &[(&str, &str)] = &[
    // Docker with the systemd driver, with the cgroupfs driver, and rootless.
    ("/system.slice/docker-ID.scope", "docker 4a5f0e6cb1d3"),
    ("/docker/ID", "docker 4a5f0e6cb1d3"),
    ("/docker/ID/init.scope", "docker 4a5f0e6cb1d3"),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
        "docker 4a5f0e6cb1d3",
    ),
    ("/docker/buildkit/ID", "docker 4a5f0e6cb1d3"),
    // containerd below Kubernetes, with the systemd driver; nerdctl; ctr.
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7e2c1f30_9d4b_4c0e_8f7a_0123456789ab.slice/cri-containerd-ID.scope",
        "containerd 4a5f0e6cb1d3",
    ),
    ("/system.slice/nerdctl-ID.scope", "containerd 4a5f0e6cb1d3"),
    ("/default/ID", "containerd 4a5f0e6cb1d3"),
    // Kubernetes with the cgroupfs driver; a pod without a container; a static pod; kind and k3s.
    (
        "/kubepods/besteffort/pod7e2c1f30-9d4b-4c0e-8f7a-0123456789ab/ID",
        "kubernetes 4a5f0e6cb1d3",
    ),
    (
        "/kubepods/pod7e2c1f30-9d4b-4c0e-8f7a-0123456789ab",
        "pod 7e2c1f30-9d4",
    ),
    (
        "/kubepods.slice/kubepods-pod7e2c1f30_9d4b_4c0e_8f7a_0123456789ab.slice",
        "pod 7e2c1f30-9d4",
    ),
    (
        "/kubepods/burstable/pod0123456789abcdef0123456789abcdef",
        "pod 0123456789ab",
    ),
    (
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod7e2c1f30_9d4b_4c0e_8f7a_0123456789ab.slice",
        "pod 7e2c1f30-9d4",
    ),
    // CRI-O, and podman with root and without.
    ("/kubepods.slice/crio-ID.scope", "cri-o 4a5f0e6cb1d3"),
    ("/kubepods.slice/crio-ID.scope/container", "cri-o 4a5f0e6cb1d3"),
    ("/machine.slice/libpod-ID.scope/container", "podman 4a5f0e6cb1d3"),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
        "podman 4a5f0e6cb1d3",
    ),
    (
        "/machine.slice/machine-libpod_pod_ID.slice",
        "podman 4a5f0e6cb1d3",
    ),
    ("/libpod_parent/libpod-ID", "podman 4a5f0e6cb1d3"),
    // Amazon ECS.
    (
        "/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890",
        "ecs 0123456789ab",
    ),
    ("/ecs/0123456789abcdef0123456789abcdef/ID", "ecs 4a5f0e6cb1d3"),
    // LXC, LXD and Incus.
    ("/lxc.payload.web-1/system.slice/nginx.service", "service nginx"),
    ("/lxc.payload.web-1", "lxc web-1"),
    ("/lxc.payload.web-1/init.scope", "lxc web-1"),
    ("/lxc/old", "lxc old"),
    // systemd-nspawn, machines of libvirt.
    (
        "/machine.slice/systemd-nspawn@debian.service/payload",
        "nspawn debian",
    ),
    (
        "/machine.slice/machine-qemu\\x2d1\\x2dguest.scope/libvirt/emulator",
        "machine qemu-1-guest",
    ),
    ("/machine.slice/guest-seven.scope", "machine guest-seven"),
    // Services, sessions and users.
    ("/system.slice/postgresql.service", "service postgresql"),
    ("/system.slice/ssh.service (deleted)", "service ssh"),
    (
        "/system.slice/system-getty.slice/getty@tty1.service",
        "service getty@tty1",
    ),
    ("/database.slice/mysqld.service/worker", "service mysqld"),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/obs.service",
        "service obs",
    ),
    ("/user.slice/user-1000.slice/session-3.scope", "session 3"),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/foot.scope",
        "user 1000",
    ),
    ("/user.slice/user-0.slice", "user 0"),
    // Controls: the monitors of containers, short ids and other groups are no containers.
    ("/machine.slice/libpod-conmon-ID.scope", "-"),
    ("/system.slice/crio-conmon-ID.scope", "-"),
    ("/lxc.monitor.web-1", "-"),
    ("/docker/4a5f0e6cb1d3", "-"),
    ("/mine/ID", "-"),
    ("/ecs/ID", "-"),
    ("/init.scope", "-"),
    ("/system.slice", "-"),
    ("/", "-"),
    ("", "-"),
];

#[test]
fn owners_are_recognized_in_well_known_paths() {
    for (path, wanted) in PATHS {
        let owner = of_path(&path.replace("ID", ID));
        let text = owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string());
        assert_eq!(text, wanted.replace("ID", ID), "{path}");
    }
}

#[test]
fn a_cgroup_inside_a_container_has_no_owner_of_its_own() {
    let scope = format!("docker-{ID}.scope");
    assert!(of_cgroup(&["system.slice", &scope]).is_some());
    assert_eq!(of_cgroup(&["system.slice", &scope, "init.scope"]), None);
    assert_eq!(of_cgroup(&["system.slice"]), None);
    assert_eq!(of_cgroup(&[]), None);
}

#[test]
fn escapes_of_unit_names_are_replaced_where_they_are_printable() {
    assert_eq!(unescape("a\\x2db"), "a-b");
    assert_eq!(unescape("\\x1b[2J\\x"), "\\x1b[2J\\x");
    assert_eq!(unescape("\\xé\\x2"), "\\xé\\x2");
}

proptest! {
    #[test]
    fn any_path_is_accepted(path in "\\PC{0,40}", tail in any::<String>()) {
        let _ = of_path(&format!("/machine.slice/machine-{path}.scope/{tail}"));
        let _ = of_path(&tail);
    }
}
