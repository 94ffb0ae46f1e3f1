// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// V1 to V3: what a plugin says of itself.
struct PropertiesRules: RuleChecks {
    let verification: Verification

    func checkActivation() throws(RuleEnd) -> [String] {
        switch try subject.activate() {
        case .yes(let names):
            if names.contains(where: { $0.utf8.elementsEqual(PluginInterface.mountPoint.rawValue.utf8) }) { return [] }
            let found = names.isEmpty ? "nothing" : SanitizedText(names.joined(separator: ", "), limit: 200).text
            return ["it implements \(found); Implements must have \"mountpoint\" in it"]
        case .no(let words): return ["Activate was refused: \(words)"]
        case .nonsense(let why): return [why]
        }
    }

    func checkStableProperties() throws(RuleEnd) -> [String] {
        let first = try properties()
        guard case .yes(let second) = try subject.properties() else { return ["the second time they were refused, or cannot be read"] }
        return first == second ? [] : ["the second answer differs from the first; a host keeps the first"]
    }

    func checkPatterns() throws(RuleEnd) -> [String] {
        switch try subject.properties() {
        case .yes(let properties):
            return properties.unknownMembers.map {
                "\(SanitizedText($0, limit: 200)) is no member that is known: misspelt, or of another host"
            }
        case .no(let words): return ["Properties were refused: \(words)"]
        case .nonsense(let why): return [why]
        }
    }
}

/// V4, V18, V20: how a plugin answers, whatever it is asked.
struct CallRules: RuleChecks {
    let verification: Verification

    func checkTransport() throws(RuleEnd) -> [String] {
        exercise()
        return Self.once(subject.records.compactMap { record in record.transportFault.map { "\(record.method): \($0)" } })
    }

    func checkDeadline() throws(RuleEnd) -> [String] {
        exercise()
        return Self.once(
            subject.records.compactMap { record in
                if record.isLate { return "\(record.method): no answer came within \(subject.patience)" }
                return record.duration > settings.deadline ? "\(record.method): an answer took more than \(settings.deadline)" : nil
            })
    }

    func checkWords() throws(RuleEnd) -> [String] {
        exercise()
        if subject.isThere(by: Deadline(after: subject.patience)) {
            _ = try? subject.call(MountPointMethod.attach.rawValue, Array("{".utf8))
        }
        return Self.once(
            subject.records.compactMap { $0.isMute ? "\($0.method): a refusal has neither an Err nor another text in it" : nil })
    }

    /// Each line where it is first.
    private static func once(_ lines: [String]) -> [String] {
        var seen: Set<String> = []
        return lines.filter { seen.insert($0).inserted }
    }
}
