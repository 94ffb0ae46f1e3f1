// SPDX-License-Identifier: AGPL-3.0-or-later

/// The program that has the runtime create a container.
public enum ContainerEngine: String, Sendable {
    case docker
    /// A plugin that Docker runs in a container of its own (`docker plugin install`).
    case dockerPlugin = "docker plugin"
    /// podman, CRI-O, and other engines with the same storage.
    case podman
    /// containerd for Kubernetes.
    case containerd
    case nerdctl
    /// Also `podman build`.
    case buildah
    /// A user without an engine, or an unknown engine.
    case other
}
