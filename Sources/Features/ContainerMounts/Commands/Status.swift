// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import LinuxSystem
import OCIRuntime
import SystemPackage

/// `status`: which plugins have attached to which mounts of which containers, and what is owed to them.
struct StatusCommand {
    static let usage = "usage: mountpoint-runc status [--json] [CONTAINER]"

    private var isJSON = false
    private var wantsHelp = false
    /// An id, the beginning of one, or a name.
    private var wanted: String?

    /// - Parameter words: behind the command's name.
    /// - Throws: `RuntimeError`, one line.
    init(_ words: [String]) throws(RuntimeError) {
        for word in words {
            switch word {
            case "--json", "-json": isJSON = true
            case "--help", "-h": wantsHelp = true
            default:
                if word.utf8.first == UInt8(ascii: "-") {
                    throw RuntimeError(.badArguments, "status: there is no flag \(JSONValue.string(word)); \(Self.usage)")
                }
                if wanted != nil {
                    throw RuntimeError(.badArguments, "status: one container at most, and \(JSONValue.string(word)) is a second")
                }
                if word.isEmpty { throw RuntimeError(.badArguments, "status: the container's name or id is empty") }
                wanted = word
            }
        }
    }

    func run(_ invocation: Invocation) throws(RuntimeError) -> Int32 {
        TerminalOutput.write(try output(invocation.places, dataRoots: { (try? ContainerBundle.dataRoots($0, invocation.places)) ?? [] }))
        return 0
    }

    /// - Parameters:
    ///   - isRoot: whether the host's state is read, not that of a user without root.
    ///   - dataRoots: the folders in which Docker's files may be.
    /// - Throws: `RuntimeError` if what is kept cannot be read, or there is no such container.
    func output(
        _ places: RuntimePlaces, isRoot: Bool = EffectiveUser.isRootOfHost, dataRoots: (RuntimeSettings) -> [String]
    ) throws(RuntimeError) -> String {
        if wantsHelp { return Self.usage + "\n" }
        let settings = (try? RuntimeSettings.read(from: places.settings)) ?? RuntimeSettings()
        let roots = dataRoots(settings)
        let boot = (try? Boot.current())?.text ?? ""
        var containers: [ContainerStatus] = []
        for folder in try Self.folders(places, isRoot: isRoot) {
            var container = ContainerStatus(folder, boot: boot)
            // It may have been deleted while it was read.
            if !folder.isThere { continue }
            let configuration = (try? folder.record())?.configuration ?? ""
            container.nameAfterDocker(configuration: configuration, dataRoots: roots)
            containers.append(container)
        }
        Self.add(OwedDetaches.all(in: places), to: &containers)
        if let wanted { containers = [try Self.find(wanted, in: containers)] }
        if isJSON {
            let document: JSONValue = ["version": 1, "containers": .array(containers.map(\.json))]
            return TerminalOutput.text(of: document)
        }
        if containers.isEmpty { return "no container has plugins attached\n" }
        return containers.map(\.text).joined(separator: "\n")
    }

    /// Adds plugins that are owed a detach for containers that were deleted, or ended by a reboot.
    private static func add(_ all: [OwedDetaches], to containers: inout [ContainerStatus]) {
        let boot = try? Boot.current()
        for owed in all {
            let debts = ((try? owed.list(boot)) ?? []).map { one in
                let reason = one.reason(boot)
                return ContainerStatus.Debt(plugin: one.name, reason: reason)
            }
            if debts.isEmpty { continue }
            if let index = containers.firstIndex(where: { $0.id.utf8.elementsEqual(owed.id.text.utf8) }) {
                containers[index].owed += debts
            } else {
                containers.append(ContainerStatus(id: owed.id.text, phase: .ended, owed: debts))
            }
        }
    }

    private static func folders(_ places: RuntimePlaces, isRoot: Bool) throws(RuntimeError) -> [ContainerFolder] {
        let above = FilePath(places.state).appending("containers")
        do throws(SystemError) {
            var folders: [ContainerFolder] = []
            for root in try namesInFolder(above) {
                for id in try namesInFolder(above.appending(root)) {
                    folders.append(ContainerFolder(at: above.appending(root).appending(id)))
                }
            }
            return folders
        } catch  where error.errno == .noSuchFileOrDirectory && isRoot {
            return []
        } catch  where error.errno == .noSuchFileOrDirectory {
            throw RuntimeError(
                .noSuchContainer, "this user has no containers with plugins; those of the host are for root to see: run it with sudo")
        } catch {
            throw RuntimeError(
                .state, "what is kept of containers cannot be read: \(error)\(isRoot ? "" : "; run it with sudo")", cause: error)
        }
    }

    private static func find(_ wanted: String, in containers: [ContainerStatus]) throws(RuntimeError) -> ContainerStatus {
        func isSame(_ text: String?) -> Bool { text?.utf8.elementsEqual(wanted.utf8) ?? false }
        let exact = containers.filter { isSame($0.id) }
        let named = exact.isEmpty ? containers.filter { isSame($0.name) } : exact
        let found = named.isEmpty ? containers.filter { $0.id.utf8.starts(with: wanted.utf8) } : named
        if let first = found.first, found.count == 1 { return first }
        let text = JSONValue.string(wanted)
        if found.isEmpty {
            throw RuntimeError(
                .noSuchContainer, "no plugin takes part in a container \(text); mountpoint-runc status lists those in which one does")
        }
        throw RuntimeError(
            .badArguments, "\(text) may be any of \(found.map(\.id).joined(separator: ", ")); give more of the id")
    }
}
