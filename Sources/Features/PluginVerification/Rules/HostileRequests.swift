// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem

/// A request that no host sends.
private struct HostileRequest {
    var name: String
    var path: String
    var body: [UInt8]
    /// Whether a success would be wrong. Otherwise it may be refused or not.
    var mustFail = true
    /// Of the container, if it may have been attached.
    var id: String?

    init(_ name: String, _ method: MountPointMethod, _ body: String) {
        (self.name, path, self.body) = (name, method.rawValue, Array(body.utf8))
    }
}

/// V14: requests that no host sends.
struct HostileRules: RuleChecks {
    let verification: Verification

    func checkHostileRequests() throws(RuleEnd) -> [String] {
        var faults: [String] = []
        for request in malformedRequests + strangeRequests() {
            do throws(RuleEnd) {
                let answer = try subject.call(request.path, request.body)
                if request.mustFail && Self.isSuccess(answer) { faults.append("\(request.name) was not refused") }
                if let id = request.id { cleanUp(id) }
            } catch {
                if case .broken(let why) = error { faults.append("\(request.name): \(why)") }
            }
            if !isAlive() { return faults + ["the plugin is gone after \(request.name)"] }
        }
        sendHalf()
        return isAlive() ? faults : faults + ["the plugin is gone after half a request"]
    }

    private func isAlive() -> Bool { subject.isThere(by: Deadline(after: subject.patience)) && (try? subject.activate()) != nil }

    private static func isSuccess(_ answer: RawAnswer) -> Bool {
        answer.status == 200 && (try? JSONObjectReader(parsing: answer.body, names: .anyCase).flag("Success")) == true
    }

    private var malformedRequests: [HostileRequest] {
        [MountPointMethod.attach, .detach].flatMap { method in
            let call = method.rawValue.dropFirst()
            return [
                HostileRequest("\(call) with malformed JSON", method, "{\"ID\": \"x\", \"Mounts\": ["),
                HostileRequest("\(call) without a body", method, ""),
                HostileRequest("\(call) with a number for the ID", method, "{\"ID\": 7, \"Mounts\": []}"),
                HostileRequest("\(call) with an array for the request", method, "[]"),
            ]
        } + [
            HostileRequest("Attach with text for the mounts", .attach, "{\"ID\": \"x\", \"Mounts\": \"all\"}"),
            HostileRequest(
                "Attach with a surrogate alone in a name", .attach,
                "{\"ID\": \"x\", \"Mounts\": [{\"Source\": \"/\\ud800\", \"Destination\": 3}]}"),
        ]
    }

    /// Requests that are right and strange.
    private func strangeRequests() -> [HostileRequest] {
        guard let mount = try? mount() else { return [] }
        let long = "/" + String(repeating: "long/", count: 818) + "name"
        let sources = [
            ("a line break", verification.source.folder(named: "a\nb")), ("a space at its end", verification.source.folder(named: "end ")),
            ("characters that mount options split at", verification.source.folder(named: "a,b:c\\d=e")),
            ("a text direction", verification.source.folder(named: "\u{202e}txt")), ("4095 bytes", long),
        ]
        var requests = sources.compactMap { (what, path) -> HostileRequest? in
            guard let path else { return nil }
            var copy = mount
            (copy.source, copy.effectiveSource, copy.origin) = (path, path, [path])
            let id = subject.newID()
            var request = HostileRequest("Attach of a path with \(what)", .attach, "")
            request.body = Subject.attachBody(id, [copy])
            (request.mustFail, request.id) = (false, id)
            return request
        }
        let id = subject.newID()
        var unknown = HostileRequest(
            "Attach with unknown members", .attach, "{\"ID\": \"\(id)\", \"Mounts\": [], \"Later\": {\"Than\": [1]}}")
        (unknown.mustFail, unknown.id) = (false, id)
        requests.append(unknown)
        return requests
    }

    /// Says that more bytes follow than do, and goes away.
    private func sendHalf() {
        let body = Array("{\"ID\": \"half\", \"Mou".utf8)
        let call = try? RawCall(MountPointMethod.attach.rawValue, body, to: settings.socket, length: 1000, within: .milliseconds(300))
        _ = try? call?.answer()
    }
}
