// SPDX-License-Identifier: AGPL-3.0-or-later

public import LinuxSystem

/// Why one attempt to carry out a plan came to nothing.
public struct AttemptFailure: Error, Sendable {
    public typealias Stage = SystemCallSequence.Stage

    public var stage: Stage
    public var error: SystemError
    /// What the kernel itself said, without the level. fsopen(2) keeps up to eight messages.
    public var kernelLog: [String]
    /// Set when the attempt did not end by itself.
    public var end: SequenceKillReason?
    /// Set when not even a kill ended it.
    public var stuck: StuckSequence?
    /// Set when its time passed while the kernel had it wait for an attempt at another server, so that nothing was found out about its own.
    public var wasHeldUp = false

    public init(
        _ stage: Stage, _ error: SystemError, kernelLog: [String] = [], end: SequenceKillReason? = nil, stuck: StuckSequence? = nil
    ) {
        self.stage = stage
        self.error = error
        self.kernelLog = kernelLog
        self.end = end
        self.stuck = stuck
    }

    /// The kernel's own words for the end of a sentence; empty if it said nothing.
    public var kernelSaid: String { kernelLog.isEmpty ? "" : ", the kernel says \"\(kernelLog.joined(separator: "; "))\"" }
}

extension SystemCallSequence.Stage {
    /// The kernel refused an option before it talked to the server.
    public static func option(_ key: String) -> Self { Self("option", key) }
    /// The answer of the server, or that there was none.
    public static let server = Self("server")
    /// The file system was mounted; the subdirectory in it could not be.
    public static let subdirectory = Self("subdirectory")
    /// The file system was mounted; the folder by which it is known is not in it.
    public static let requirement = Self("requirement")
    /// Making the mount visible, or another call on this host.
    public static let local = Self("local")
    /// The caller's own calls in what was mounted; their failures are the caller's to handle.
    static let work = Self("work")

    /// The key of the option that was refused, if this is such a stage.
    public var option: String? { name == "option" ? detail : nil }
}
