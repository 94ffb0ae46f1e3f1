// SPDX-License-Identifier: AGPL-3.0-or-later

public import KernelMount

/// What a host sets for all its NFS mounts.
public struct NFSSettings: Sendable, Equatable {
    /// How long finding a server may take.
    public struct Limits: Sendable, Equatable {
        public var resolution = Duration.seconds(15)
        public var probe = Duration.seconds(5)
    }

    /// Mount options; they beat ``builtInOptions``, and are beaten by the volume's own.
    public var mountOptions = ""
    /// For volumes that name no version.
    public var versions = VersionPolicy.default
    public var limits = Limits()
    /// Shared by all copies, so that its limits hold for all of them together.
    public var resolver = NameResolver()
    /// Where rpcbind listens on servers; anything else is for tests.
    var portmapPort = RemoteProcedureCall.portmapPort

    public static let builtInOptions = "rw,noatime,soft"

    public init() {}
}
