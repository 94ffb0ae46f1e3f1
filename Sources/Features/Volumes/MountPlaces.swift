// SPDX-License-Identifier: AGPL-3.0-or-later

public import SystemPackage

/// Where the volumes of a caller are mounted.
public protocol MountPlaces: Sendable {
    /// Every place is below this folder, and nothing else is: what is found in it and belongs to no volume is tidied up.
    var folder: FilePath { get }
    /// Where a volume is mounted; always the same place for a name, and no place of two volumes is inside another.
    func place(of name: VolumeName) -> FilePath
}

/// A folder for each volume, with the volume's encoded name.
public struct FolderForEachVolume: MountPlaces {
    public let folder: FilePath

    public init(in folder: FilePath) { self.folder = folder }

    public func place(of name: VolumeName) -> FilePath { folder.appending(name.fileName) }
}
