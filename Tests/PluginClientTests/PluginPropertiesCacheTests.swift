// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import JSON
import LinuxSystem
import PluginClient
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// A plugin is asked once in a run of it, and what it said is never taken from others.
@Suite(.timeLimit(.minutes(2))) struct PluginPropertiesCacheTests {
    private static let long = Duration.seconds(100)
    private static let body = "{\"Success\":true, \"Patterns\":[{}], \"x\":\"\\u00e9\u{e9}\\n\"}"

    /// A plugin that counts how often it is asked, and a folder for what it says.
    fileprivate struct Setting: Sendable {
        let plugin: ScriptedPlugin
        let cache: PluginPropertiesCache

        init(_ folder: FilePath, _ script: @escaping ScriptedPlugin.Script = { $0.answer(PluginPropertiesCacheTests.body) }) throws {
            plugin = try ScriptedPlugin(at: "\(folder)/p.sock", script)
            cache = PluginPropertiesCache(folder.appending("run").appending("kept"), patience: PluginPropertiesCacheTests.long)
        }

        var file: String { cache.directory.appending("scripted.json").string }

        @discardableResult
        func ask(at endpoint: PluginEndpoint? = nil, _ cache: PluginPropertiesCache? = nil) throws -> String {
            let endpoint = endpoint ?? plugin.endpoint
            return try (cache ?? self.cache).properties(of: endpoint) { () throws(PluginClientError) in
                try PluginClient(endpoint, timeout: PluginPropertiesCacheTests.long).answer("/A.B", [])
            } read: { (answer) throws(PluginClientError) in
                String(decoding: answer, as: UTF8.self)
            }
        }
    }

    @Test func isAskedOnce() async throws {
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            for _ in 0..<3 { #expect(try setting.ask() == Self.body) }
            #expect(setting.plugin.calls == 1)
            var status = stat()
            #expect(stat(setting.file, &status) == 0 && status.st_mode & 0o7777 == 0o600)
            #expect(stat(setting.cache.directory.string, &status) == 0 && status.st_mode & 0o7777 == 0o700)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: setting.cache.directory.string).sorted() == [
                    "scripted.json", "scripted.lock",
                ])
            let value = try JSONValue(parsing: try readWholeFile(FilePath(setting.file), limit: 1 << 20))
            #expect(value["answer"] == .string(Self.body))
            #expect(value["plugin"] == "scripted")
        }
    }

    @Test func aRestartedPluginIsAskedAgain() async throws {
        try await withScratchFolder { folder in
            let first = try Setting(folder)
            try first.ask()
            first.plugin.stop()
            let second = try Setting(folder) { $0.answer("second") }
            for _ in 0..<3 { #expect(try second.ask() == "second") }
            #expect(first.plugin.calls == 1)
            #expect(second.plugin.calls == 1)
        }
    }

    @Test func overTCPTheSameHolds() async throws {
        try await withScratchFolder { folder in
            let cache = PluginPropertiesCache(folder.appending("kept"), patience: Self.long)
            let setting = try Setting(folder)
            let plugin = try ScriptedPlugin(tcp: false) { $0.answer("tcp") }
            for _ in 0..<3 { #expect(try setting.ask(at: plugin.endpoint, cache) == "tcp") }
            #expect(plugin.calls == 1)
        }
    }

    /// The same run, but found elsewhere: whoever put that there may mean something else by the name.
    @Test func anotherAddressOrPlaceIsAskedAnew() async throws {
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            try setting.ask()
            let path = setting.plugin.endpoint.foundAt
            try #require(symlink(path, "\(folder)/link.sock") == 0)
            let name = setting.plugin.endpoint.name
            for (count, endpoint) in [
                PluginEndpoint(name: name, address: .unix(path: path), foundAt: "/etc/docker/plugins/scripted.spec"),
                PluginEndpoint(name: name, address: .unix(path: "\(folder)/link.sock"), foundAt: path),
            ].enumerated() {
                for _ in 0..<2 { try setting.ask(at: endpoint) }
                #expect(setting.plugin.calls == 2 + count)
            }
        }
    }

    @Test func isAskedOnceByEightAtTheSameMoment() async throws {
        try await withScratchFolder { folder in
            let gate = DispatchSemaphore(value: 0)
            let setting = try Setting(folder) { connection in
                gate.wait()
                connection.answer(Self.body)
            }
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await BlockingThread.run(named: "ask") { try setting.ask() } }
                }
                // All but the one that asks wait for the lock, or will find it kept.
                try await eventually("somebody asks") { setting.plugin.calls > 0 }
                for _ in 0..<8 { gate.signal() }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == Array(repeating: Self.body, count: 8))
            #expect(setting.plugin.calls == 1)
        }
    }

    @Test(arguments: [
        "truncate -s 20 FILE", ": > FILE", "echo garbage > FILE", "echo '[]' > FILE", "rm FILE", "chmod 620 FILE", "chmod 602 FILE",
        "chown 12345 FILE", "mv FILE FILE.real && ln -s FILE.real FILE", "rm FILE && mkfifo FILE", "rm FILE && mkdir FILE && rmdir FILE",
        "sed -i 's/\"format\":1/\"format\":2/' FILE", "sed -i 's/\"boot [0-9a-f]/\"boot x/' FILE", "sed -i 's/\"answer\"/\"reply\"/' FILE",
        "head -c 9000000 /dev/zero >> FILE", "printf '\\377' >> FILE",
    ])
    func aFileThatIsNotTrustedIsReplaced(_ script: String) async throws {
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            try setting.ask()
            let result = try await command(["sh", "-c", script.replacingOccurrences(of: "FILE", with: setting.file)])
            if script.hasPrefix("chown") && geteuid() != 0 { return }
            try #require(result.status == 0, "\(result)")
            #expect(try setting.ask() == Self.body)
            #expect(setting.plugin.calls == 2)
            #expect(try setting.ask() == Self.body)
            #expect(setting.plugin.calls == 2)
            var status = stat()
            #expect(lstat(setting.file, &status) == 0 && status.st_mode == S_IFREG | 0o600 && status.st_uid == geteuid())
        }
    }

    /// Then each asks for itself, and nothing fails.
    @Test(arguments: [
        "chmod 777 DIR", "rm -r DIR && ln -s /tmp DIR", "rm -r DIR && touch DIR", "rm DIR/* && mkdir DIR/scripted.json", "chown 12345 DIR",
        "rm DIR/* && mkdir DIR/scripted.lock",
    ])
    func whereNothingCanBeKept(_ script: String) async throws {
        if script.hasPrefix("chown") && geteuid() != 0 { return }
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            try setting.ask()
            let result = try await command(["sh", "-c", script.replacingOccurrences(of: "DIR", with: setting.cache.directory.string)])
            try #require(result.status == 0, "\(result)")
            for count in 2...4 {
                #expect(try setting.ask() == Self.body)
                #expect(setting.plugin.calls == count)
            }
        }
    }

    @Test(.needs(.root), arguments: ["head -c 4096 /dev/zero > DIR/fill", "mount -o remount,ro DIR"])
    func onAFileSystemThatTakesNothing(_ script: String) async throws {
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            let directory = setting.cache.directory.string
            let mount = "mkdir -p DIR && mount -t tmpfs -o size=4k,mode=700 kept DIR && \(script)"
            let result = try await command(["sh", "-c", mount.replacingOccurrences(of: "DIR", with: directory)])
            try #require(result.status == 0, "\(result)")
            for count in 1...2 {
                #expect(try setting.ask() == Self.body)
                #expect(setting.plugin.calls == count)
            }
            #expect(try !FileManager.default.contentsOfDirectory(atPath: directory).contains { $0.hasPrefix("scripted.json") })
        }
    }

    @Test func aFailureIsNotKept() async throws {
        try await withScratchFolder { folder in
            let fails = Atomic(true)
            let setting = try Setting(folder) { $0.answer(Self.body, status: fails.load(ordering: .relaxed) ? "500 X" : "200 OK") }
            #expect(callError { try setting.ask() }?.kind == .refused(status: 500, words: Self.body))
            fails.store(false, ordering: .relaxed)
            for _ in 0..<2 { #expect(try setting.ask() == Self.body) }
            #expect(setting.plugin.calls == 2)
        }
    }

    /// Neither when it comes nor later, when the same program has become stricter.
    @Test func whatCannotBeReadIsNotKept() async throws {
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            func ask(_ readable: Bool) throws -> Int {
                try setting.cache.properties(of: setting.plugin.endpoint) { () throws(PluginClientError) in
                    try PluginClient(setting.plugin.endpoint, timeout: Self.long).answer("/A.B", [])
                } read: { (answer) throws(PluginClientError) in
                    if !readable { throw PluginClientError(.unclear, plugin: "p", "unreadable") }
                    return answer.count
                }
            }
            #expect(callError { _ = try ask(false) }?.message == "unreadable")
            #expect(access(setting.file, F_OK) != 0)
            #expect(try ask(true) == Self.body.utf8.count)
            #expect(try ask(true) == Self.body.utf8.count)
            #expect(setting.plugin.calls == 2)
            #expect(callError { _ = try ask(false) }?.message == "unreadable")
            #expect(setting.plugin.calls == 3)
        }
    }

    /// As with systemd, inetd or a server that forks: whoever answers may be restarted while the listener stays.
    @Test func whatAnotherProcessThanTheListenerAnsweredIsNotKept() async throws {
        try await withScratchFolder { folder in
            let path = "\(folder)/p.sock"
            let plugin = try ScriptedPlugin(at: path, nil)
            let cache = PluginPropertiesCache(folder.appending("kept"), patience: Self.long)
            for _ in 0..<2 {
                var asked = false
                let answer = try cache.properties(of: plugin.endpoint) { () throws(PluginClientError) in
                    asked = true
                    _ = try? plugin.takeConnections()
                    worker(plugin.descriptor)
                    return try PluginClient(plugin.endpoint, timeout: Self.long).answer("/A.B", [])
                } read: { (answer) throws(PluginClientError) in
                    answer
                }
                #expect(String(decoding: answer, as: UTF8.self) == "forked")
                #expect(asked)
            }
            #expect(access("\(folder)/kept/scripted.json", F_OK) != 0)
        }
    }

    /// Takes one connection and answers it, as a process of its own.
    private func worker(_ listener: CInt) {
        Thread.detachNewThread {
            let text = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforked"
            let sequence = SystemCallSequence()
            sequence.keptDescriptor = listener
            let connection = sequence.add("accept", CallNumbers.accept, on: "listener", [.value(Int(listener)), .value(0), .value(0)])
            // It answers what it has read: the client would otherwise still be sending when this process ends.
            let request = sequence.buffer(4096)
            sequence.add(
                "recvfrom", CallNumbers.recvfrom, on: "connection",
                [.result(connection), .buffer(request), .value(request.count), .value(0), .value(0), .value(0)])
            sequence.add(
                "sendto", CallNumbers.sendto, on: "connection",
                [.result(connection), .string(text), .value(text.utf8.count), .value(Int(MSG_NOSIGNAL)), .value(0), .value(0)])
            _ = try? sequence.run(until: Deadline(after: Self.long))
        }
    }

    @Test func whatARestartInterruptsIsNotKept() async throws {
        try await withScratchFolder { folder in
            let setting = try Setting(folder)
            let restarted = Mutex<ScriptedPlugin?>(nil)
            let answer = try setting.cache.properties(of: setting.plugin.endpoint) { () throws(PluginClientError) in
                let answer = try PluginClient(setting.plugin.endpoint, timeout: Self.long).answer("/A.B", [])
                setting.plugin.stop()
                restarted.withLock { $0 = try? ScriptedPlugin(at: setting.plugin.endpoint.foundAt) { $0.answer("second") } }
                return answer
            } read: { (answer) throws(PluginClientError) in
                String(decoding: answer, as: UTF8.self)
            }
            #expect(answer == Self.body)
            #expect(access(setting.file, F_OK) != 0)
            #expect(try setting.ask() == "second")
        }
    }

    @Test func patienceEnds() async throws {
        try await withScratchFolder { folder in
            var setting = try Setting(folder)
            try setting.ask()
            unlink(setting.file)
            // A process that another test makes at this moment can still hold the lock of the call before, until it becomes its program.
            let path = setting.cache.directory.appending("scripted.lock")
            let lock = try #require(try FileLock.wait(for: path, until: Deadline(after: Self.long)))
            setting = Setting(plugin: setting.plugin, cache: PluginPropertiesCache(setting.cache.directory, patience: .milliseconds(100)))
            let start = ContinuousClock.now
            #expect(try setting.ask() == Self.body)
            #expect(start.duration(to: .now) >= .milliseconds(100))
            #expect(setting.plugin.calls == 2)
            withExtendedLifetime(lock) {}
        }
    }
}

extension PluginPropertiesCacheTests.Setting {
    init(plugin: ScriptedPlugin, cache: PluginPropertiesCache) {
        self.plugin = plugin
        self.cache = cache
    }
}
