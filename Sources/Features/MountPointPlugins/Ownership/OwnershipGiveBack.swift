// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import LinuxSystem

/// Gives back by hand what belongs to the users of containers that are gone, as the plugin does at their end and at its start.
///
/// It works beside a plugin that is served: both take the same locks.
public struct OwnershipGiveBack: Sendable {
    /// A name, an id, or the beginning of one; nil for all.
    private let container: String?
    /// Whether what cannot be given back is forgotten.
    private let forgets: Bool

    public struct Outcome: Sendable, Equatable {
        /// What was done.
        public var text = ""
        /// What was not, a line each.
        public var problems: [String] = []
    }

    public init(container: String?, forgets: Bool = false) {
        self.container = container
        self.forgets = forgets
    }

    /// - Throws: `PluginError` if it cannot be told which containers run, or there is none of the name.
    public func run(_ instance: PluginInstance) throws(PluginError) -> Outcome {
        let work = Work(instance)
        guard let running = RunningContainers(of: instance.places).ids() else {
            throw PluginError("cannot tell which containers run; see \(instance.places.runtime)")
        }
        var outcome = Outcome()
        var isKnown = false
        for id in try work.files.ids() {
            do throws(PluginError) {
                guard let kept = try work.files.read(id), InstanceReport.isWanted(kept, container) else { continue }
                isKnown = true
                if running.contains(where: { $0.hasSameBytes(as: id) }) {
                    if container != nil {
                        outcome.problems.append("\(Self.title(kept.id, kept.name)) runs; its files go back when it ends")
                    }
                } else {
                    outcome.text += try giveBack(kept, work)
                }
            } catch {
                outcome.problems.append("\(error)")
            }
        }
        for (number, transfer) in try work.transfers.abandoned() where isWanted(transfer) {
            isKnown = true
            do throws(PluginError) {
                outcome.text += try work.transfers.giveBack(number)?.text ?? ""
            } catch {
                if forgets { try work.transfers.forget(number) } else { outcome.problems.append("\(error)") }
            }
        }
        if let container, !isKnown {
            throw PluginError("\(instance.name) has nothing of a container \(container); see mountpoint-plugin status")
        }
        if outcome == Outcome() { outcome.text = "nothing has to be given back\n" }
        return outcome
    }

    private struct Work {
        let files: ContainerFiles
        let kind: OwnershipKind
        let transfers: Transfers

        init(_ instance: PluginInstance) {
            files = ContainerFiles(in: instance.state)
            kind = OwnershipKind(instance)
            transfers = Transfers(in: instance.state)
        }
    }

    private static func title(_ id: String, _ name: String) -> String {
        name.isEmpty ? "container \(id.prefix(12))" : "container \(name) (\(id.prefix(12)))"
    }

    /// - Throws: `PluginError` for the first mount that fails; the others are done, and the container stays known.
    private func giveBack(_ kept: KeptContainer, _ work: Work) throws(PluginError) -> String {
        var text = ""
        var failure: PluginError?
        for mount in kept.mounts.reversed() {
            do throws(PluginError) {
                for tree in try work.kind.giveBack(mount) { text += tree.text }
            } catch {
                if forgets { try work.kind.forget(mount) } else { failure = failure ?? error }
            }
        }
        if let failure { throw failure }
        try work.files.remove(kept.id)
        return "\(Self.title(kept.id, kept.name)):\n" + (text.isEmpty ? "nothing was left\n" : text)
    }

    private func isWanted(_ transfer: KeptTransfer) -> Bool {
        guard let container else { return true }
        return transfer.holders.contains {
            $0.name.hasSameBytes(as: container) || $0.id.hasSameBytes(as: container)
                || (container.utf8.count >= 4 && $0.id.hasBytePrefix(container))
        }
    }
}
