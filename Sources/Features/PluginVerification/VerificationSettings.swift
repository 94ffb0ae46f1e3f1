// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// What is verified, and how.
public struct VerificationSettings: Sendable {
    /// The path of the plugin's UNIX socket.
    public var socket: String
    /// Those to be tried.
    public var rules: [VerificationRule] = VerificationRule.allCases
    /// Mounts that the plugin takes part in; the first serves for rules that need one. Where there is none, one is made up after the
    /// plugin's patterns, with a folder of the verification's own as its source.
    public var mounts: [MountPoint] = []
    /// A program's path and its arguments, with spaces between them: it kills the plugin and has it started again. Without it, the rules
    /// that need it are not tried.
    public var restartCommand: String?
    /// Within which each answer has to come.
    public var deadline = Duration.seconds(5)
    /// Containers that are attached and detached in turn to find leaks.
    public var cycles = 1000

    public init(socket: String) { self.socket = socket }

    /// Reads a mount as it stands in a request to Attach.
    ///
    /// - Throws: `VerificationError` if it is no mount, or has no destination.
    public static func mount(json: String) throws(VerificationError) -> MountPoint {
        let request = Array("{\"ID\":\"mount\",\"Mounts\":[\(json)]}".utf8)
        let mounts: [MountPoint]
        do throws(RequestError) { mounts = try MountPointAttachRequest(request.span).mounts } catch {
            throw VerificationError("this is no mount: \(error.message); give an object as the requests to Attach have it")
        }
        guard mounts.count == 1, var mount = mounts.first, !mount.destination.isEmpty else {
            throw VerificationError("a mount is an object with at least Type, Source and Destination; give one for each --mount")
        }
        if mount.effectiveSource.isEmpty { mount.effectiveSource = mount.source }
        if mount.source.isEmpty { mount.source = mount.effectiveSource }
        if mount.origin.isEmpty && !mount.effectiveSource.isEmpty { mount.origin = [mount.effectiveSource] }
        return mount
    }
}

/// Why nothing could be verified.
public struct VerificationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line for a person.
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
