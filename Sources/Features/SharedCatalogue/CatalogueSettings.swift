// SPDX-License-Identifier: AGPL-3.0-or-later

/// How this host takes part in the catalogue of a share.
public struct CatalogueSettings: Sendable {
    /// The owners of volumes that may come from other hosts.
    public var owners: [String]
    /// How often the share's catalogue is read.
    public var refresh = Duration.seconds(10)
    /// What tells this host from the others in the catalogue; nil: /etc/machine-id does.
    package var node: String?

    public init(owners: [String]) { self.owners = owners }
}
