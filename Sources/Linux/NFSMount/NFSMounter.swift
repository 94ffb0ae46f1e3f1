// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import LinuxSystem
public import SystemPackage

/// What is to be mounted, and where.
public struct NFSMountRequest: Sendable {
    public var server: ServerName
    /// The export's path, absolute.
    public var path: String
    public var versions: VersionPolicy
    public var options: MountOptions
    public var subdirectory: Subdirectory?
    /// A name in the export's root by which the right export is known: without such a folder no subdirectory is made or mounted.
    public var requiredFolder: String?
    /// An empty folder of this host, for this mount alone.
    public var target: String

    public init(
        server: ServerName, path: String, versions: VersionPolicy, options: MountOptions, subdirectory: Subdirectory? = nil,
        requiredFolder: String? = nil, target: String
    ) {
        self.server = server
        self.path = path
        self.versions = versions
        self.options = options
        self.subdirectory = subdirectory
        self.requiredFolder = requiredFolder
        self.target = target
    }

    public var source: String { "\(server.sourceLabel):\(path)" }
}

/// What has been mounted.
public struct NFSMounted: Sendable {
    public var entry: MountTableEntry
    /// nil for a stand-in.
    public var address: ServerAddress?
    public var attempts: [Negotiation.Attempt]
}

/// A killed process that still works on a mount point, as others may see it.
public struct SystemCallHold: Sendable {
    private let stuck: StuckSequence
    init(_ stuck: StuckSequence) { self.stuck = stuck }
    public var process: Int32 { stuck.process }
    public var call: String { stuck.call }
    /// For a person: why what it works on cannot be used.
    public var reason: String {
        "process \(process), killed, is still held by the kernel in \(call); when the server answers again, it ends"
    }
    /// Blocks without limit; only for a thread kept for it.
    public func waitUntilGone() { stuck.waitUntilGone() }
}

/// How long its parts may take. The sum stays below the 120 s that Docker allows for a mount.
public struct NFSMountLimits: Sendable, Equatable {
    public var resolution = Duration.seconds(15)
    public var probe = Duration.seconds(5)
    /// Everything together, attempts after `retry=` included.
    public var mount = Duration.seconds(100)
    /// Each step of unmounting.
    public var unmount = Duration.seconds(5)

    public init() {}
}

/// Mounts and unmounts NFS by the kernel's own calls. Blocks: for threads of their own only.
public struct NFSMounter: Sendable {
    public let limits: NFSMountLimits
    public let method: MountMethod
    /// Where exports are mounted for a moment when only mount(2) is to be had and a subdirectory is wanted.
    public let stagingFolder: FilePath
    /// Another file system in the place of NFS, for tests on machines whose kernel has none.
    public let standIn: StandIn?

    public struct StandIn: Sendable, Equatable {
        public var fileSystem: String
        public var source: String

        /// Reads `TYPE:SOURCE`, such as `ext4:/dev/loop0`.
        public init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            (fileSystem, source) = (parts[0], parts[1])
        }
    }

    public init(
        limits: NFSMountLimits = .init(), method: MountMethod = .automatic, stagingFolder: FilePath, standIn: StandIn? = nil
    ) {
        self.limits = limits
        self.method = method
        self.stagingFolder = stagingFolder
        self.standIn = standIn
    }

    /// Resolves, probes, negotiates, mounts, and looks in the mount table before it says so.
    ///
    /// - Parameter limit: if this is earlier than the mounter's own limit.
    /// - Throws: `NFSMountError`; nothing is mounted then, unless its `stuck` is set.
    public func mount(
        _ request: NFSMountRequest, until limit: Deadline? = nil, cancellation: Cancellation? = nil
    ) throws(NFSMountError) -> NFSMounted {
        let began = ContinuousClock.now
        var deadline = Deadline(began + limits.mount)
        if let limit { deadline = deadline.earlier(limit) }
        if let minutes = request.options.retryMinutes { deadline = deadline.earlier(Deadline(began + .seconds(60 * max(minutes, 1)))) }
        var pause = Duration.seconds(1)
        while true {
            do throws(NFSMountError) {
                return try mountOnce(request, began: began, deadline: deadline, cancellation: cancellation)
            } catch {
                let wantsRetry = (request.options.retryMinutes ?? 0) > 0
                if !wantsRetry || !error.mayPass || deadline.remaining <= pause || cancellation?.isCancelled == true { throw error }
                wait(pause, cancellation)
                pause = min(pause * 2, .seconds(10))
            }
        }
    }

    private func mountOnce(
        _ request: NFSMountRequest, began: ContinuousClock.Instant, deadline: Deadline, cancellation: Cancellation?
    ) throws(NFSMountError) -> NFSMounted {
        let (address, attempts) = try negotiate(request, began: began, deadline: deadline, cancellation: cancellation) { parameters in
            attempt(parameters, request, deadline, cancellation)
        }
        let fileSystems: Set<String> = standIn.map { [$0.fileSystem] } ?? ["nfs", "nfs4"]
        return NFSMounted(entry: try verify(request, fileSystems: fileSystems), address: address, attempts: attempts)
    }

    /// Finds the server, then makes attempts until one succeeds or none is left.
    ///
    /// - Returns: the address that it was, nil for a stand-in, and what was tried.
    func negotiate(
        _ request: NFSMountRequest, began: ContinuousClock.Instant, deadline: Deadline, cancellation: Cancellation?,
        _ attempt: (KernelParameters) -> AttemptFailure?
    ) throws(NFSMountError) -> (address: ServerAddress?, attempts: [Negotiation.Attempt]) {
        // Nobody has been asked yet, so nobody is to blame.
        if deadline.hasPassed {
            throw NFSMountError(
                .timedOut,
                "cannot mount \(request.source): no time was left for it, for what was done before took too long; try again, and look at docker-nfsd status"
            )
        }
        if let standIn {
            let parameters = KernelParameters(fileSystem: standIn.fileSystem, source: standIn.source, options: request.options)
            guard let failure = attempt(parameters) else { return (nil, []) }
            let explanation = MountExplanation(
                request: request, address: ServerAddress(.ipv4, request.server.text), version: request.versions.candidates[0],
                localAddress: "",
                attempts: [], waited: limits.mount)
            throw explanation.error(for: failure)
        }
        let servers = try ReachableServer.find(for: request, limits: limits, deadline: deadline, cancellation: cancellation)
        var mountAddress: ServerAddress?
        if let host = request.options.mountHost {
            mountAddress = try ReachableServer.addresses(of: host, for: request, limits: limits, deadline: deadline, cancellation).first
        }
        var negotiation = Negotiation(request.versions, servers.map(\.address))
        let result = negotiation.run { version, address in
            if version == .v3, !request.options.locksAreLocal, !ServerProbe.statusMonitorRuns(by: Deadline(after: .seconds(2))) {
                return AttemptFailure(.option("lock"), SystemError("rpc.statd", .init(rawValue: 37), on: "locks"))
            }
            return attempt(
                KernelParameters(
                    server: request.server, path: request.path, address: address, version: version, options: request.options,
                    mountAddress: mountAddress))
        }
        switch result {
        case .mounted(_, let address): return (address, negotiation.attempts)
        case .failed(let failure, let version, let address):
            if failure.stage == .option("lock") { throw lockServiceMissing(request) }
            let explanation = MountExplanation(
                request: request, address: address, version: version,
                localAddress: servers.first { $0.address == address }?.localAddress ?? "", attempts: negotiation.attempts,
                waited: ContinuousClock.now - began)
            throw explanation.error(for: failure)
        case nil: throw NFSMountError(.other, "cannot mount \(request.source): there was no address or version to try")
        }
    }

    /// One attempt by the chosen method; automatic falls back to mount(2) where fsopen(2) cannot be used.
    private func attempt(
        _ parameters: KernelParameters, _ request: NFSMountRequest, _ deadline: Deadline, _ cancellation: Cancellation?
    ) -> AttemptFailure? {
        if method == .fsopen || (method == .automatic && parameters.fitsFSConfig) {
            let sequence = MountSequence.fsopen(
                parameters, request.subdirectory, requiring: request.requiredFolder, at: request.target)
            let failure = sequence.run(until: deadline, cancellation: cancellation)
            guard let failure, method == .automatic, sequence.lacksFSOpen(failure) else {
                return failure.map { afterKill($0, request.target) }
            }
        }
        guard let data = parameters.dataString else {
            return AttemptFailure(
                .option("o"),
                SystemError("mount", .invalidArgument, on: "a value with a comma, which this kernel's mount(2) cannot be given"))
        }
        let staging = stagingFolder.appending("mount-\(UInt64.random(in: 0 ... .max))")
        if request.subdirectory != nil {
            do throws(SystemError) {
                try makeFolders(stagingFolder, mode: 0o700)
                try makeFolder(staging, mode: 0o700)
            } catch {
                return AttemptFailure(.local, error)
            }
        }
        let sequence = MountSequence.mount(
            parameters, data: data, request.subdirectory, requiring: request.requiredFolder, at: request.target, staging: staging.string)
        let failure = sequence.run(until: deadline, cancellation: cancellation).map { afterKill($0, request.target) }
        if request.subdirectory != nil {
            if failure?.end != nil { _ = try? unmount(staging.string) }
            try? removeEmptyFolder(staging)
        }
        return failure
    }

    /// The kill may have come a moment after the mount became visible.
    private func afterKill(_ failure: AttemptFailure, _ target: String) -> AttemptFailure {
        if failure.end != nil, failure.stuck == nil { _ = try? unmount(target) }
        return failure
    }

    /// A container must never write to the local disk because a mount only seemed to succeed.
    private func verify(_ request: NFSMountRequest, fileSystems: Set<String>) throws(NFSMountError) -> MountTableEntry {
        do throws(SystemError) {
            if let entry = try MountTable.topmost(at: request.target), fileSystems.contains(entry.fileSystem) { return entry }
        } catch {
            _ = try? unmount(request.target)
            throw NFSMountError(.other, "cannot mount \(request.source): the mount table cannot be read: \(error)")
        }
        _ = try? unmount(request.target)
        throw NFSMountError(
            .other,
            "cannot mount \(request.source): the kernel reported success, but no NFS is mounted at \(request.target); look at dmesg and try again"
        )
    }

    private func lockServiceMissing(_ request: NFSMountRequest) -> NFSMountError {
        NFSMountError(
            .lockServiceMissing,
            "cannot mount \(request.source): NFS version 3 needs rpc.statd on this host for file locks, and it is not running; start it (systemctl start rpc-statd), or give o=nolock (locks then hold on this host only), or nfsvers=4.1"
        )
    }

    private func wait(_ duration: Duration, _ cancellation: Cancellation?) {
        Poll.wait(for: cancellation?.descriptor.rawValue ?? -1, until: Deadline(after: duration))
    }
}
