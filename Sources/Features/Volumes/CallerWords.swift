// SPDX-License-Identifier: AGPL-3.0-or-later

/// How messages name what belongs to the caller of the volumes, so that a person reads the commands of the engine in use.
public struct CallerWords: Sendable {
    /// What ``VolumeDefinition/owner`` is, such as `driver name`.
    public var owner: String
    /// What holds a reference, such as `container`. Status has the holder's name under this key.
    public var holder: String
    /// The program to restart if something is stuck in it.
    public var program: String
    /// An example of a command that creates a volume.
    public var creation: String
    /// The command that removes a volume, without the volume's name.
    public var removal: String
    /// The command that shows a volume, without the volume's name.
    public var inspection: String
    /// The command that changes a volume's options, without the volume's name and the options.
    public var change: String

    public init(owner: String, holder: String, program: String, creation: String, removal: String, inspection: String, change: String) {
        self.owner = owner
        self.holder = holder
        self.program = program
        self.creation = creation
        self.removal = removal
        self.inspection = inspection
        self.change = change
    }
}
