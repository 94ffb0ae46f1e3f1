// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON

/// What a plugin said to a call, if it could be read.
enum Said<Value> {
    case yes(Value)
    /// It refused, with these words.
    case no(String)
    /// The answer is none to this call.
    case nonsense(String)
}

// The protocol's calls in their right form.
extension Subject {
    func activate() throws(RuleEnd) -> Said<[String]> {
        let answer = try call(Activation.path, [])
        return read(answer) { (body) throws(ResponseError) in (true, "", try Activation.readResponse(body.span)) }
    }

    func properties() throws(RuleEnd) -> Said<MountPointProperties> {
        let answer = try call(MountPointMethod.properties.rawValue, Array("{}".utf8))
        return read(answer) { (body) throws(ResponseError) in
            let response = try MountPointPropertiesResponse(body.span)
            return (response.success, response.err, response.properties)
        }
    }

    func attach(_ id: String, _ mounts: [MountPoint]) throws(RuleEnd) -> Said<[Attachment]> {
        readAttach(try call(MountPointMethod.attach.rawValue, Self.attachBody(id, mounts)))
    }

    func readAttach(_ answer: RawAnswer) -> Said<[Attachment]> {
        read(answer) { (body) throws(ResponseError) in
            let response = try MountPointAttachResponse(body.span)
            return (response.success, response.err, response.attachments)
        }
    }

    func detach(_ id: String) throws(RuleEnd) -> Said<Void> {
        var writer = JSONWriter()
        MountPointDetachRequest(id: id, reason: .ended).write(to: &writer)
        return read(try call(MountPointMethod.detach.rawValue, writer.bytes)) { (body) throws(ResponseError) in
            let response = try MountPointDetachResponse(body.span)
            return (response.success, response.err, ())
        }
    }

    func mounted(_ id: String, pid: Int, _ mounts: [AttachedMount]) throws(RuleEnd) -> Said<Void> {
        var writer = JSONWriter()
        MountPointMountedRequest(id: id, pid: pid, mounts: mounts).write(to: &writer)
        return read(try call(MountPointMethod.mounted.rawValue, writer.bytes)) { (body) throws(ResponseError) in
            let response = try MountPointMountedResponse(body.span)
            return (response.success, response.err, ())
        }
    }

    static func attachBody(_ id: String, _ mounts: [MountPoint]) -> [UInt8] {
        var writer = JSONWriter()
        MountPointAttachRequest(id: id, mounts: mounts).write(to: &writer)
        return writer.bytes
    }

    private func read<Value>(
        _ answer: RawAnswer, _ decode: ([UInt8]) throws(ResponseError) -> (success: Bool, err: String, value: Value)
    ) -> Said<Value> {
        guard answer.status == 200 else {
            let said = (try? JSONObjectReader(parsing: answer.body, names: .anyCase).text("Err")) ?? ""
            let words = SanitizedText(said.isEmpty ? String(decoding: answer.body, as: UTF8.self) : said).text
            return .no("HTTP status \(answer.status): \(words)")
        }
        do throws(ResponseError) {
            let (success, err, value) = try decode(answer.body)
            return success ? .yes(value) : .no(SanitizedText(err).text)
        } catch {
            return .nonsense(SanitizedText(error.message).text)
        }
    }
}
