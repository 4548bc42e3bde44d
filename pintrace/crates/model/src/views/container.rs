//! Containers, pods, virtual machines, services and sessions, recognized by the cgroup path alone.

use std::fmt;

/// The program that made a cgroup, or the kind of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContainerKind {
    /// A container of Docker.
    Docker,
    /// A container of containerd.
    Containerd,
    /// A container of CRI-O.
    CriO,
    /// A container of podman, or its pod.
    Podman,
    /// A container of Kubernetes whose path does not say which runtime made it.
    Kubernetes,
    /// A pod of Kubernetes.
    Pod,
    /// A container of Amazon ECS.
    Ecs,
    /// A container of LXC, LXD or Incus.
    Lxc,
    /// A container of systemd-nspawn.
    Nspawn,
    /// A machine that is registered with systemd, such as a virtual machine of libvirt.
    Machine,
    /// A service of systemd.
    Service,
    /// A session of a user.
    Session,
    /// All processes of a user.
    User,
}

impl ContainerKind {
    /// Returns the name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Podman => "podman",
            Self::Kubernetes => "kubernetes",
            Self::Pod => "pod",
            Self::Ecs => "ecs",
            Self::Lxc => "lxc",
            Self::Nspawn => "nspawn",
            Self::Machine => "machine",
            Self::Service => "service",
            Self::Session => "session",
            Self::User => "user",
        }
    }
}

/// The owner of a cgroup, as its path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Program or kind.
    pub kind: ContainerKind,
    /// The first 12 digits of the id, or the name.
    pub name: String,
}

impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.as_str(), self.name)
    }
}

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

/// Returns the owner of the innermost cgroup of a path that has one; `None` if the path names none.
#[must_use]
pub fn of_path(path: &str) -> Option<Container> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    (1..=segments.len())
        .rev()
        .find_map(|length| of_cgroup(&segments[..length]))
}

/// Returns the owner of one cgroup, by its own name and the names of its parents. `segments` are the parts of its path,
/// outermost first. A cgroup inside a container has no owner of its own.
#[must_use]
pub fn of_cgroup(segments: &[&str]) -> Option<Container> {
    let (last, parents) = segments.split_last()?;
    // The kernel appends this to the path of a cgroup that was removed.
    let name = last.strip_suffix(" (deleted)").unwrap_or(last);
    let parent = parents.last().copied().unwrap_or_default();
    let found = |kind, name: &str| {
        Some(Container {
            kind,
            name: name.to_owned(),
        })
    };
    prefixed(name)
        .or_else(|| in_folder(name, parents))
        .or_else(|| pod(name))
        .or_else(|| lxc(name, parent))
        .or_else(|| machine(name, parent))
        .or_else(|| match (parent, name) {
            ("system.slice", unit) => found(ContainerKind::Service, unit.strip_suffix(".service")?),
            (user, unit) if user.starts_with("user-") => {
                let session = unit.strip_prefix("session-")?.strip_suffix(".scope")?;
                found(ContainerKind::Session, session)
            }
            ("user.slice", slice) => found(
                ContainerKind::User,
                slice.strip_prefix("user-")?.strip_suffix(".slice")?,
            ),
            _ => None,
        })
}

/// Recognizes `docker-ID.scope` and its like, and the same without `.scope`.
fn prefixed(name: &str) -> Option<Container> {
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
fn in_folder(name: &str, parents: &[&str]) -> Option<Container> {
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
fn pod(name: &str) -> Option<Container> {
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
fn lxc(name: &str, parent: &str) -> Option<Container> {
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
fn machine(name: &str, parent: &str) -> Option<Container> {
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
fn unescape(name: &str) -> String {
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

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
