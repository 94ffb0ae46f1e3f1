// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import MountPointChain
import OCIRuntime
import SystemPackage
import TestSupport
import Testing

@testable import ContainerMounts

struct ContainerStateTests {
    /// As earlier versions have written it, with and without what may be missing.
    @Test(arguments: [
        "",
        #","since":"2026-01-02T03:04:05Z","name":"web","image":"nginx","supervisor":[7,70],"process":[8,80],"writtenConfiguration":[1,2]"#,
    ])
    func readsWhatEarlierVersionsHaveWritten(more: String) throws {
        let text =
            #"{"version":1,"boot":"b","id":"c1","phase":"created","runtime":"/usr/sbin/runc","arguments":["--root","/r"],"#
            + #""configuration":"/b/config.json","ownsProcesses":true,"timeout":30.0\#(more)}"#
        let record = try SupervisionState(parsing: Array(text.utf8))
        #expect(record.id.text == "c1" && record.phase == .created && record.arguments == ["--root", "/r"] && record.timeout == 30)
        #expect(record.process == (more.isEmpty ? nil : ProcessIdentity(process: 8, startTime: 80)))
        #expect(record.name == (more.isEmpty ? nil : "web"))
    }

    @Test func readsAnOwedDetachOfAnEarlierVersion() throws {
        let text =
            #"{"version":1,"boot":"b","id":"c1","place":0,"timeout":30.0,"stack":{"version":1,"plugins":[{"name":"p","state":"owed","#
            + #""wantsMounted":false,"mounts":[{"destination":"/d","effectiveSource":"/s","emergencyDetach":[{"Warning":"w"}]}]}]}}"#
        let owed = try OwedDetach(parsing: Array(text.utf8))
        #expect(owed.name == "p" && owed.couldNotBeAsked && owed.place == 0 && owed.stack.plugins.first?.mounts.first?.destination == "/d")
    }

    private let id: ContainerID
    private let record: SupervisionState

    init() throws {
        id = try ContainerID("c1")
        record = SupervisionState(
            boot: "b", id: id, phase: .created, runtime: "/usr/sbin/runc", arguments: ["--root", "/r"], configuration: "/b/config.json",
            timeout: 0.5, ownsProcesses: true, supervisor: ProcessIdentity(process: 7, startTime: .max), process: nil,
            writtenConfiguration: [.max, 3], since: "2026-03-01T12:00:00Z", name: "web", image: "nginx:1")
    }

    @Test func aRecordIsReadAsItWasWritten() throws {
        #expect(try SupervisionState(parsing: record.encoded()) == record)
    }

    @Test func everyTruncationOfARecordIsRefused() {
        let bytes = record.encoded()
        for count in 0..<bytes.count {
            #expect(throws: JSONShapeError.self, "\(count) bytes") { try SupervisionState(parsing: Array(bytes[..<count])) }
        }
    }

    @Test(arguments: [
        (nil, "default"), ("/run/runc", "-run-runc"), ("/run//runc/", "-run-runc"), ("/a/../b", "-b"), ("/ä b-c", "-%C3%A4%20b%2Dc"),
    ])
    func aRootBecomesOneName(root: String?, name: String) throws {
        let folder = try ContainerFolder(in: "/state", root: root, id: id)
        #expect(folder.path.string == "/state/containers/\(name)/c1")
    }

    @Test func aRootThatIsTooLongIsRefused() {
        #expect(throws: RuntimeError.self) {
            try ContainerFolder(in: "/state", root: "/" + String(repeating: "-", count: 100), id: id)
        }
    }

    @Test func keepsAndForgetsAContainer() async throws {
        try await withScratchFolder { state in
            let folder = try ContainerFolder(in: state.string, root: nil, id: id)
            #expect(!folder.isThere)
            try folder.make()
            let lock = try #require(try folder.attemptLock())
            #expect(try folder.record() == nil)
            try folder.write(record)
            #expect(try folder.record() == record)
            #expect(try folder.stack().isEmpty)

            let stack = AppliedStack([AppliedPlugin(name: "p", state: .attached)])
            let prepared = try folder.prepare(stack)
            #expect(try folder.stack().isEmpty, "a prepared record does not count yet")
            try renameFile(FilePath(prepared.draft), to: FilePath(prepared.path))
            #expect(try folder.stack() == stack)
            try folder.write(AppliedStack())
            #expect(try folder.stack().isEmpty)

            #expect(ContainerFolder.all(in: state.string, root: nil) == [id])
            #expect(ContainerFolder.all(in: state.string, root: "/other").isEmpty)
            try folder.remove()
            #expect(!folder.isThere)
            #expect(try folder.waitForLock(until: Deadline(after: .seconds(5))) == nil, "all is done where the folder is gone")
            withExtendedLifetime(lock) {}
        }
    }

    @Test func itsFoldersAreForTheirOwnerAlone() async throws {
        try await withScratchFolder { scratch in
            let state = scratch.appending("state")
            let folder = try ContainerFolder(in: state.string, root: nil, id: id)
            try folder.make()
            try folder.write(record)
            let paths = [state, state.appending("containers"), folder.path, folder.path.appending("container.json")]
            #expect(try await command(["stat", "-c", "%a"] + paths.map(\.string)).output == "700\n700\n700\n600\n")
        }
    }

    @Test func aDamagedRecordIsAnErrorThatNamesTheFile() async throws {
        try await withScratchFolder { state in
            let folder = try ContainerFolder(in: state.string, root: nil, id: id)
            try folder.make()
            try replaceFile(folder.path.appending("container.json"), with: Array("{}".utf8), durable: false)
            let error = #expect(throws: RuntimeError.self) { try folder.record() }
            #expect(error?.message.contains("container.json") == true)
            #expect(error?.code == .state && error?.cause is JSONShapeError)
            try replaceFile(folder.path.appending("stack.json"), with: Array("[".utf8), durable: false)
            let second = #expect(throws: RuntimeError.self) { try folder.stack() }
            #expect(second?.code == .state && second?.cause is StackStoreError)
        }
    }
}
