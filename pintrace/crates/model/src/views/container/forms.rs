//! The names that container runtimes, Kubernetes and systemd give to cgroups.

use super::{Container, ContainerKind};

/// Digits that are shown of an id, as `docker ps` shows them.
const SHORT: usize = 12;
/// Digits of a container id.
const ID_DIGITS: usize = 64;

/// Prefixes of a scope or folder whose name ends in a container id.
const ID_PREFIXES: &[(&str, ContainerKind)] = &[
    ("docker-", ContainerKind::Docker),
    ("cri-containerd-", ContainerKind::Containerd),
    ("nerdctl-", ContainerKind::Containerd),
    ("crio-", ContainerKind::CriO),
    ("libpod-", ContainerKind::Podman),
    ("libpod_pod_", ContainerKind::Podman),
];

/// Recognizes `docker-ID.scope` and its like, and the same without `.scope`.
pub(super) fn prefixed(name: &str) -> Option<Container> {
    let name = name
        .strip_suffix(".scope")
        .or_else(|| name.strip_suffix(".slice"))
        .unwrap_or(name);
    // The slice of a pod of podman: `machine-libpod_pod_ID.slice`, or `user-libpod_pod_ID.slice` without root.
    let name = ["machine-", "user-"]
        .iter()
        .find_map(|slice| name.strip_prefix(slice))
        .unwrap_or(name);
    let matches = ID_PREFIXES.iter().find_map(|(prefix, kind)| {
        let id = name.strip_prefix(prefix).filter(|id| is_id(id))?;
        Some((*kind, id))
    });
    matches.map(|(kind, id)| Container {
        kind,
        name: short(id),
    })
}

/// Recognizes a cgroup that has only the id of its container as a name, as the cgroupfs drivers name it.
pub(super) fn in_folder(name: &str, parents: &[&str]) -> Option<Container> {
    let below = |folder: &str| parents.contains(&folder);
    let parent = parents.last().copied().unwrap_or_default();
    let kind = match parent {
        "ecs" => return None,
        _ if below("ecs") && is_ecs_id(name) => ContainerKind::Ecs,
        _ if !is_id(name) => return None,
        _ if below("docker") || below("buildkit") => ContainerKind::Docker,
        _ if pod(parent).is_some() => ContainerKind::Kubernetes,
        "libpod_parent" => ContainerKind::Podman,
        "default" | "k8s.io" | "moby" => ContainerKind::Containerd,
        _ => return None,
    };
    Some(Container {
        kind,
        name: short(name),
    })
}

/// Recognizes `podUID`, and `kubepods-burstable-podUID.slice` with `_` in place of `-`.
pub(super) fn pod(name: &str) -> Option<Container> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => slice
            .split_once("kubepods")?
            .1
            .rsplit_once("-pod")?
            .1
            .replace('_', "-"),
        None => name.strip_prefix("pod")?.to_owned(),
    };
    let is_uid = uid.len() >= 32 && uid.chars().all(|digit| digit.is_ascii_hexdigit() || digit == '-');
    is_uid.then(|| Container {
        kind: ContainerKind::Pod,
        name: short(&uid),
    })
}

/// Recognizes `lxc.payload.NAME`, and `/lxc/NAME` of LXC before version 4.
pub(super) fn lxc(name: &str, parent: &str) -> Option<Container> {
    let named = match parent {
        "lxc" => Some(name),
        _ => name.strip_prefix("lxc.payload."),
    };
    named.filter(|name| !name.is_empty()).map(|name| Container {
        kind: ContainerKind::Lxc,
        name: unescape(name),
    })
}

/// Recognizes the units of systemd's `machine.slice`.
pub(super) fn machine(name: &str, parent: &str) -> Option<Container> {
    // The monitor of a container is no machine.
    if parent != "machine.slice" || name.starts_with("libpod-conmon-") {
        return None;
    }
    let (kind, name) = if let Some(nspawn) = name.strip_prefix("systemd-nspawn@") {
        (ContainerKind::Nspawn, nspawn.strip_suffix(".service")?)
    } else {
        let scope = name.strip_suffix(".scope")?;
        (
            ContainerKind::Machine,
            scope.strip_prefix("machine-").unwrap_or(scope),
        )
    };
    Some(Container {
        kind,
        name: unescape(name),
    })
}

/// Recognizes services, sessions and users of systemd. `user@UID.service` is all of a user.
pub(super) fn unit(name: &str, parent: &str) -> Option<Container> {
    let is_slice = |name: &str| name.strip_suffix(".slice").is_some();
    let (kind, name) = if let Some(service) = name.strip_suffix(".service").filter(|_| is_slice(parent)) {
        (ContainerKind::Service, service)
    } else if parent.starts_with("user-") {
        let session = name.strip_prefix("session-")?.strip_suffix(".scope")?;
        (ContainerKind::Session, session)
    } else if parent == "user.slice" {
        (
            ContainerKind::User,
            name.strip_prefix("user-")?.strip_suffix(".slice")?,
        )
    } else {
        return None;
    };
    (!name.starts_with("user@")).then(|| Container {
        kind,
        name: unescape(name),
    })
}

fn is_id(name: &str) -> bool {
    name.len() == ID_DIGITS && name.chars().all(|digit| digit.is_ascii_hexdigit())
}

/// ECS names containers by 64 digits, or by the 32 digits of the task with a number.
fn is_ecs_id(name: &str) -> bool {
    let (task, number) = name.split_once('-').unwrap_or((name, "0"));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit());
    is_id(name) || task.len() == 32 && task.chars().all(|digit| digit.is_ascii_hexdigit()) && digits(number)
}

fn short(id: &str) -> String {
    id.chars().take(SHORT).collect()
}

/// Replaces the escapes of systemd's unit names, such as `\x2d` for `-`.
pub(super) fn unescape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        text.push_str(before);
        let digits = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = digits.filter(u8::is_ascii_graphic) {
            text.push(char::from(byte));
            rest = &after[2..];
        } else {
            text.push_str("\\x");
            rest = after;
        }
    }
    text + rest
}
