// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport
import Testing

/// SECURITY.md names, for each promise, the tests that hold it as `Suite/test`. A promise without one says that it is not tested.
struct SecurityDocumentTests {
    private static let sections = ["What docker-nfsd promises", "What mountpoint-runc promises", "What mountpoint-plugin promises"]

    @Test func everyTestThatIsNamedIsThere() throws {
        let known = try TestNames.all()
        let named = try TestNames.named(in: Document("SECURITY.md").text)
        #expect(named.count > 80)
        #expect(named.filter { !known.contains($0) } == [])
    }

    @Test(arguments: sections) func everyPromiseNamesATestOrSaysThatThereIsNone(section: String) throws {
        let lines = try Document("SECURITY.md").section(section)
        let promises = Self.promises(in: lines)
        #expect(promises.count > 5)
        for promise in promises {
            #expect(!TestNames.named(in: promise).isEmpty || promise.lowercased().contains("not tested"), "no test: \(promise)")
        }
        // Nothing else in the section can be a promise that was overlooked.
        let others = lines.filter { !$0.isEmpty && !$0.hasPrefix("- ") && !$0.hasPrefix("  ") && !$0.hasPrefix("#") }
        #expect(others == [], "what is promised is written as items of a list")
    }

    @Test func thisTestKnowsTestsFromOtherFunctions() throws {
        let found = try Set(TestNames.tests(in: Document("Tests/DocumentTests/SecurityDocumentTests.swift")))
        #expect(found.contains("SecurityDocumentTests/thisTestKnowsTestsFromOtherFunctions"))
        #expect(found.contains("SecurityDocumentTests/everyPromiseNamesATestOrSaysThatThereIsNone"))
        #expect(!found.contains("SecurityDocumentTests/promises"))
        #expect(TestNames.named(in: "`A/b`, `ATests/cD`; not `a/b`, nor A/b, nor `/run/x`") == ["A/b", "ATests/cD"])
    }

    // MARK: The daemon's units, of which SECURITY.md says how they are confined

    @Test func theServiceIsConfinedWithoutAMountNamespace() throws {
        let settings = try Document("Packaging/systemd/docker-nfsd.service.in").lines.filter { !$0.hasPrefix("#") }
        for wanted in [
            "NoNewPrivileges=yes", "SystemCallFilter=@system-service @mount", "RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes",
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
            "CapabilityBoundingSet=CAP_SYS_ADMIN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_FSETID "
                + "CAP_NET_BIND_SERVICE CAP_SYS_PTRACE CAP_SYS_NICE CAP_KILL",
        ] { #expect(settings.contains(wanted), "\(wanted)") }
        let separating = settings.filter { $0.contains(/^(Private|Protect|[A-Za-z]*Paths=|MountFlags|BindPaths|TemporaryFileSystem|Root)/) }
        #expect(separating == [], "each gives the service a mount namespace of its own")
    }

    @Test func theSocketsAreForRootAlone() throws {
        let lines = try Document("Packaging/systemd/docker-nfsd.socket").lines
        #expect(lines.contains("SocketMode=0600"))
        #expect(lines.filter { $0.hasPrefix("SocketUser=") || $0.hasPrefix("SocketGroup=") } == [], "root's unless something else is said")
    }

    /// Those of the server, whose values its own tests hold.
    @Test func theDaemonSetsNoLimitsOfItsOwn() throws {
        let daemon = try Document("Sources/Programs/docker-nfsd/Daemon.swift").text
        #expect(daemon.contains("PluginServer(listeners: listeners, logger: logger)"))
        #expect(!daemon.contains("ServerLimits"))
    }

    // MARK: Reading

    /// The items of a list, each with its further lines.
    private static func promises(in lines: [String]) -> [String] {
        lines.reduce(into: []) { items, line in
            if line.hasPrefix("- ") {
                items.append(line)
            } else if line.hasPrefix("  "), let last = items.popLast() {
                items.append(last + " " + line.trimmingCharacters(in: .whitespaces))
            }
        }
    }
}
