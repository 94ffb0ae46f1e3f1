// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Testing
import TestSupport

/// Gives a suite a virtual machine of its own, in which docker-nfsd is installed; it is gone afterwards.
struct MachineTrait: SuiteTrait, TestScoping {
    let name: String
    let tools: [String]
    let packages: [String]

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        let machine = VirtualMachine(name: name, tools: tools, packages: packages)
        try await VirtualMachine.stopping([machine]) {
            try await machine.start()
            try await Guest.$machine.withValue(machine) { try await function() }
        }
    }
}

extension Trait where Self == MachineTrait {
    /// - Parameters:
    ///   - name: its host name.
    ///   - tools: files of this machine that are in `/payload/test` there.
    ///   - packages: of Debian, that it has besides.
    static func machine(_ name: String, tools: [String] = [], packages: [String] = []) -> Self {
        MachineTrait(name: name, tools: tools, packages: packages)
    }
}

/// The machine of the suite that runs.
enum Guest {
    @TaskLocal static var machine: VirtualMachine?

    /// The program that asks daemons in a machine; a tool of the machine.
    static let client = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/guest-client"

    /// What every script begins with: short words for what the tests do all the time.
    private static let prelude = """
        cd /root
        volume() { docker volume create -d nfsd --opt server="${server:-127.0.0.1}" --opt path="${path:-/exports/data}" "$@"; }
        # Mounts a volume as a container does, without the time that a container takes; prints what the driver answers.
        driver() { printf 'POST /VolumeDriver.%s HTTP/1.1\\r\\nHost: plugin\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s' \\
          "$1" "${#2}" "$2" | socat -t 120 STDIO,ignoreeof UNIX-CONNECT:/run/docker/plugins/nfsd.sock | sed '1,/^\\r$/d'; echo; }
        mounts() { grep -c ' /var/lib/docker-volumes-nfsd/' /proc/self/mountinfo; }
        # The folders of volumes, once those of unmounted ones have had time to go.
        folders() { local i; for i in $(seq 50); do [ -n "$(ls -A /var/lib/docker-volumes-nfsd)" ] || return 0; sleep 0.1; done; \
          ls -A /var/lib/docker-volumes-nfsd; }

        """

    /// Runs a script in the machine and gives its output and exit status.
    static func run(_ script: String, limit: Int = 180) async throws -> CommandResult {
        guard let machine else { throw MachineFailure(description: "this test belongs into a suite with the trait machine(…)") }
        return try await machine.run(prelude + script, limit: limit)
    }

    /// Runs a script that must succeed, command by command.
    @discardableResult
    static func expect(_ script: String, limit: Int = 180, at location: SourceLocation = #_sourceLocation) async throws -> String {
        let result = try await run("set -e\n" + script, limit: limit)
        #expect(result.status == 0, "\(result)", sourceLocation: location)
        return result.output
    }

    /// What stands behind a word at the begin of a line; -1 if there is no such line.
    static func number(_ word: String, in output: String) -> Int {
        output.split(separator: "\n").first { $0.hasPrefix(word + " ") }.flatMap { Int($0.dropFirst(word.count + 1)) } ?? -1
    }
}
