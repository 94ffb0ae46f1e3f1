// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import JSON
import Synchronization

/// What plugins are asked, by the last part of the URL's path.
enum PluginMethod: String, Sendable {
    case activate = "Plugin.Activate"
    case properties = "MountPointPlugin.MountPointProperties"
    case attach = "MountPointPlugin.MountPointAttach"
    case mounted = "MountPointPlugin.MountPointMounted"
    case detach = "MountPointPlugin.MountPointDetach"

    /// Such as `Attach`.
    var shortName: String { String(rawValue.split(separator: ".").last!).replacing("MountPoint", with: "") }
}

/// One request that a plugin has received.
struct PluginCall: Sendable, CustomStringConvertible {
    var plugin: String
    var method: PluginMethod
    var request: JSONValue
    /// Names in lower case.
    var headers: [String: String]
    /// The process that asks, by its number on the host; nil over TCP.
    var caller: pid_t?

    var id: String? { request["ID"]?.stringValue }
    var mounts: [JSONValue] { request["Mounts"]?.arrayValue ?? [] }

    /// `PLUGIN METHOD`, and for each mount the source that is in effect, sorted by the mounts' places: Docker has no order for them.
    /// Without the mounts of a detach, which are those that were attached.
    var description: String {
        if method == .detach { return "\(plugin) \(method.shortName)" }
        let sorted = mounts.sorted { ($0["Destination"]?.stringValue ?? "") < ($1["Destination"]?.stringValue ?? "") }
        return ([plugin, method.shortName] + sorted.map { $0["EffectiveSource"]?.stringValue ?? "?" }).joined(separator: " ")
    }
}

/// What all plugins of a test are asked, in the order in which it arrives.
final class RecordedCalls: Sendable {
    struct Entry: Sendable {
        var call: PluginCall
        /// What was sent back in full; nil while the plugin thinks, and if it never says anything.
        var answer: JSONValue?
    }

    private let state = Mutex<[Entry]>([])

    func begin(_ call: PluginCall) -> Int {
        state.withLock { entries in
            entries.append(Entry(call: call))
            return entries.count - 1
        }
    }

    func end(_ index: Int, answer: JSONValue) { state.withLock { $0[index].answer = answer } }

    var entries: [Entry] { state.withLock { $0 } }
    var calls: [PluginCall] { entries.map(\.call) }

    func calls(_ method: PluginMethod, of plugin: String? = nil) -> [PluginCall] {
        calls.filter { $0.method == method && (plugin == nil || $0.plugin == plugin) }
    }

    /// All calls, a line each.
    var lines: [String] { calls.map(\.description) }

    /// The calls about containers, a line each.
    var containerLines: [String] { calls.filter { $0.id != nil }.map(\.description) }

    /// What does not add up: an attach with no detach or with several, a detach with no attach.
    ///
    /// An attach counts unless the plugin has refused it or takes part in no mount. One that was received and never answered counts
    /// too: nobody can know what the plugin did.
    var imbalance: [String] {
        var balance: [String: Int] = [:]
        var complaints: [String] = []
        for entry in entries {
            guard let id = entry.call.id else { continue }
            let key = "\(entry.call.plugin) \(id)"
            switch entry.call.method {
            case .attach:
                let isAttached = entry.answer.map(Self.takesPart) ?? true
                if isAttached { balance[key, default: 0] += 1 }
                if balance[key, default: 0] > 1 { complaints.append("\(key): attached again") }
            case .detach:
                balance[key, default: 0] -= 1
                if balance[key, default: 0] < 0 { complaints.append("\(key): detached without being attached") }
            default: break
            }
        }
        for (key, count) in balance.sorted(by: { $0.key < $1.key }) where count > 0 { complaints.append("\(key): never detached") }
        return complaints
    }

    private static func takesPart(_ answer: JSONValue) -> Bool {
        answer["Success"] == true && (answer["Attachments"]?.arrayValue ?? []).contains { $0["Attach"] == true }
    }
}
