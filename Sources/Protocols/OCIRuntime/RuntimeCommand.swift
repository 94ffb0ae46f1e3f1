// SPDX-License-Identifier: AGPL-3.0-or-later

/// What an OCI runtime is asked to do, as far as mount point plugins have to do with it.
public enum RuntimeCommand: Sendable, Equatable {
    case create(ContainerCreation)
    /// `create` and `start` in one, and where it is not detached also the container's whole life.
    case run(ContainerCreation)
    /// `run` from a checkpoint.
    case restore(ContainerCreation)
    case start(ContainerID)
    case delete(ContainerSelection, force: Bool)
    /// - signal: as written, a name or a number; nil for the default, SIGTERM.
    case kill(ContainerSelection, signal: String?, all: Bool)
    /// Our own: says what is wrong. With the words after it.
    case doctor([String])
    /// Our own: says which plugins have attached to which mounts. With the words after it.
    case status([String])
    /// Our own: says what plugins would make of mounts. With the words after it.
    case ask([String])
    /// Our own: asks plugins again that could not be asked to detach. With the words after it.
    case detach([String])
    /// Our own: tells plugins of containers that a reboot has ended. With the words after it.
    case recover([String])
    /// Everything else, known or not: the runtime below answers for it.
    case handedOver
}

/// Which containers a `delete` or `kill` is about.
public enum ContainerSelection: Sendable, Equatable {
    case id(ContainerID)
    /// crun's `--regex`: every container whose id a POSIX extended regular expression matches anywhere.
    case matching(String)
}

/// What `create`, `run` and `restore` have been told. Paths are as written, relative ones relative to the working directory.
public struct ContainerCreation: Sendable, Equatable {
    public var id: ContainerID
    /// The bundle's folder; nil means the working directory, and so does an empty one to runc, which crun refuses.
    public var bundle: PathArgument?
    /// Another file in place of the bundle's config.json. The text `config.json` itself means the bundle's to crun and the
    /// working directory's to those runc that have the flag.
    public var config: PathArgument?
    public var pidFile: String?
    public var consoleSocket: String?
    public var pidfdSocket: String?
    /// Descriptors after standard error that the container gets besides those of LISTEN_FDS.
    public var preservedDescriptors: Int
    /// Of `run` and `restore`: returns when the container's process runs.
    public var isDetached: Bool
    /// Of `run`: does not delete the container when it ends.
    public var isKept: Bool
    /// Of `run` and `restore`: does not become the parent of the container's orphans.
    public var hasNoSubreaper: Bool
}
