// SPDX-License-Identifier: AGPL-3.0-or-later

package import KernelMount

/// Why a removed volume's directory could not be archived or deleted. As ``StorageError``, and whether some of it may be done.
package struct DisposalError: Error, CustomStringConvertible {
    package var description: String
    /// A part is done, or may be, and doing it again goes on from there.
    package var hasBegun = false
    package var code = StorageError.Code.disposal
    /// The error below it, if there is one.
    package var cause: (any Error)?
    /// Set while the kernel still holds the killed process that worked there.
    package var stuck: StuckProcess?

    /// Another volume's data would go too.
    package static func sharedDirectory(of definition: VolumeDefinition, with other: VolumeName) -> DisposalError {
        DisposalError(
            description:
                "cannot remove volume \(definition.name): onremove=\(definition.options.removal.rawValue) would touch the directory of volume \(other), which shares it; remove that volume first",
            code: .inUse)
    }

    /// The same failure, if undoing what came before it failed too.
    package func followed(by second: some Error) -> DisposalError {
        var both = self
        both.description = "\(description); and then: \(second)"
        return both
    }
}
