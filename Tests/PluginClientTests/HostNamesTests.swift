// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import PluginClient

@Suite struct HostNamesTests {
    private static let hosts = """
        # 192.0.2.9 storage
        127.0.0.1 localhost
        192.0.2.1\tstorage storage.example # and 192.0.2.8 commented
        2001:db8::1  STORAGE
        not-an-address storage
        192.0.2.1 storage
        192.0.2.7
        192.0.2.3 last\r
        192.0.2.4 end
        """

    @Test(arguments: [
        ("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"]), ("localhost", ["127.0.0.1", "::1"]), ("LocalHost", ["127.0.0.1", "::1"]),
        ("storage", ["192.0.2.1", "2001:db8::1"]), ("Storage.Example", ["192.0.2.1"]), ("last", ["192.0.2.3"]), ("end", ["192.0.2.4"]),
        ("and", []), ("commented", []), ("192.0.2", []), ("127.1", []), ("stor", []), ("fe80::1%eth0", []),
    ])
    func areFoundWithoutAResolver(_ name: String, _ addresses: [String]) async throws {
        try await withScratchFolder { folder in
            let file = folder.appending("hosts")
            try Data(Self.hosts.utf8).write(to: URL(fileURLWithPath: file.string))
            #expect(try HostNames(file: file).addresses(of: name) == addresses.compactMap { InternetAddress($0) })
        }
    }

    @Test func withoutTheFileNothingIsKnown() throws {
        #expect(try HostNames(file: "/nonexistent/hosts").addresses(of: "storage").isEmpty)
        #expect(throws: SystemError.self) { try HostNames(file: "/").addresses(of: "storage") }
    }

    @Test func aNameThatIsNotKnownSaysWhatToDo() throws {
        let endpoint = PluginEndpoint(
            name: try PluginName("p"), address: .tcp(host: "no.such.host.invalid", port: 1), foundAt: "/etc/docker/plugins/p.spec")
        let error = callError { _ = try PluginClient(endpoint, timeout: .seconds(60)).call("/A.B", []) }
        #expect(error?.kind == .notSent)
        #expect(error?.message.contains("write the address itself in /etc/docker/plugins/p.spec") == true, "\(error?.message ?? "")")
    }
}
