//! Containers, pods, virtual machines, services and sessions, recognized by the cgroup path alone.

mod forms;

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
    forms::prefixed(name)
        .or_else(|| forms::in_folder(name, parents))
        .or_else(|| forms::pod(name))
        .or_else(|| forms::lxc(name, parent))
        .or_else(|| forms::machine(name, parent))
        .or_else(|| forms::unit(name, parent))
}

#[cfg(test)]
mod tests;
