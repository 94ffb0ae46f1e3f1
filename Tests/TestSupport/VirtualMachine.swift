// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation

/// A throw-away virtual machine with systemd, Docker and a kernel NFS server and client, and docker-nfsd installed in it as
/// `make install` does. Scripts/machine has how it is made.
public actor VirtualMachine {
    /// Where a machine is plugged in, if it is one of two that are joined.
    public struct Link: Sendable {
        /// Of both machines; sockets are made beside it.
        public var path: String
        /// 1 or 2; the machine's address is 192.168.77.NUMBER.
        public var number: Int

        public init(path: String, number: Int) {
            self.path = path
            self.number = number
        }
    }

    private let name: String
    private let link: Link?
    /// Programs and files of this machine that are seen in `/payload/test` there.
    private let tools: [String]
    /// Of Debian, that it has besides.
    private let packages: [String]
    private let folder: String
    private var isRunning = false

    /// - Parameters:
    ///   - tools: programs and files of this machine that are to be in `/payload/test` there, with the libraries of Swift.
    ///   - packages: of Debian, that it has besides. The first machine that has them takes some minutes, until its image is made.
    public init(name: String, link: Link? = nil, tools: [String] = [], packages: [String] = []) {
        self.name = name
        self.link = link
        self.tools = tools
        self.packages = packages
        folder = NSTemporaryDirectory() + "docker-nfsd-\(name)-\(UUID().uuidString.prefix(8))"
    }

    /// Boots it and installs the program, its units and its manual; does nothing if that is done.
    public func start() async throws {
        if isRunning { return }
        let stage = folder + "-stage"
        try await expect(command(["make", "-C", Repository.root, "install", "DESTDIR=\(stage)"]), "make install")
        try await addTools(to: stage + "/test")
        try await expect(
            command([Repository.root + "/Scripts/machine", "start", folder, "--payload", stage] + place + image, limit: 900),
            "Scripts/machine start")
        try? FileManager.default.removeItem(atPath: stage)
        isRunning = true
        try await expect(
            run(
                """
                tar -C /payload --exclude=./test -c . | tar -C / -x --no-overwrite-dir --keep-directory-symlink && sync
                # It has just booted, and its failures are to be told at once.
                mkdir -p /etc/systemd/system/docker-nfsd.service.d
                printf '[Service]\\nEnvironment=DOCKER_NFSD_RETRY=off\\n' > /etc/systemd/system/docker-nfsd.service.d/test.conf
                systemctl daemon-reload && systemctl enable --now docker-nfsd && systemctl is-active docker-nfsd
                """),
            "installing docker-nfsd in the machine")
    }

    private var place: [String] {
        guard let link else { return [] }
        return ["--name", name, "--net-socket", link.path, "--net-number", String(link.number)]
    }

    private var image: [String] { packages.isEmpty ? [] : ["--packages", packages.joined(separator: ",")] }

    private func addTools(to folder: String) async throws {
        if tools.isEmpty { return }
        let script = """
            set -e; folder=$1; shift; mkdir -p "$folder"; cp --sparse=always "$@" "$folder"
            # The machine has no Swift.
            for file; do if [ -x "$file" ]; then ldd "$file"; fi; done | awk '$3 ~ "/swift/" { print $3 }' | sort -u | xargs -r cp -Lt "$folder"
            """
        try await expect(command(["bash", "-c", script, "bash", folder] + tools), "copying \(tools)")
    }

    /// Runs a bash script in it as root.
    ///
    /// - Parameter limit: seconds; then the script is killed, and the status is 124.
    public func run(_ script: String, limit: Int = 180) async throws -> CommandResult {
        try await command(
            [Repository.root + "/Scripts/machine", "exec", folder, "--timeout", String(limit)], input: script + "\n",
            limit: Double(limit + 30))
    }

    /// Copies a file into it.
    public func copy(_ file: String, to path: String) async throws {
        try await expect(command([Repository.root + "/Scripts/machine", "copy", folder, file, path]), "copying \(file) into the machine")
    }

    /// Cuts the power and boots again from the same disk.
    public func reset() async throws {
        try await expect(command([Repository.root + "/Scripts/machine", "reset", folder], limit: 400), "Scripts/machine reset")
    }

    public func stop() async {
        isRunning = false
        _ = try? await command([Repository.root + "/Scripts/machine", "stop", folder])
    }

    /// Does something, and stops the machines however that ends.
    public static func stopping(_ machines: [VirtualMachine], after body: () async throws -> Void) async throws {
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        for machine in machines { await machine.stop() }
        try result.get()
    }

    private func expect(_ result: CommandResult, _ what: String) async throws {
        if result.status != 0 { throw MachineFailure(description: "\(what): \(result)") }
    }
}

public struct MachineFailure: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) { self.description = description }
}
