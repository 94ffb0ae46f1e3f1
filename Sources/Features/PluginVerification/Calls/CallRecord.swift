// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import PluginClient

/// What is known of a call that was made, for the rules that are about all calls.
struct CallRecord {
    /// Such as `MountPointPlugin.MountPointAttach`.
    var method: String
    var duration: Duration
    /// Whether no answer came in the time that was waited.
    var isLate = false
    /// What is wrong with how the answer came; nil if nothing is.
    var transportFault: String?
    /// Whether it refused without a word.
    var isMute = false

    private static let mediaTypes = ["v1", "v1.1", "v1.2"].map { "application/vnd.docker.plugins.\($0)+json" }

    /// Judges how an answer came.
    mutating func note(_ answer: RawAnswer) {
        transportFault = Self.fault(of: answer)
        isMute = Self.isMute(answer)
    }

    private static func fault(of answer: RawAnswer) -> String? {
        if answer.body.count > PluginClient.answerLimit { return "it has \(answer.body.count) bytes" }
        guard answer.status == 200 else { return nil }
        if answer.field("content-length") == nil && answer.field("transfer-encoding") == nil {
            return "it has neither a Content-Length nor a Transfer-Encoding, so that a part of it would pass for the whole"
        }
        let type = answer.field("content-type")?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
        if mediaTypes.contains(type) { return nil }
        return "its Content-Type is \"\(SanitizedText(type, limit: 100))\", not \(Activation.mediaType)"
    }

    private static func isMute(_ answer: RawAnswer) -> Bool {
        guard let reader = try? JSONObjectReader(parsing: answer.body, names: .anyCase) else {
            return answer.status != 200 && SanitizedText(answer.body).text.isEmpty
        }
        guard answer.status != 200 || (try? reader.flagIfPresent("Success")) == false else { return false }
        return SanitizedText((try? reader.text("Err")) ?? "").text.isEmpty
    }
}
